"""The tape: closed bars of all symbols as rows of one table, the form in which history is revealed to a strategy.

A row is one open time: open_ms, then the opens of every symbol, the highs, the lows, the closes, the volumes; NaN where a
symbol has no bar. Revealing a bar is copying a row and counting one more; nothing behind `count` is ever read.
Imports only numpy and the vocabulary of bars, because the strategy's process uses it too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

CLOSE, VOLUME = 3, 4
FIELDS = 5
CAPACITY_MIN = 64

Table = NDArray[np.float64]


def width_of(symbols: int) -> int:
    """Numbers in one row over so many symbols."""
    return 1 + FIELDS * symbols


class Tape:
    """One tier's rows over `symbols` symbols, the first `count` of them known. It grows unless a `table` is given."""

    __slots__ = ("_owned", "count", "flat", "symbols", "table", "width")

    def __init__(self, symbols: int, table: Table | None = None) -> None:
        self.symbols = symbols
        self.width = width_of(symbols)
        self.count = 0
        self._owned = table is None
        self.table = np.empty((CAPACITY_MIN, self.width)) if table is None else table
        self.flat = _flat(self.table)

    def offset(self, field: int, symbol: int) -> int:
        """Where a field (0 open .. 4 volume) of a symbol stands within a row."""
        return 1 + field * self.symbols + symbol

    def extend(self, bars: Iterable[tuple[int, int, float, float, float, float, float]]) -> None:
        """Add bars (symbol, open_ms, open, high, low, close, volume): one row for those that follow one another and opened
        together. Raises ValueError for a tape whose table is another's."""
        if not self._owned:
            raise ValueError("this tape is written by its owner")
        begun = self.count
        for symbol, open_ms, *values in bars:
            at = self.count - 1
            if at < begun or self.table[at, 0] != open_ms or not math.isnan(self.table[at, self.offset(CLOSE, symbol)]):
                at = self._new_row(open_ms)
            self.table[at, 1 + symbol :: self.symbols] = values

    def append(self, rows: Table) -> None:
        """Add whole rows. Raises ValueError for a tape whose table is another's."""
        if not self._owned:
            raise ValueError("this tape is written by its owner")
        for row in rows:
            self.table[self._new_row(int(row[0]))] = row

    def row_of(self, symbol: int, before: int) -> int:
        """The newest row ahead of row `before` that has a bar of `symbol`; -1 if none has."""
        flat, width, at = self.flat, self.width, self.offset(CLOSE, symbol)
        row = before - 1
        while row >= 0:
            if not math.isnan(flat[row * width + at]):
                return row
            row -= 1
        return -1

    def rows_of(self, symbol: int, start: int, stop: int) -> Table:
        """The bars of one symbol in rows [start, stop), as rows of open_ms, open, high, low, close, volume."""
        block = self.table[start:stop]
        there = ~np.isnan(block[:, self.offset(CLOSE, symbol)])
        columns = np.empty((FIELDS + 1, int(np.count_nonzero(there))))
        columns[0] = block[there, 0]
        columns[1:] = block[there, 1 + symbol :: self.symbols].T
        return columns.T

    def _new_row(self, open_ms: int) -> int:
        at = self.count
        if at == len(self.table):
            larger = np.empty((2 * at, self.width))
            larger[:at] = self.table
            self.table, self.flat = larger, _flat(larger)
        self.table[at] = math.nan
        self.table[at, 0] = open_ms
        self.count = at + 1
        return at


def _flat(table: Table) -> memoryview[float]:
    """The numbers of a table one behind the other: one of them costs a tenth of what it costs through the array."""
    return table.reshape(-1).data  # type: ignore[return-value]  # of an array of floats
