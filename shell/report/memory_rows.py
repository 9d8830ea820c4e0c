"""What the report shows of memory: the lineage, the worth of each provider, parity, and how the document changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from shell.document.history import changes
from shell.index.entry import IndexEntry
from shell.index.gather import index_of
from shell.index.lineage import Node, lineage
from shell.index.worth import Worth, worth_of
from shell.report.memory import LineageMark, MemoryRows
from shell.store.store import Store

# The picture shows so many entries at most: all versions, and the newest candidates.
LINEAGE_MAX = 60
DOCUMENT_LINES_MAX = 120
ROW_HEIGHT, INDENT, TOP = 26, 28, 18


def memory_rows(store: Store, start: datetime, end: datetime, book: str = "main") -> MemoryRows:
    """The memory of one home, the dated parts from `start` to `end`."""
    entries = index_of(store, book)
    nodes, left_out = _picture(entries)
    lines, refused = changes(store.documents.list(), start, end)
    return MemoryRows(
        lineage=tuple(_mark(node, nodes) for node in nodes), lineage_height=TOP * 2 + ROW_HEIGHT * len(nodes),
        left_out=left_out, worth=tuple(store_worth(store, book)),
        parity=tuple(each for each in store.parity.list(book) if start <= each.until <= end),
        document=tuple(lines[:DOCUMENT_LINES_MAX]), document_refused=tuple(refused),
    )


def store_worth(store: Store, book: str = "main") -> list[Worth]:
    """The worth-it meter of one home; a call that was never settled costs what was reserved for it."""
    usd: dict[str, Decimal] = {}
    for call in store.model_calls.list():
        usd[call.asked.provider] = usd.get(call.asked.provider, Decimal(0)) + call.counted_usd
    return worth_of(
        store.candidates.list(), store.candidates.scores(), store.history.trades(book),
        {each.version: each.candidate_id for each in store.promotions.list() if each.candidate_id}, usd,
    )


def _picture(entries: Sequence[IndexEntry]) -> tuple[list[Node], int]:
    versions = [entry for entry in entries if entry.name != entry.candidate_id]
    tried = [entry for entry in entries if entry.name == entry.candidate_id]
    room = max(0, LINEAGE_MAX - len(versions))
    shown = tried[len(tried) - min(room, len(tried)):]
    return lineage([*versions, *shown]), len(tried) - len(shown)


def _mark(node: Node, nodes: Sequence[Node]) -> LineageMark:
    parent = None if node.parent_row is None else nodes[node.parent_row]
    entry = node.entry
    about = " · ".join(part for part in (entry.verdict, entry.change_class, entry.provider) if part)
    return LineageMark(
        x=TOP + node.depth * INDENT, y=TOP + node.row * ROW_HEIGHT,
        parent_x=None if parent is None else TOP + parent.depth * INDENT,
        parent_y=None if parent is None else TOP + parent.row * ROW_HEIGHT,
        kind="version" if entry.name != entry.candidate_id else entry.verdict, name=entry.name,
        text=f"{about}: {entry.hypothesis}"[:110],
    )
