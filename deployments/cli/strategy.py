"""`brain strategy`: the versions, and the one way in for a person's own file."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated

import typer

from deployments.cli.homes import HomeOption, home_of, read_store
from deployments.cli.output import JsonFlag, answer, command, console_for, table
from deployments.cli.strategy_index import lineage, search

app = typer.Typer(no_args_is_help=True, help="Strategy versions: list, show, diff, search, lineage, submit, rollback.")
app.command("search")(search)
app.command("lineage")(lineage)


@app.command("list")
@command
def list_(home: HomeOption = None, as_json: JsonFlag = False) -> None:
    """Every version there was, every candidate with its verdict, and the code that never runs again."""
    from deployments.standing import quarantine_row

    with read_store(home_of(home)) as store:
        versions, candidates = store.strategies.list(), store.candidates.list()
        caught = [quarantine_row(each) for each in store.strategies.quarantined()]
    facts = {
        "versions": [
            {"version": row.version, "hash": row.hash, "parent": row.parent, "state": row.state,
             "hypothesis": row.hypothesis, "promoted_at": row.promoted_at}
            for row in versions
        ],
        "candidates": [
            {"id": row.candidate_id, "verdict": row.verdict, "stage": row.stage, "provider": row.proposal.provider,
             "parent": row.proposal.parent_version, "hypothesis": row.proposal.hypothesis, "reasons": list(row.reasons)}
            for row in candidates
        ],
        "quarantine": caught,
    }
    if as_json:
        answer(facts)
        return
    console = console_for(as_json)
    rows = [[row.version, row.state, row.hash, row.parent, row.hypothesis[:80]] for row in versions]
    console.print(table("Versions", ["version", "state", "hash", "parent", "hypothesis"], rows))
    rows = [
        [row.candidate_id, row.verdict.value, row.stage.value, row.proposal.provider, "; ".join(row.reasons)[:120]]
        for row in candidates
    ]
    console.print(table("Candidates", ["id", "verdict", "stage", "provider", "reasons"], rows))
    if caught:
        rows = [[each["name"], each["hash"], f"{each['at']:%Y-%m-%d %H:%M}", each["sentence"]] for each in caught]
        console.print(table("Quarantine: never runs again", ["caught as", "hash", "at (UTC)", "what it tried"], rows))


@app.command("show")
@command
def show(
    version: Annotated[str, typer.Argument(help="A version (v001) or a candidate (c0001).")],
    home: HomeOption = None,
    as_json: JsonFlag = False,
) -> None:
    """The source of a version or candidate, what was decided about it, and how long until the data can decide."""
    from deployments.evidence import evidence_of_candidate, evidence_of_version
    from shell.index.gather import index_of

    place = home_of(home)
    with read_store(place) as store:
        if version.startswith("c"):
            candidate = store.candidates.get(version)
            source = candidate.proposal.source
            facts = {
                "id": version, "verdict": candidate.verdict, "stage": candidate.stage, "hash": candidate.source_hash,
                "hypothesis": candidate.proposal.hypothesis, "reasons": list(candidate.reasons),
                "stages": [
                    {"stage": each.stage, "passed": each.passed, "reasons": list(each.reasons)}
                    for each in candidate.stages
                ],
                **evidence_of_candidate(place, store, version),
            }
        else:
            row = store.strategies.get(version)
            source = row.source
            facts = {
                "id": version, "state": row.state, "hash": row.hash, "hypothesis": row.hypothesis, "parent": row.parent,
                **evidence_of_version(place, store, version),
            }
        entry = next(each for each in index_of(store) if version in (each.name, each.candidate_id))
        facts |= {"tags": list(entry.tags), "figures": {name: dict(told) for name, told in entry.figures.items()}}
    if as_json:
        answer({**facts, "code": source.code, "skills": dict(source.skills)})
        return
    console = console_for(as_json)
    for name, value in facts.items():
        if name not in ("evidence", "trials"):
            console.print(f"{name}: {value}", markup=False, soft_wrap=True)
    for clock in facts["evidence"]:
        console.print(f"evidence: {clock['sentence']}", markup=False, soft_wrap=True)
    console.print()
    console.print(source.code, markup=False, soft_wrap=True)


@app.command("diff")
@command
def diff(
    old: Annotated[str, typer.Argument(help="A version or candidate.")],
    new: Annotated[str, typer.Argument(help="Another one.")],
    home: HomeOption = None,
    as_json: JsonFlag = False,
) -> None:
    """What changed between two versions or candidates, skills included."""
    with read_store(home_of(home)) as store:
        sources = {
            name: (store.candidates.get(name).proposal if name.startswith("c") else store.strategies.get(name)).source
            for name in (old, new)
        }
    before, after = sources[old], sources[new]
    lines: list[str] = []
    for file in ["strategy.py", *sorted({*before.skills, *after.skills})]:
        texts = [
            source.code if file == "strategy.py" else source.skills.get(file, "") for source in (before, after)
        ]
        lines += difflib.unified_diff(
            texts[0].splitlines(), texts[1].splitlines(), f"{old}/{file}", f"{new}/{file}", lineterm=""
        )
    if as_json:
        answer({"old": old, "new": new, "diff": "\n".join(lines)})
    else:
        console_for(as_json).print("\n".join(lines) or "no difference", markup=False, soft_wrap=True)


@app.command("submit")
@command
def submit(
    file: Annotated[Path, typer.Argument(help="Your strategy file.")],
    hypothesis: Annotated[str, typer.Option(help="What you expect it to do, in a sentence.")] = "a person's own strategy",
    home: HomeOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Send a file down the same path as every candidate: the next night takes it up."""
    from deployments.opening import furnish
    from shell.clock import SystemClock
    from shell.home import HomeLock
    from shell.host.policy import require_policy
    from shell.promotion.swap import register_workspace
    from shell.promotion.workspace import Workspace
    from shell.store.place import open_store
    from shell.trials.candidate import PERSON_PROVIDER, Proposal, source_hash

    place = home_of(home).create()
    furnish(place)
    workspace = Workspace(place.workspace)
    source = workspace.read(file)
    require_policy(source)
    now = SystemClock().now()
    with HomeLock(place), open_store(place) as store:
        register_workspace(store, workspace, now)
        store.strategies.require_trusted(source_hash(source))
        parent = store.strategies.active().version
        store.candidates.submit(
            Proposal(source=source, parent_version=parent, hypothesis=hypothesis, provider=PERSON_PROVIDER, seed=0), now
        )
    facts = {"hash": source_hash(source), "parent": parent, "skills": sorted(source.skills)}
    if as_json:
        answer(facts)
    else:
        console_for(as_json).print(
            f"{file.name} ({facts['hash']}) waits for the next night, which reviews, sandboxes and tests it "
            "like any other candidate: `brain run orchestrate` starts one now."
        )


@app.command("rollback")
@command
def rollback(
    reason: Annotated[str, typer.Option(help="Why; it is recorded.")] = "asked for by the operator",
    home: HomeOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Make the newest good version before the active one active again; v000, which holds nothing, is the floor."""
    from deployments.opening import furnish
    from shell.clock import SystemClock
    from shell.home import HomeLock
    from shell.promotion.swap import register_workspace, roll_back
    from shell.promotion.workspace import Workspace
    from shell.store.place import open_store

    place = home_of(home).create()
    now = SystemClock().now()
    furnish(place)
    workspace = Workspace(place.workspace)
    with HomeLock(place), open_store(place) as store:
        register_workspace(store, workspace, now)
        promotion = roll_back(store, workspace, reason, now)
    if as_json:
        answer({"version": promotion.version, "previous": promotion.previous, "hash": promotion.hash})
    else:
        console_for(as_json).print(f"{promotion.version} is active again, in place of {promotion.previous}")
