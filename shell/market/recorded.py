"""The recorded market book: a history whose every future row stands ready, revealed by moving one number (D6, D8).

For backtests. It answers what `MarketBook` answers, to the last bit, without work per bar: engine and history stay in the
process that owns the books, and a strategy's process is shown rows of its tapes one at a time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple

import numpy as np

from shell.clock import from_ms, to_ms
from shell.market.bars import HIGHER_TIERS, TIERS, Bar, Quote, Tier
from shell.market.columns import BarArray, bars_of
from shell.market.recording import STEP_MS, Recording
from shell.market.tape import CLOSE, Table, Tape
from shell.money import Price, decimal_of


class Counts(NamedTuple):
    """How many rows of each tape are known."""

    m5: int
    h1: int
    d1: int


class RecordedBook:
    """A recording, `slot` steps of five minutes of it revealed."""

    def __init__(self, recording: Recording, *, spread_pct: float = 0.0) -> None:
        self.symbols = recording.symbols
        self.half_spread = spread_pct / 2
        self.start_ms, self.slots, self.bars = recording.start_ms, recording.slots, recording.bars
        self.slot = 0
        self._index = {symbol: index for index, symbol in enumerate(self.symbols)}
        self._past = recording.past
        self.tapes: Mapping[Tier, Tape] = {tier: _whole(table, len(self.symbols)) for tier, table in recording.tables.items()}
        self._closed = {tier: self._closings(tier) for tier in HIGHER_TIERS}
        self.closes = recording.closes
        # One number of it costs a fifth of what it costs through the array.
        self.flat_closes: memoryview[float] = self.closes.reshape(-1).data  # type: ignore[assignment]  # of an array of floats
        self._prices: dict[str, tuple[int, Price | None]] = {}
        self._moment = 0, from_ms(self.start_ms)

    @property
    def closed(self) -> str:
        """"", as of every replayed market: it takes orders."""
        return ""

    def _closings(self, tier: Tier) -> list[int]:
        """The slot at which each row of a higher tier has closed."""
        tape = self.tapes[tier]
        slots: list[int] = (-(-(tape.table[: tape.count, 0].astype(np.int64) + tier.ms - self.start_ms) // STEP_MS)).tolist()
        return slots

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
        close = self.close_of(index, self.slot)
        if close != close:
            return None
        half = close * self.half_spread
        return Quote(symbol, close - half, close + half, close, self._priced_at(index))

    def close_of(self, index: int, slot: int) -> float:
        """The newest close known at `slot` of the symbol at that place; NaN before there is any."""
        return self.flat_closes[index * (self.slots + 1) + slot]

    def price(self, symbol: str) -> Price | None:
        """The newest price as money; None before the first bar."""
        at, price = self._prices.get(symbol, (-1, None))
        if at != self.slot:
            close = self.close_of(self._index[symbol], self.slot)
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


def _whole(table: Table, symbols: int) -> Tape:
    tape = Tape(symbols, table)
    tape.count = len(table)
    return tape
