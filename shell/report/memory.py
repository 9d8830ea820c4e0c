"""What a report shows of memory, as plain values: the lineage drawn, the providers' worth, parity, the document's changes."""

from __future__ import annotations

from dataclasses import dataclass

from shell.index.worth import Worth
from shell.store.parity import ParityResult


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageMark:
    """One entry in the picture: its place in pixels, the end of the line to its parent, and what it says."""

    x: int
    y: int
    parent_x: int | None
    parent_y: int | None
    kind: str
    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryRows:
    """Everything the section shows. `left_out` candidates are not in the picture."""

    lineage: tuple[LineageMark, ...] = ()
    lineage_height: int = 0
    left_out: int = 0
    worth: tuple[Worth, ...] = ()
    parity: tuple[ParityResult, ...] = ()
    document: tuple[str, ...] = ()
    document_refused: tuple[str, ...] = ()
