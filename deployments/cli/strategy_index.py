"""`brain strategy search` and `brain strategy lineage`: what was tried before, and where versions came from."""

from __future__ import annotations

from typing import Annotated

import typer

from deployments.cli.homes import HomeOption, home_of, read_store
from deployments.cli.output import JsonFlag, answer, command, console_for, table

FOUND_MAX = 200


@command
def search(
    query: Annotated[str, typer.Argument(help="Words that must all occur; each may be the beginning of a longer one.")],
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=FOUND_MAX)] = 20,
    home: HomeOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Full-text search over every version and candidate: names, hypotheses, tags, reasons, code."""
    from shell.index.gather import index_of
    from shell.index.search import search as search_index

    with read_store(home_of(home)) as store:
        found = search_index(index_of(store), query, limit)
    if as_json:
        answer({"query": query, "found": [entry.as_dict() for entry in found]})
        return
    rows = [
        [entry.name, entry.verdict, entry.provider, entry.hypothesis[:80], "; ".join(entry.reasons)[:99], ", ".join(entry.tags)]
        for entry in found
    ]
    console = console_for(as_json)
    if rows:
        console.print(table(f"{len(rows)} found", ["name", "verdict", "provider", "hypothesis", "reasons", "tags"], rows))
    else:
        console.print("nothing found", markup=False)


@command
def lineage(
    version: Annotated[str, typer.Argument(help="Only the family of this version or candidate; default: all.")] = "",
    home: HomeOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Which version came from which, and what was tried beside each."""
    from shell.errors import Rejected
    from shell.index.gather import index_of
    from shell.index.lineage import lineage as tree_of
    from shell.index.lineage import lines_of

    with read_store(home_of(home)) as store:
        nodes = tree_of(index_of(store), version)
    if version and not nodes:
        raise Rejected(f"there is no version or candidate {version}")
    if as_json:
        answer({"nodes": [{**node.entry.as_dict(), "depth": node.depth} for node in nodes]})
    else:
        console_for(as_json).print("\n".join(lines_of(nodes)) or "nothing was tried yet", markup=False, soft_wrap=True)
