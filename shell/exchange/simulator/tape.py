"""The tape: single trades of the outside market, made of 5-minute bars, each bar the same trades whenever it is asked for.

A bar becomes `prints` trades evenly inside its five minutes, along open -> low -> high -> close, so that open, high, low,
close and volume of the trades are those of the bar. Nothing is stored: a bar's trades are drawn from the seed, the symbol
and the bar's time, and trade ids count up without a hole.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shell.clock import from_ms, to_ms
from shell.errors import DataError
from shell.exchange.simulator.moments import MS_NS
from shell.exchange.simulator.names import Listing, listing_of
from shell.market.bars import Tier
from shell.market.columns import BarArray
from shell.market.frames import rows_of
from shell.market.history import History
from shell.market.synthetic import synthetic_market

BAR_MS = Tier.M5.ms
BAR_NS = BAR_MS * MS_NS
# Open, low, high, close.
PRINTS_MIN = 4
PRINTS_MAX = 3000
ID_BASE = 1000
NOISE = 0.05
# Below eight numpy adds one after another, as Python does.
FEW = 8


class Print(NamedTuple):
    """One trade of the outside market; `side` is its taker's."""

    at_ns: int
    price: Decimal
    qty: Decimal
    side: str
    trade_id: int


class Series:
    """One pair's bars on the exchange's time line, and the trades they are made of."""

    def __init__(self, listing: Listing, rows: BarArray, *, shift_ms: int, seed: int, prints: int) -> None:
        traded = rows[rows[:, 5] > 0]
        if not len(traded):
            raise DataError(f"{listing.symbol} has no bar with a trade in it: nothing can be replayed")
        self.listing = listing
        self.prints = prints
        self.rows = traded
        self.shift_ms = shift_ms
        self.opens_ms: NDArray[np.int64] = traded[:, 0].astype(np.int64) + shift_ms
        self._seed = [seed, zlib.crc32(listing.symbol.encode())]

    def __len__(self) -> int:
        return len(self.rows)

    def bar_at(self, at_ms: int) -> int:
        """Index of the first bar that opens at `at_ms` or later; the number of bars when none does."""
        return int(self.opens_ms.searchsorted(at_ms))

    def trades(self, bar: int) -> list[Print]:
        """The trades of one bar, oldest first."""
        _, open_, high, low, close, volume = self.rows[bar].tolist()
        count, listing = self.prints, self.listing
        tick = float(listing.tick)
        ticks = [round(value / tick) for value in (open_, low, high, close)]
        lots = max(round(volume * 10**listing.lot_decimals), count)
        chance = np.random.default_rng([*self._seed, int(self.rows[bar, 0]) // BAR_MS])
        path = _path(chance, ticks, count)
        sizes = _shares(chance, lots, count)
        begin_ns = int(self.opens_ms[bar]) * MS_NS
        first_id = ID_BASE + bar * count
        made, before = [], ticks[0]
        for at, (price, size) in enumerate(zip(path, sizes, strict=True)):
            side = "b" if price > before or (price == before and size & 1) else "s"
            made.append(
                Print(
                    begin_ns + (2 * at + 1) * BAR_NS // (2 * count), listing.tick * price,
                    Decimal(size).scaleb(-listing.lot_decimals), side, first_id + at,
                )
            )
            before = price
        return made

    def from_ns(self, at_ns: int) -> Iterator[Print]:
        """Every trade later than `at_ns`, oldest first, to the end of the bars."""
        for bar in range(max(self.bar_at(at_ns // MS_NS - BAR_MS), 0), len(self)):
            trades = self.trades(bar)
            yield from trades if trades[0].at_ns > at_ns else [trade for trade in trades if trade.at_ns > at_ns]


class Tape:
    """All pairs' series. `start_ns` is where the exchange's time begins; bars before it are its past."""

    def __init__(self, series: Mapping[str, Series], start_ns: int, source: str) -> None:
        self.series = series
        self.start_ns = start_ns
        self.source = source


def tape_of(
    history: History, start: datetime, *, seed: int, prints: int, opens_at: datetime | None = None
) -> Tape:
    """The tape of `history` from its moment `start` on. With `opens_at` all of it is moved by whole days, so that the
    exchange opens at that time, at or within a day after `start`.

    Raises DataError for a symbol without bars before that, because the exchange could name no price for it.
    """
    if not PRINTS_MIN <= prints <= PRINTS_MAX:
        raise DataError(f"a bar of {prints} trades cannot be made: {PRINTS_MIN} to {PRINTS_MAX} are possible")
    days = 0 if opens_at is None else math.floor((opens_at - start) / timedelta(days=1))
    shift_ms = days * Tier.D1.ms
    start_ms = to_ms(opens_at or start) - shift_ms
    series = {}
    for symbol, frame in history.m5.items():
        rows = rows_of(frame)
        if not len(rows) or rows[0, 0] >= start_ms // BAR_MS * BAR_MS:
            raise DataError(f"{symbol} has no bar before {start.isoformat()}: the exchange would open without a price")
        listing = listing_of(symbol, float(rows[0, 4]))
        series[symbol] = Series(listing, rows, shift_ms=shift_ms, seed=seed, prints=prints)
    return Tape(series, (start_ms + shift_ms) * MS_NS, history.source)


def opening_of(history: History, past: timedelta) -> datetime:
    """A moment that leaves `past` before it, or half of the history where that is shorter than twice `past`."""
    begins = [int(rows_of(frame)[0, 0]) for frame in history.m5.values()]
    ends = [int(rows_of(frame)[-1, 0]) for frame in history.m5.values()]
    begin, end = max(begins), min(ends)
    opening = min(begin + past // timedelta(milliseconds=1), (begin + end) // 2)
    return from_ms(opening // BAR_MS * BAR_MS)


def synthetic_tape(
    symbols: Sequence[str], opens_at: datetime, *, seed: int, prints: int, past_days: int, days: int, market: str = "plain"
) -> Tape:
    """An invented market of `past_days` before and `days` after `opens_at`."""
    begin = from_ms(to_ms(opens_at) // BAR_MS * BAR_MS - past_days * Tier.D1.ms)
    history = synthetic_market(seed, symbols, begin, past_days + days, market)
    return tape_of(history, opens_at, seed=seed, prints=prints)


def _path(chance: np.random.Generator, ticks: Sequence[int], count: int) -> list[int]:
    """Prices in ticks from open over low and high to close, straight between them but for some noise, never beyond."""
    if count == PRINTS_MIN:
        return list(ticks)
    open_, low, high, close = ticks
    at_low, at_high = count // 3, 2 * count // 3
    straight = np.interp(np.arange(count), [0, at_low, at_high, count - 1], [open_, low, high, close])
    noisy = straight + chance.standard_normal(count) * (high - low) * NOISE
    path: list[int] = np.clip(np.rint(noisy), low, high).astype(np.int64).tolist()
    path[0], path[at_low], path[at_high], path[-1] = open_, low, high, close
    return path


def _shares(chance: np.random.Generator, lots: int, count: int) -> list[int]:
    """`lots` in `count` parts of at least one each."""
    weights = chance.random(count) + 0.05
    if count < FEW:
        # The same sums, in the same order, at a quarter of the time that arrays take for so few.
        drawn: list[float] = weights.tolist()
        total = 0.0
        for weight in drawn:  # not `sum`, which adds more exactly in later Pythons
            total += weight
        shares = [int(weight / total * (lots - count)) + 1 for weight in drawn]
        shares[-1] += lots - sum(shares)
        return shares
    parts = np.floor(weights / weights.sum() * (lots - count)).astype(np.int64) + 1
    shares = list(map(int, parts))
    shares[-1] += lots - sum(shares)
    return shares
