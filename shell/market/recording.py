"""A recording: what a history holds between two moments, laid out to be replayed (D6, D8). Made once, never written again.

Arrays and nothing else, so that a process which is to replay it can map it from a file, and needs no library of frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shell.market.bars import Tier
from shell.market.columns import BarArray
from shell.market.tape import Table

STEP_MS = Tier.M5.ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Bars of `symbols` over `slots` steps of five minutes from `start_ms` on.

    `past` holds each symbol's bars of each tier that had closed by then, as rows; `tables` the later ones of all symbols, as
    rows of a tape; `closes` by symbol and slot the newest close known at each slot, NaN before there is any. `bars` counts
    the later 5m bars.
    """

    symbols: tuple[str, ...]
    start_ms: int
    slots: int
    bars: int
    past: Mapping[tuple[str, Tier], BarArray]
    tables: Mapping[Tier, Table]
    closes: Table
