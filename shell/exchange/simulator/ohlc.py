"""Candles of one pair in all of Kraken's intervals: 720 committed rows and the forming one.

Slots without a trade are filled with the previous close, zero volume and zero count, as REST does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import takewhile

import numpy as np

from shell.exchange.simulator.moments import MINUTE_S, MS_NS, SECOND_NS
from shell.exchange.simulator.precision import ZERO, over, step_of, times
from shell.exchange.simulator.tape import BAR_MS, BAR_NS, Print, Series

INTERVALS = (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)
COMMITTED_MAX = 720


@dataclass(slots=True)
class Candle:
    """One row; `turnover` is the sum of price times volume, `begin_s` its opening in unix seconds."""

    begin_s: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    turnover: Decimal = ZERO
    volume: Decimal = ZERO
    count: int = 0

    @property
    def vwap(self) -> Decimal:
        return over(self.turnover, self.volume) if self.volume else ZERO

    def take(self, trade: Print) -> None:
        self.high = max(self.high, trade.price)
        self.low = min(self.low, trade.price)
        self.close = trade.price
        self.turnover += times(trade.price, trade.qty)
        self.volume += trade.qty
        self.count += 1


class Candles:
    """The newest rows of every interval. They are made of the tape when first asked for, then kept up with each trade."""

    def __init__(self, series: Series, start_ns: int) -> None:
        self._series = series
        self._until_ns = start_ns
        self._rows: dict[int, deque[Candle]] = {}

    def take(self, trade: Print) -> None:
        """Add a trade to the forming row of every interval."""
        self._until_ns = max(self._until_ns, trade.at_ns)
        for interval in self._rows:
            self._add(interval, trade)

    def keep_all(self) -> None:
        """Keep every interval from now on: a trade is coming that the tape does not know."""
        for interval in INTERVALS:
            self._live(interval)

    def rows(self, interval: int, now_ns: int) -> list[Candle]:
        """Rows of `interval`, oldest first; the last one is forming at `now_ns`."""
        rows = self._live(interval)
        self._fill(rows, interval, now_ns // SECOND_NS // (interval * MINUTE_S) * interval * MINUTE_S)
        return list(rows)

    def forming(self, interval: int) -> Candle:
        """The row the newest trade went into."""
        return self._live(interval)[-1]

    def _live(self, interval: int) -> deque[Candle]:
        found = self._rows.get(interval)
        if found is None:
            series, begin_ns = self._series, self._until_ns // BAR_NS * BAR_NS
            found = self._rows[interval] = deque(_past(series, begin_ns, interval), maxlen=COMMITTED_MAX + 1)
            if interval == 1:
                # Minutes come from single trades, which the other rows of the past do not need.
                begin_ns -= (COMMITTED_MAX + 1) * MINUTE_S * SECOND_NS
            for trade in takewhile(lambda trade: trade.at_ns <= self._until_ns, series.from_ns(begin_ns)):
                self._add(interval, trade)
        return found

    def _add(self, interval: int, trade: Print) -> None:
        rows, price = self._rows[interval], trade.price
        begin_s = trade.at_ns // SECOND_NS // (interval * MINUTE_S) * interval * MINUTE_S
        if rows and rows[-1].begin_s < begin_s:
            self._fill(rows, interval, begin_s - interval * MINUTE_S)
        if not rows or rows[-1].begin_s < begin_s:
            rows.append(Candle(begin_s, price, price, price, price))
        elif not rows[-1].count:
            rows[-1] = Candle(begin_s, price, price, price, price)
        rows[-1].take(trade)

    @staticmethod
    def _fill(rows: deque[Candle], interval: int, until_s: int) -> None:
        step = interval * MINUTE_S
        if not rows:
            return
        close = rows[-1].close
        first = max(rows[-1].begin_s + step, until_s - COMMITTED_MAX * step)
        for begin_s in range(first, until_s + 1, step):
            rows.append(Candle(begin_s, close, close, close, close))


def _past(series: Series, start_ns: int, interval: int) -> Sequence[Candle]:
    """The rows that are known at `start_ns`, the last of them perhaps unfinished, out of whole 5-minute bars."""
    if interval == 1:
        return []
    step_ms = interval * MINUTE_S * 1000
    start_ms = start_ns // MS_NS
    oldest_ms = (start_ms // step_ms - COMMITTED_MAX) * step_ms
    begin, end = series.bar_at(oldest_ms), series.bar_at(start_ms - BAR_MS + 1)
    opens, bars = series.opens_ms[begin:end], series.rows[begin:end]
    if not len(bars):
        return []
    slots = opens // step_ms
    edges = np.flatnonzero(np.diff(slots)) + 1
    starts, stops = [0, *edges.tolist()], [*edges.tolist(), len(bars)]
    listing = series.listing
    price_step, volume_step = step_of(listing.price_decimals), listing.lot
    found: deque[Candle] = deque()
    for low, high in zip(starts, stops, strict=True):
        part = bars[low:high]
        begin_s = int(slots[low]) * interval * MINUTE_S
        if found:
            Candles._fill(found, interval, begin_s - interval * MINUTE_S)
        edges_of = (part[0, 1], part[:, 2].max(), part[:, 3].min(), part[-1, 4])
        first, top, bottom, final = (Decimal(float(value)).quantize(price_step) for value in edges_of)
        middle = (part[:, 1] + part[:, 2] + part[:, 3] + part[:, 4]) / 4
        turnover = Decimal(float((middle * part[:, 5]).sum()))
        volume = Decimal(float(part[:, 5].sum())).quantize(volume_step)
        found.append(
            Candle(
                begin_s, first, top, bottom, final, turnover=turnover, volume=volume, count=series.prints * len(part)
            )
        )
    return found
