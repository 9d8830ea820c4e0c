"""What one backtest stands on besides strategy and account: recorded bars, and what is known of the whole of them (D8).

Worked out by the process that holds the history, once for every run over it. A locked process maps it from a file without a
name: gone with the last process that holds it, its pages shared, and no library of frames needed to read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import IO

from shell.backtest.array_file import read_arrays, write_arrays
from shell.clock import from_ms, to_ms
from shell.market.bars import TIERS, Tier
from shell.market.recording import Recording


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """`recording` begins at `start`, aligned to five minutes. `first_prices` are each symbol's first close of all, by which
    its tick is told; `buy_and_hold_return_pct` is what holding everything would have brought."""

    recording: Recording
    end: datetime
    first_prices: Mapping[str, float]
    buy_and_hold_return_pct: float

    @property
    def start(self) -> datetime:
        return from_ms(self.recording.start_ms)


def write_ground(ground: Ground, file: IO[bytes]) -> None:
    """Put `ground` into an empty file."""
    recording = ground.recording
    facts = {
        "symbols": recording.symbols, "start_ms": recording.start_ms, "slots": recording.slots, "bars": recording.bars,
        "end_ms": to_ms(ground.end), "first_prices": dict(ground.first_prices),
        "buy_and_hold_return_pct": ground.buy_and_hold_return_pct,
        "past": [(symbol, tier.value) for symbol, tier in recording.past],
    }
    # The columns of past rows lie one behind the other, and so do the rows of tables.
    past = [rows.T for rows in recording.past.values()]
    tables = [*past, *(recording.tables[tier] for tier in TIERS), recording.closes]
    write_arrays(file, facts, [table.shape for table in tables], tables)


def read_ground(descriptor: int) -> Ground:
    """The ground in the file behind `descriptor`, mapped and not copied; the descriptor may be closed then."""
    facts, found = read_arrays(descriptor)
    tables = iter(found)
    recording = Recording(
        symbols=tuple(facts["symbols"]), start_ms=facts["start_ms"], slots=facts["slots"], bars=facts["bars"],
        past={(symbol, Tier(tier)): next(tables).T for symbol, tier in facts["past"]},
        tables={tier: next(tables) for tier in TIERS}, closes=next(tables),
    )
    return Ground(
        recording=recording, end=from_ms(facts["end_ms"]), first_prices=facts["first_prices"],
        buy_and_hold_return_pct=facts["buy_and_hold_return_pct"],
    )
