"""The account's value over time beside buying and holding, thinned for a chart. Floats are for display.

Deposits and withdrawals are no result: the drawdown is that of a fund's unit value, and buy-and-hold invests a deposit at
the prices of its time. Reads what was added since the last look and nothing twice: a year is some hundred thousand marks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text

from shell.clock import from_ms, to_ms
from shell.market.archive import Archive
from shell.market.bars import Tier
from shell.portfolio.ledger import CapitalEvent
from shell.store.candles import CandleStore
from shell.store.store import Store

BUCKETS = 320
_ENTRY_SEARCH = timedelta(days=1)
_NEWER = text("SELECT at, value FROM equity WHERE book = :book AND at > :after ORDER BY at")

Floats = NDArray[np.float64]
Times = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Closes:
    """Prices of one symbol as they became known: `times_ms` are closing times, `entry` the first open from the start on."""

    times_ms: Times
    values: Floats
    entry: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Aligned columns: milliseconds, account value, value of buy-and-hold (NaN where unknown), drawdown as a fraction <= 0."""

    times_ms: Times
    equity: Floats
    held: Floats
    drawdown: Floats


class Marks:
    """The equity marks of one book, kept up to date by reading only what is new."""

    def __init__(self, store: Store, book: str) -> None:
        self._store = store
        self._book = book
        self._after = ""
        self.times_ms: Times = np.empty(0, np.int64)
        self.values: Floats = np.empty(0, np.float64)

    def refresh(self) -> None:
        with self._store.reading() as connection:
            rows = connection.execute(_NEWER, {"book": self._book, "after": self._after}).all()
        if not rows:
            return
        self._after = rows[-1][0]
        times = np.array([at[:-1] for at, _ in rows], dtype="datetime64[ms]").astype(np.int64)
        self.times_ms = np.concatenate((self.times_ms, times))
        self.values = np.concatenate((self.values, np.array([float(value) for _, value in rows])))


def curve_of(
    marks: Marks, capital: Sequence[CapitalEvent], closes: Mapping[str, Closes], taker_fee_pct: float, *, thin: bool = True
) -> Curve:
    """The chart's columns at all marks, or at those that keep every extreme when `thin`."""
    flows = [(to_ms(event.at), float(event.amount)) for event in capital]
    fall = drawdown(marks.times_ms, marks.values, flows)
    kept = keep(marks.values, fall) if thin else np.arange(len(marks.values))
    times = marks.times_ms[kept]
    return Curve(
        times_ms=times, equity=marks.values[kept], held=held_value(times, flows, closes, taker_fee_pct), drawdown=fall[kept]
    )


def drawdown(times_ms: Times, values: Floats, flows: Sequence[tuple[int, float]]) -> Floats:
    """The fall of the unit value from its highest so far, 0 at a peak, as a fraction of it."""
    if not len(values):
        return np.empty(0)
    moved = np.zeros(len(values))
    for at, amount in flows:
        place = int(np.searchsorted(times_ms, at))
        if 0 < place < len(moved):  # what came before the first mark is in it already
            moved[place] += amount
    before = np.concatenate((values[:1], values[:-1])) + moved
    growth = np.where(before > 0, values / np.where(before > 0, before, 1.0), 1.0)
    unit = np.cumprod(growth)
    return unit / np.maximum.accumulate(unit) - 1


def keep(values: Floats, fall: Floats, buckets: int = BUCKETS) -> NDArray[np.intp]:
    """Indices of the ends and, of each stretch between, the lowest and highest value and the deepest fall."""
    count = len(values)
    if count <= 3 * buckets + 2:
        return np.arange(count)
    edges = np.linspace(0, count, buckets + 1).astype(np.intp)
    kept = {0, count - 1}
    for begin, end in pairwise(edges):
        kept |= {
            int(begin + values[begin:end].argmin()), int(begin + values[begin:end].argmax()),
            int(begin + fall[begin:end].argmin()),
        }
    return np.array(sorted(kept), dtype=np.intp)


def held_value(
    times_ms: Times, flows: Sequence[tuple[int, float]], closes: Mapping[str, Closes], taker_fee_pct: float
) -> Floats:
    """What the same money had come to in equal parts of the same coins, the taker fee paid on every purchase.

    NaN throughout where a symbol's prices are not known. A withdrawal sells its part of every coin.
    """
    if not closes or not flows or any(not len(each.times_ms) for each in closes.values()):
        return np.full(len(times_ms), np.nan)
    total = np.zeros(len(times_ms))
    for each in closes.values():
        prices = _at(each, times_ms)
        for number, (at, amount) in enumerate(flows):
            share = amount / len(closes)
            price = each.entry if number == 0 else float(_at(each, np.array([at]))[0])
            units = share / (price * (1 + taker_fee_pct))
            worth = units * prices
            bought = times_ms > at if number == 0 else times_ms >= at
            total += np.where(bought, worth, share if number == 0 else 0.0)
    return total


def _at(closes: Closes, times_ms: Times) -> Floats:
    """The newest known price at each time, the entry's before the first close."""
    found = np.searchsorted(closes.times_ms, times_ms, side="right") - 1
    return np.where(found >= 0, closes.values[np.maximum(found, 0)], closes.entry)


class Prices:
    """Closes of the symbols from a book's first day on: days, then hours, then five minutes, whichever is finest kept."""

    def __init__(self, store: Store, archive: Archive) -> None:
        self._candles = CandleStore(store)
        self._archive = archive
        self._entries: dict[tuple[str, int], float] = {}
        self._known: dict[tuple[str, int], tuple[Times, Floats]] = {}

    def symbols(self) -> tuple[str, ...]:
        """Symbols with any candle."""
        return tuple(self._candles.symbols())

    def since(self, symbols: Sequence[str], start_ms: int, end_ms: int) -> dict[str, Closes]:
        """Empty where a symbol has no bar in the period: buy-and-hold is unknown then."""
        found = {}
        for symbol in symbols:
            entry = self._entry(symbol, start_ms)
            times, values = self._grown(symbol, start_ms, end_ms)
            if entry is None or not len(times):
                return {}
            found[symbol] = Closes(times_ms=times, values=values, entry=entry)
        return found

    def _grown(self, symbol: str, start_ms: int, end_ms: int) -> tuple[Times, Floats]:
        """What is known with what has come since: a bar that has closed does not change."""
        key = (symbol, start_ms)
        times, values = self._known.get(key, (np.empty(0, np.int64), np.empty(0)))
        begin = int(times[-1]) if len(times) else start_ms
        if end_ms > begin:
            newer, closes = self._closes(symbol, begin, end_ms)
            times, values = np.concatenate((times, newer)), np.concatenate((values, closes))
            self._known[key] = (times, values)
        return times, values

    def _closes(self, symbol: str, start_ms: int, end_ms: int) -> tuple[Times, Floats]:
        times: list[Times] = []
        values: list[Floats] = []
        begin = start_ms
        for tier in (Tier.D1, Tier.H1, Tier.M5):
            span = self._candles.span(symbol, tier)
            if span is None:
                continue
            finer = _finer_begin(self._candles, symbol, tier)
            until = end_ms if finer is None else min(end_ms, max(finer, begin))
            frame = self._candles.between(symbol, tier, from_ms(begin), from_ms(until))
            if frame.is_empty():
                continue
            opened = frame["timestamp"].dt.epoch("ms").to_numpy().astype(np.int64)
            times.append(opened + tier.ms)
            values.append(frame["close"].to_numpy().astype(np.float64))
            begin = int(opened[-1]) + tier.ms
        if not times:
            return np.empty(0, np.int64), np.empty(0)
        return np.concatenate(times), np.concatenate(values)

    def _entry(self, symbol: str, start_ms: int) -> float | None:
        """The first open at or after the start, from the store or the archive; it never changes, so it is looked up once."""
        key = (symbol, start_ms)
        if key not in self._entries:
            start, end = from_ms(start_ms), from_ms(start_ms) + _ENTRY_SEARCH
            for frame in (
                self._archive.read(symbol, Tier.M5, start, end),
                self._candles.between(symbol, Tier.M5, start, end),
                self._candles.between(symbol, Tier.H1, start, end),
                self._candles.between(symbol, Tier.D1, start, end + timedelta(days=1)),
            ):
                if not frame.is_empty():
                    self._entries[key] = float(frame["open"][0])
                    break
        return self._entries.get(key)


def _finer_begin(candles: CandleStore, symbol: str, tier: Tier) -> int | None:
    """Where the next finer tier begins, so that this one ends there; None for the finest."""
    finer = {Tier.D1: (Tier.H1, Tier.M5), Tier.H1: (Tier.M5,), Tier.M5: ()}[tier]
    begins = [span[0] for each in finer if (span := candles.span(symbol, each)) is not None]
    return min(begins) if begins else None
