"""Growing columns of one symbol and tier, and frames that show them without copying.

Appending writes only behind the last row and growing allocates anew, so memory that an earlier view or frame shows
never changes. Imports only numpy and the vocabulary of bars, because the strategy's process uses it too. polars is loaded when
somebody asks for a frame (`shell.market.frames`), not before: it alone takes a quarter of a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shell.market.bars import CANDLE_COLUMNS, Bar, Tier

if TYPE_CHECKING:
    import polars as pl

# Rows of float64: open_ms, open, high, low, close, volume; oldest first.
BarArray = NDArray[np.float64]

WIDTH = len(CANDLE_COLUMNS)
CAPACITY_MIN = 64


class Columns:
    """Bars of one symbol and tier in strictly increasing open time; float64, the times exact as int64 besides.

    With a `tier`, windows hold only bars that have closed at their end. Without one the owner feeds closed bars only.
    """

    __slots__ = ("_all", "_bar_ms", "_count", "_times", "_values")
    _all: pl.DataFrame | None

    def __init__(self, rows: BarArray | None = None, *, tier: Tier | None = None) -> None:
        self._bar_ms = 0 if tier is None else tier.ms
        self._count = 0
        self._allocate(CAPACITY_MIN if rows is None else max(CAPACITY_MIN, len(rows)))
        if rows is not None:
            self.extend(rows)

    def __len__(self) -> int:
        return self._count

    @property
    def last_ms(self) -> int | None:
        """Open time of the newest bar, or None while there is none."""
        return int(self._times[self._count - 1]) if self._count else None

    def append(self, open_ms: int, open: float, high: float, low: float, close: float, volume: float) -> None:
        """Add one bar. Raises ValueError unless it is later than every bar here."""
        at = self._count
        if at and open_ms <= self._times[at - 1]:
            raise ValueError(f"bar {open_ms} does not come after {self._times[at - 1]}")
        if at == len(self._times):
            self._grow(at + 1)
        self._times[at] = open_ms
        self._values[:, at] = (open_ms, open, high, low, close, volume)
        self._count = at + 1

    def extend(self, rows: BarArray) -> None:
        """Add many bars, all or none. Raises ValueError unless their times increase strictly, after every bar here."""
        if len(rows) == 0:
            return
        if rows.ndim != 2 or rows.shape[1] != WIDTH:
            raise ValueError(f"rows of {WIDTH} columns are needed, not shape {rows.shape}")
        times = rows[:, 0].astype(np.int64)
        begin, end = self._count, self._count + len(rows)
        if not bool(np.all(times[1:] > times[:-1])) or (begin and times[0] <= self._times[begin - 1]):
            raise ValueError("bars must come in strictly increasing time, after the ones already here")
        if end > len(self._times):
            self._grow(end)
        self._times[begin:end] = times
        self._values[:, begin:end] = rows.T
        self._count = end

    def row(self, index: int) -> tuple[int, float, float, float, float, float]:
        """Bar `index` (negative: from the end) as open_ms, open, high, low, close, volume. Raises IndexError."""
        at = index + self._count if index < 0 else index
        if not 0 <= at < self._count:
            raise IndexError(f"row {index} of {self._count}")
        _, open_, high, low, close, volume = self._values[:, at].tolist()
        return int(self._times[at]), open_, high, low, close, volume

    def bounds(self, end_ms: int, kept_ms: int) -> tuple[int, int]:
        """Indices [start, stop) of the bars opened at or after `end_ms - kept_ms` and closed at `end_ms`."""
        times = self._times[: self._count]
        # A bar is closed when open + length <= end; integers, so that is open < end - length + 1.
        latest = end_ms - self._bar_ms + 1 if self._bar_ms else end_ms
        stop = self._count if self._count and times[-1] < latest else int(times.searchsorted(latest))
        return min(int(times.searchsorted(end_ms - kept_ms)), stop), stop

    def slice(self, start: int, stop: int) -> BarArray:
        """Rows [start, stop) as a read-only view; its columns are contiguous."""
        view = self._values[:, max(start, 0) : min(stop, self._count)].T
        view.flags.writeable = False
        return view

    def window(self, end_ms: int, kept_ms: int) -> BarArray:
        """A read-only view of `bounds(end_ms, kept_ms)`."""
        return self.slice(*self.bounds(end_ms, kept_ms))

    def frame_of(self, start: int, stop: int) -> pl.DataFrame:
        """Rows [start, stop) as a frame of contract columns, without copying."""
        first = max(start, 0)
        if self._all is None:
            from shell.market.frames import wrap

            self._all = wrap(self._times, self._values)
        return self._all.slice(first, max(min(stop, self._count) - first, 0))

    def frame(self, end_ms: int, kept_ms: int) -> pl.DataFrame:
        """The window as a frame of contract columns, without copying."""
        return self.frame_of(*self.bounds(end_ms, kept_ms))

    def times(self) -> NDArray[np.int64]:
        """Every open time, as a read-only view."""
        view = self._times[: self._count]
        view.flags.writeable = False
        return view

    def _grow(self, needed: int) -> None:
        times, values, count = self._times, self._values, self._count
        self._allocate(max(needed, 2 * len(times)))
        self._times[:count] = times[:count]
        self._values[:, :count] = values[:, :count]

    def _allocate(self, capacity: int) -> None:
        self._times = np.zeros(capacity, dtype=np.int64)
        self._values = np.zeros((WIDTH, capacity), dtype=np.float64)
        # One frame over the whole allocation, made when first asked for: a slice of it costs a hundredth of a new frame.
        # Only rows that are already written are ever sliced out, and they are never written again.
        self._all = None


def bars_of(symbol: str, tier: Tier, rows: BarArray) -> list[Bar]:
    """Rows as `Bar` values."""
    return [Bar(symbol, tier, int(open_ms), *prices) for open_ms, *prices in rows.tolist()]
