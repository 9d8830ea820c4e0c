"""5-minute bars into hours and days, all at once or one bar at a time, with the same result to the last bit.

Buckets are UTC hours and days. A bucket is made of the bars that exist; one without bars does not exist (gaps are
recorded, never invented). Volume is summed exactly and rounded once (as by `math.fsum`), so that the order cannot matter.
Frames are imported where there are some: a backtest on rows alone has no library for them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from shell.market.bars import HIGHER_TIERS, Bar, Tier
from shell.market.columns import WIDTH, BarArray
from shell.market.exact_sum import sums_of

if TYPE_CHECKING:
    import polars as pl


def aggregate(frame: pl.DataFrame, tier: Tier) -> pl.DataFrame:
    """Bars of a lower tier, sorted by time, as bars of `tier`. The last bucket may be incomplete: see `closed_only`."""
    from shell.market.frames import rows_of, to_frame

    return to_frame(aggregate_rows(rows_of(frame), tier))


def aggregate_rows(rows: BarArray, tier: Tier) -> BarArray:
    """`aggregate` on rows."""
    if len(rows) == 0:
        return np.empty((0, WIDTH))
    buckets = rows[:, 0].astype(np.int64) // tier.ms
    starts = np.concatenate(([0], np.flatnonzero(np.diff(buckets)) + 1))
    stops = np.append(starts[1:], len(rows))
    columns = np.empty((WIDTH, len(starts)))
    columns[0] = buckets[starts] * tier.ms
    columns[1] = rows[starts, 1]
    columns[2] = np.maximum.reduceat(rows[:, 2], starts)
    columns[3] = np.minimum.reduceat(rows[:, 3], starts)
    columns[4] = rows[stops - 1, 4]
    columns[5] = sums_of(rows[:, 5], starts, stops)
    return columns.T


def closed_only(frame: pl.DataFrame, tier: Tier, now_ms: int) -> pl.DataFrame:
    """The bars of a sorted frame that have closed at `now_ms`."""
    from shell.market.frames import rows_of

    closed = rows_of(frame)[:, 0].searchsorted(now_ms - tier.ms, side="right")
    return frame.head(int(closed))


class _Bucket:
    """One hour or day being built."""

    __slots__ = ("close", "high", "low", "open", "open_ms", "volumes")

    def __init__(self, open_ms: int, bar: Bar) -> None:
        self.open_ms = open_ms
        self.open, self.high, self.low, self.close = bar.open, bar.high, bar.low, bar.close
        self.volumes = [bar.volume]

    def add(self, bar: Bar) -> None:
        if bar.high > self.high:
            self.high = bar.high
        if bar.low < self.low:
            self.low = bar.low
        self.close = bar.close
        self.volumes.append(bar.volume)

    def bar(self, symbol: str, tier: Tier) -> Bar:
        return Bar(symbol, tier, self.open_ms, self.open, self.high, self.low, self.close, math.fsum(self.volumes))


class BucketBuilder:
    """Builds the higher tiers of one symbol from closed 5-minute bars as they come; equals `aggregate`."""

    __slots__ = ("_closed_ms", "_finished", "_last_ms", "_open", "_symbol")

    def __init__(self, symbol: str) -> None:
        self._symbol = symbol
        self._open: list[_Bucket | None] = [None] * len(HIGHER_TIERS)
        self._finished: list[Bar] = []
        self._last_ms = -1
        self._closed_ms = 0

    def takes(self, bar: Bar) -> bool:
        """True when `bar` comes in time: later than the last one, and no bucket of it has been handed out."""
        return bar.open_ms > self._last_ms and bar.open_ms >= self._closed_ms // Tier.H1.ms * Tier.H1.ms

    def push(self, bar: Bar) -> None:
        """Take one closed 5-minute bar. Raises ValueError when it is not later than the last one, or when a bucket it
        belongs to has already been handed out."""
        if not self.takes(bar):
            raise ValueError(f"{self._symbol}: bar {bar.open_ms} comes too late, after {self._last_ms}")
        self._last_ms = bar.open_ms
        for at, tier in enumerate(HIGHER_TIERS):
            open_ms = bar.open_ms - bar.open_ms % tier.ms
            bucket = self._open[at]
            if bucket is None:
                self._open[at] = _Bucket(open_ms, bar)
            elif bucket.open_ms == open_ms:
                bucket.add(bar)
            else:
                self._finished.append(bucket.bar(self._symbol, tier))
                self._open[at] = _Bucket(open_ms, bar)

    def close_until(self, now_ms: int) -> list[Bar]:
        """Hours and days that have ended at `now_ms` and were not handed out before, by closing time, hours first."""
        ended = self._finished
        for at, tier in enumerate(HIGHER_TIERS):
            bucket = self._open[at]
            if bucket is not None and bucket.open_ms + tier.ms <= now_ms:
                ended.append(bucket.bar(self._symbol, tier))
                self._open[at] = None
        self._closed_ms = max(self._closed_ms, now_ms)
        if not ended:
            return []
        self._finished = [bar for bar in ended if bar.close_ms > now_ms]
        ready = [bar for bar in ended if bar.close_ms <= now_ms]
        ready.sort(key=lambda bar: (bar.close_ms, bar.tier.ms))
        return ready
