"""The lineage: which version came from which, and what was tried beside each: a tree of values, and lines of text. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shell.index.entry import IndexEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """An entry in the tree: `depth` is its distance from the root, `row` its place from above, `parent_row` None at a root."""

    entry: IndexEntry
    depth: int
    row: int
    parent_row: int | None
    last: bool
    # For each level above its own: whether a line goes on there.
    rails: tuple[bool, ...] = ()


def lineage(entries: Sequence[IndexEntry], of: str = "") -> list[Node]:
    """The tree in the order it is drawn, children under their parent, versions before candidates. `of` names one entry: then
    only its ancestors, itself and its descendants. An entry whose parent is not known is a root."""
    chosen = _family(entries, of) if of else list(entries)
    names = {entry.name for entry in chosen}
    children: dict[str, list[IndexEntry]] = {}
    for entry in chosen:
        above = entry.parent if entry.parent in names and entry.parent != entry.name else ""
        children.setdefault(above, []).append(entry)
    nodes: list[Node] = []

    def draw(entry: IndexEntry, depth: int, parent_row: int | None, last: bool, rails: tuple[bool, ...]) -> None:
        row = len(nodes)
        nodes.append(Node(entry=entry, depth=depth, row=row, parent_row=parent_row, last=last, rails=rails))
        below = children.get(entry.name, [])
        for number, child in enumerate(below):
            draw(child, depth + 1, row, number == len(below) - 1, (*rails, not last) if depth else ())

    for root in children.get("", []):
        draw(root, 0, None, True, ())
    return nodes


def lines_of(nodes: Sequence[Node]) -> list[str]:
    """One line a node, with the branches drawn."""
    found = []
    for node in nodes:
        branch = "".join("│  " if rail else "   " for rail in node.rails)
        branch += ("└─ " if node.last else "├─ ") if node.depth else ""
        entry = node.entry
        about = " · ".join(part for part in (entry.change_class, entry.provider, entry.verdict) if part)
        found.append(f"{branch}{entry.name} ({about}) {entry.hypothesis[:80]}".rstrip())
    return found


def _family(entries: Sequence[IndexEntry], of: str) -> list[IndexEntry]:
    by_name = {entry.name: entry for entry in entries}
    by_name |= {entry.candidate_id: entry for entry in entries if entry.candidate_id and entry.candidate_id not in by_name}
    start = by_name.get(of)
    if start is None:
        return []
    wanted = {start.name}
    above = start
    while above.parent in by_name and above.parent not in wanted:
        above = by_name[above.parent]
        wanted.add(above.name)
    below = [start.name]
    while below:
        name = below.pop()
        for entry in entries:
            if entry.parent == name and entry.name not in wanted:
                wanted.add(entry.name)
                below.append(entry.name)
    return [entry for entry in entries if entry.name in wanted]
