"""The recorded market book: a history whose every future row stands ready, revealed by moving one number (D6, D8).

For backtests. It answers what `MarketBook` answers, to the last bit, without work per bar: engine and history stay in the
process that owns the books, and a strategy's process is shown rows of its tapes one at a time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np

from shell.clock import from_ms, to_ms
from shell.errors import DataError
from shell.market.aggregate import HIGHER_TIERS, aggregate_rows
from shell.market.bars import TIERS, Bar, Quote, Tier
from shell.market.book import join_deeper
from shell.market.columns import BarArray, bars_of
from shell.market.frames import rows_of
from shell.market.history import History
from shell.market.tape import CLOSE, Table, Tape, width_of
from shell.money import Price, decimal_of

STEP_MS = Tier.M5.ms


class Counts(NamedTuple):
    """How many rows of each tape are known."""

    m5: int
    h1: int
    d1: int


class RecordedBook:
    """History from `start` to `end`, `slot` steps of five minutes of it revealed; what came before `start` is the past.

    Raises DataError for a symbol without history.
    """

    def __init__(
        self, history: History, symbols: Sequence[str], start: datetime, end: datetime, *, spread_pct: float = 0.0
    ) -> None:
        self.symbols = tuple(symbols)
        self.half_spread = spread_pct / 2
        self.start_ms = to_ms(start)
        self.slot = 0
        self._index = {symbol: index for index, symbol in enumerate(self.symbols)}
        self._past: dict[tuple[str, Tier], BarArray] = {}
        self.slots = max(0, (to_ms(end) - self.start_ms) // STEP_MS)
        later: dict[Tier, list[BarArray]] = {tier: [] for tier in TIERS}
        for symbol in self.symbols:
            if symbol not in history.m5:
                raise DataError(f"there is no 5m history for {symbol}; there is for {', '.join(history.m5)}")
            self._take(history, symbol, to_ms(end), later)
        self.tapes: Mapping[Tier, Tape] = {
            Tier.M5: _dense(later[Tier.M5], self.start_ms, self.slots),
            **{tier: _sparse(later[tier]) for tier in HIGHER_TIERS},
        }
        self.bars = sum(len(rows) for rows in later[Tier.M5])
        self._closed = {tier: self._closings(tier) for tier in HIGHER_TIERS}
        self.closes = self._filled()
        self._prices: dict[str, tuple[int, Price | None]] = {}
        self._moment = 0, start

    @property
    def closed(self) -> str:
        """"", as of every replayed market: it takes orders."""
        return ""

    def _take(self, history: History, symbol: str, end_ms: int, later: Mapping[Tier, list[BarArray]]) -> None:
        whole = rows_of(history.m5[symbol])
        m5 = whole[: int(np.searchsorted(whole[:, 0], self.start_ms - STEP_MS, side="right"))]
        self._past[symbol, Tier.M5] = m5
        follow = whole[len(m5) : int(np.searchsorted(whole[:, 0], end_ms))]
        later[Tier.M5].append(follow)
        known = whole[: len(m5) + len(follow)]
        for tier, deep in ((Tier.H1, history.h1), (Tier.D1, history.d1)):
            built = aggregate_rows(known, tier)
            closed = int(np.searchsorted(built[:, 0], self.start_ms - tier.ms, side="right"))
            past = built[:closed]
            older = deep.get(symbol)
            if older is not None:
                rows = rows_of(older)
                before = rows[: int(np.searchsorted(rows[:, 0], self.start_ms - tier.ms, side="right"))]
                past = join_deeper(before, past, m5, tier)
            self._past[symbol, tier] = past
            later[tier].append(built[closed:])

    def _closings(self, tier: Tier) -> list[int]:
        """The slot at which each row of a higher tier has closed."""
        tape = self.tapes[tier]
        slots: list[int] = (-(-(tape.table[: tape.count, 0].astype(np.int64) + tier.ms - self.start_ms) // STEP_MS)).tolist()
        return slots

    def _filled(self) -> Table:
        """Closes by symbol and slot: [symbol, slot] is the newest close known at `slot`, NaN before there is any."""
        tape, count = self.tapes[Tier.M5], len(self.symbols)
        closes = np.full((count, self.slots + 1), np.nan)
        for index, symbol in enumerate(self.symbols):
            past = self._past[symbol, Tier.M5]
            if len(past):
                closes[index, 0] = past[-1, 4]
            closes[index, 1:] = tape.table[: self.slots, tape.offset(CLOSE, index)]
            missing = np.isnan(closes[index])
            if missing[1:].any():
                source = np.where(missing, 0, np.arange(self.slots + 1))
                closes[index] = closes[index][np.maximum.accumulate(source)]
        return closes

    # -- what has been revealed -----------------------------------------------------------------------------------

    def slot_of(self, now: datetime) -> int:
        """The steps of five minutes that have passed at `now`, at most all of them."""
        slot, moment = self._moment
        if now is not moment:
            slot = (to_ms(now) - self.start_ms) // STEP_MS
        return min(max(0, slot), self.slots)

    def moment_of(self, slot: int) -> datetime:
        """When `slot` is reached: the close of its newest bars."""
        told, moment = self._moment
        if slot != told:
            moment = from_ms(self.start_ms + slot * STEP_MS)
            self._moment = slot, moment
        return moment

    def counts(self, slot: int) -> Counts:
        """The rows of each tape that are known at `slot`."""
        return Counts(slot, *(bisect_right(self._closed[tier], slot) for tier in HIGHER_TIERS))

    def next_counts(self, slot: int) -> int:
        """The first slot after `slot` at which a row of a higher tier closes; the one after the last if none does."""
        found = self.slots + 1
        for closed in self._closed.values():
            at = bisect_right(closed, slot)
            if at < len(closed):
                found = min(found, closed[at])
        return found

    def advance(self, now: datetime) -> None:
        """Reveal what closed up to `now`. Calling it again for the same moment changes nothing."""
        self.slot = max(self.slot, self.slot_of(now))

    @property
    def cursor(self) -> int:
        """The position after the newest revealed bar."""
        return self.slot

    def bars_since(self, cursor: int) -> list[Bar]:
        """Bars of all tiers revealed after `cursor`, in the order they closed: of one moment 5m first, then by symbol."""
        low, high = self.counts(cursor), self.counts(self.slot)
        if low[1:] == high[1:]:
            return self.m5_since(cursor, self.symbols)
        found: list[tuple[int, int, int, Bar]] = []
        for tier, begin, end in zip(TIERS, low, high, strict=True):
            for index, symbol in enumerate(self.symbols):
                rank = -1 if tier is Tier.M5 else index
                found += [
                    (bar.close_ms, rank, tier.ordinal, bar)
                    for bar in bars_of(symbol, tier, self.tapes[tier].rows_of(index, begin, end))
                ]
        found.sort(key=lambda each: each[:3])
        return [bar for *_, bar in found]

    def m5_since(self, cursor: int, symbols: Collection[str]) -> list[Bar]:
        """5m bars of `symbols` revealed after `cursor`, by open time and then symbol."""
        tape, bars = self.tapes[Tier.M5], []
        count, wanted = len(self.symbols), sorted(self._index[symbol] for symbol in symbols)
        flat, width = tape.flat, tape.width
        for row in range(cursor, self.slot):
            for index in wanted:
                at = row * width + 1 + index
                close = flat[at + CLOSE * count]
                if close == close:
                    open_, high, low, volume = flat[at], flat[at + count], flat[at + 2 * count], flat[at + 4 * count]
                    bars.append(
                        Bar(self.symbols[index], Tier.M5, self.start_ms + row * STEP_MS, open_, high, low, close, volume)
                    )
        return bars

    def windows(self) -> dict[tuple[str, Tier], BarArray]:
        """Each symbol's window of each tier as of the last advance."""
        known, now_ms, windows = self.counts(self.slot), self.start_ms + self.slot * STEP_MS, {}
        for (symbol, tier), past in self._past.items():
            fresh = self.tapes[tier].rows_of(self._index[symbol], 0, known[tier.ordinal])
            oldest = now_ms - tier.kept_ms
            kept = past[int(np.searchsorted(past[:, 0], oldest)) :]
            windows[symbol, tier] = np.concatenate([kept, fresh[int(np.searchsorted(fresh[:, 0], oldest)) :]])
        return windows

    def quote(self, symbol: str) -> Quote | None:
        """The newest price, true at its bar's close; None before the first bar."""
        index = self._index[symbol]
        close = self.closes.item(index, self.slot)
        if close != close:
            return None
        half = close * self.half_spread
        return Quote(symbol, close - half, close + half, close, self._priced_at(index))

    def price(self, symbol: str) -> Price | None:
        """The newest price as money; None before the first bar."""
        at, price = self._prices.get(symbol, (-1, None))
        if at != self.slot:
            close = self.closes.item(self._index[symbol], self.slot)
            price = None if close != close else Price.of(decimal_of(close))
            self._prices[symbol] = self.slot, price
        return price

    def unseen_since(self, cursor: int, symbols: Collection[str]) -> list[Bar]:
        """As `m5_since`: everything there is to see are bars."""
        return self.m5_since(cursor, symbols)

    def live_quote(self, symbol: str) -> Quote | None:
        """As `quote`."""
        return self.quote(symbol)

    def live_price(self, symbol: str) -> Price | None:
        """As `price`."""
        return self.price(symbol)

    def _priced_at(self, index: int) -> int:
        row = self.tapes[Tier.M5].row_of(index, self.slot)
        if row >= 0:
            return self.start_ms + (row + 1) * STEP_MS
        return int(self._past[self.symbols[index], Tier.M5][-1, 0]) + STEP_MS


def _dense(parts: Sequence[BarArray], start_ms: int, slots: int) -> Tape:
    """5m rows, one for every step from `start_ms` on, whether any bar opened then or not."""
    table = np.full((slots, width_of(len(parts))), np.nan)
    table[:, 0] = start_ms + STEP_MS * np.arange(slots)
    for index, rows in enumerate(parts):
        row, beside = np.divmod(rows[:, 0].astype(np.int64) - start_ms, STEP_MS)
        if beside.any():
            raise DataError("a 5m bar does not open at a multiple of five minutes: run `brain data check`")
        table[row, 1 + index :: len(parts)] = rows[:, 1:]
    return _whole(table, len(parts))


def _sparse(parts: Sequence[BarArray]) -> Tape:
    """Rows for every open time at which any symbol has a bar."""
    times = np.unique(np.concatenate([rows[:, 0] for rows in parts])) if parts else np.empty(0)
    table = np.full((len(times), width_of(len(parts))), np.nan)
    table[:, 0] = times
    for index, rows in enumerate(parts):
        table[np.searchsorted(times, rows[:, 0]), 1 + index :: len(parts)] = rows[:, 1:]
    return _whole(table, len(parts))


def _whole(table: Table, symbols: int) -> Tape:
    tape = Tape(symbols, table)
    tape.count = len(table)
    return tape
