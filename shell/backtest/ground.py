"""What one backtest stands on besides strategy and account: recorded bars, and what is known of the whole of them (D8).

Worked out by the process that holds the history, once for every run over it. A locked process maps it from a file without a
name: gone with the last process that holds it, its pages shared, and no library of frames needed to read it.

Layout: the length of the head as 8 bytes, the head (JSON), then the arrays that it lists, float64.
"""

from __future__ import annotations

import json
import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import IO

import numpy as np
from numpy.typing import NDArray

from shell.clock import from_ms, to_ms
from shell.market.bars import TIERS, Tier
from shell.market.recording import Recording

_LENGTH = struct.Struct("<Q")
_ALIGNMENT = 8


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
    # The columns of past rows lie one behind the other, and so do the rows of tables.
    parts = [("past", symbol, tier.value, rows.T) for (symbol, tier), rows in recording.past.items()]
    parts += [("table", "", tier.value, table) for tier, table in recording.tables.items()]
    parts.append(("closes", "", "", recording.closes))
    head = json.dumps({
        "symbols": recording.symbols, "start_ms": recording.start_ms, "slots": recording.slots, "bars": recording.bars,
        "end_ms": to_ms(ground.end), "first_prices": dict(ground.first_prices),
        "buy_and_hold_return_pct": ground.buy_and_hold_return_pct,
        "parts": [(kind, symbol, tier, array.shape) for kind, symbol, tier, array in parts],
    }).encode()
    head += b" " * (-len(head) % _ALIGNMENT)
    file.write(_LENGTH.pack(len(head)) + head)
    for *_, array in parts:
        file.write(np.ascontiguousarray(array, dtype=np.float64).data)
    file.flush()


def read_ground(descriptor: int) -> Ground:
    """The ground in the file behind `descriptor`, mapped and not copied; the descriptor may be closed then."""
    mapped = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
    (length,) = _LENGTH.unpack_from(mapped)
    offset = _LENGTH.size + length
    head = json.loads(mapped[_LENGTH.size : offset])
    symbols = tuple(head["symbols"])
    past, tables = {}, {}
    closes = np.empty((len(symbols), 0))
    for kind, symbol, tier, (rows, columns) in head["parts"]:
        array: NDArray[np.float64] = np.frombuffer(mapped, dtype=np.float64, count=rows * columns, offset=offset)
        array = array.reshape(rows, columns)
        offset += array.nbytes
        if kind == "past":
            past[symbol, Tier(tier)] = array.T
        elif kind == "table":
            tables[Tier(tier)] = array
        else:
            closes = array
    recording = Recording(
        symbols=symbols, start_ms=head["start_ms"], slots=head["slots"], bars=head["bars"], past=past,
        tables={tier: tables[tier] for tier in TIERS}, closes=closes,
    )
    return Ground(
        recording=recording, end=from_ms(head["end_ms"]), first_prices=head["first_prices"],
        buy_and_hold_return_pct=head["buy_and_hold_return_pct"],
    )
