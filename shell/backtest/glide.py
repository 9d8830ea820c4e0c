"""Gliding: the slots of a backtest at which nothing can happen but a quiet scan are passed without stepping the engine.

Which they are is arithmetic on bars that the parent holds and the strategy does not: no order works, no bar touches a
protective level, no local day begins, no loss limit is reached. Where the strategy has signals at such a slot, its scan is
all there is to do. Everything else is the engine's own step, so a run that glides and a run that steps through every slot
give the same books (tested); the strategy is asked at every slot either way.
"""

from __future__ import annotations

from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from shell.clock import local_day
from shell.engine import Engine
from shell.market.bars import Tier
from shell.market.recorded import RecordedBook
from shell.money import Price, QuoteAmount, decimal_of
from shell.portfolio.ledger import EquityMarks, Ledger, Position
from shell.risk.halts import HaltKind

MINUTES_PER_SLOT = 5
_HIGH, _LOW = 1, 2
_CHUNK_SLOTS = 256
# Floats find what comes near a limit or a peak; what is near is settled in Decimal.
_NEAR = 1e-9

Curve = NDArray[np.float64]
_highest = np.maximum.reduce


class _Touch(NamedTuple):
    """The first slot whose bar reaches one of two levels if `hit`, else how far none does; `low` and `high` are the levels."""

    stop_loss: Price | None
    take_profit: Price | None
    low: float
    high: float
    slot: int
    hit: bool


class _Held(NamedTuple):
    """A position as the curve needs it: its symbol's place in the book, and its quantity."""

    position: Position
    at: int
    qty: float


class Glide:
    """Where one engine may glide over one recorded book, and what its books are worth on the way."""

    def __init__(self, engine: Engine, book: RecordedBook, zone: ZoneInfo) -> None:
        self._engine, self._book = engine, book
        tape = book.tapes[Tier.M5]
        count = len(book.symbols)
        self._index = {symbol: at for at, symbol in enumerate(book.symbols)}
        # [symbol, slot - 1]: the extremes of the bar that closes at that slot, NaN where there is none.
        self._lows = tape.table[:, 1 + _LOW * count : 1 + (_LOW + 1) * count].T
        self._highs = tape.table[:, 1 + _HIGH * count : 1 + (_HIGH + 1) * count].T
        self._days, self._day = _day_starts(book, zone), 0
        self._touches: dict[str, _Touch] = {}
        limits = engine.config.risk
        self._daily_kept, self._kept = 1 - float(limits.max_daily_loss_pct), 1 - float(limits.max_drawdown_pct)
        self._ledger: Ledger | None = None
        self._cash, self._held = 0.0, list[_Held]()
        self._marks: EquityMarks | None = None
        self._day_start = self._peak = 0.0

    def every(self) -> int | None:
        """Slots from one scan to the next; None where scans do not fall on whole slots."""
        minutes = self._engine.interval_minutes
        if minutes <= MINUTES_PER_SLOT:
            return 1
        return minutes // MINUTES_PER_SLOT if minutes % MINUTES_PER_SLOT == 0 else None

    def first_due(self, slot: int, every: int) -> int:
        """The first slot from `slot` on at which a scan is due."""
        beside = (self._book.start_ms // Tier.M5.ms + slot) % every
        return slot if not beside else slot + every - beside

    def quiet_until(self, slot: int, last: int) -> int:
        """The first slot from `slot` on, at most `last`, at which the engine itself must step."""
        engine = self._engine
        if engine.gateway.open_orders() or not engine.seat.can_roll(engine.ledger, engine.marks):
            return slot
        while self._days[self._day] < slot:
            self._day += 1
        stop = min(last, self._days[self._day])
        for symbol, position in engine.ledger.positions.items():
            stop = min(stop, self._touched(symbol, position, slot, stop))
            if stop <= slot:
                return slot
        return self._halted(slot, stop) if engine.ledger.positions else stop

    def values(self, begin: int, end: int) -> Curve | float:
        """What the books are worth at slots [begin, end) as they stand now, in float, position by position: one number
        where they are worth the same throughout, or for one slot."""
        self._read()
        if end - begin == 1:
            # The same sums in the same order as below.
            worth = self._cash
            for held in self._held:
                worth += held.qty * self._book.close_of(held.at, begin)
            return worth
        total: Curve | float = self._cash
        closes = self._book.closes
        for held in self._held:
            total = total + held.qty * closes[held.at, begin:end]
        return total

    def write(self, begin: int, end: int, curve: Curve) -> None:
        """Put the books' worth at slots [begin, end) into `curve`."""
        if end - begin == 1:
            curve[begin] = self.values(begin, end)
        else:
            curve[begin:end] = self.values(begin, end)

    def passed(self, begin: int, end: int, curve: Curve, *, due: bool = False) -> None:
        """Tell the engine that slots [begin, end) were quiet, but for the scan of the last one if it is `due`, and write what
        the books were worth into `curve`."""
        if begin >= end:
            return
        worth = self.values(begin, end)
        curve[begin:end] = worth
        engine = self._engine
        peak = None
        if engine.ledger.positions and engine.marks is not None:
            highest = worth if isinstance(worth, float) else float(_highest(worth))
            if highest >= self._peak * (1 - _NEAR):
                near = np.flatnonzero(np.atleast_1d(worth) >= highest * (1 - _NEAR))
                peak = max((self._exactly(begin + int(at)) for at in near), key=lambda each: each.value)
        engine.passed(self._book.moment_of(end - 1), peak, due=due)

    def _read(self) -> None:
        """The books in float. Ledgers and marks never change: what is read from one holds until there is another."""
        ledger, marks = self._engine.ledger, self._engine.marks
        if ledger is not self._ledger:
            self._ledger, self._cash = ledger, float(ledger.cash.value)
            known = {held.position.symbol: held for held in self._held}
            self._held = []
            for symbol, position in sorted(ledger.positions.items()):
                held = known.get(symbol)
                if held is None or held.position is not position:
                    held = _Held(position, self._index[symbol], float(position.qty.value))
                self._held.append(held)
        if marks is not self._marks and marks is not None:
            self._marks, self._day_start, self._peak = marks, float(marks.day_start.value), float(marks.peak.value)

    def _exactly(self, slot: int) -> QuoteAmount:
        total = self._engine.ledger.cash
        for symbol, position in self._engine.ledger.positions.items():
            close = float(self._book.closes[self._index[symbol], slot])
            total = total + position.qty.times(Price(decimal_of(close)) if close == close else position.avg_entry)
        return total

    def _touched(self, symbol: str, position: Position, slot: int, stop: int) -> int:
        """The first slot from `slot` on whose bar reaches the position's stop or target; `stop` or later if none before."""
        stop_loss, take_profit = position.stop_loss, position.take_profit
        known = self._touches.get(symbol)
        if known is not None and known.stop_loss is stop_loss and known.take_profit is take_profit:
            if known.slot >= slot:
                if known.hit or known.slot >= stop:
                    return known.slot
                slot = known.slot
            low, high = known.low, known.high
        else:
            low = float("-inf") if stop_loss is None else float(stop_loss)
            high = float("inf") if take_profit is None else float(take_profit)
        at, last, hit = self._index[symbol], self._book.slots + 1, False
        # No bar closes at slot 0.
        slot = max(slot, 1)
        while slot < min(stop, last) and not hit:
            end = min(slot + _CHUNK_SLOTS, last)
            hits = (self._lows[at, slot - 1 : end - 1] <= low) | (self._highs[at, slot - 1 : end - 1] >= high)
            first = int(hits.argmax())
            hit = bool(hits[first])
            slot = slot + first if hit else end
        self._touches[symbol] = _Touch(stop_loss, take_profit, low, high, slot, hit)
        return slot

    def _halted(self, slot: int, stop: int) -> int:
        """The first slot before `stop` at which a loss limit may be reached."""
        self._read()
        halts = self._engine.halts
        daily = 0.0 if HaltKind.DAILY_LOSS in halts else self._day_start * self._daily_kept
        kept = 0.0 if HaltKind.DRAWDOWN in halts else self._kept
        if self._cash > daily * (1 + _NEAR) and not kept:
            # What is held is worth something: the limits lie below the cash alone.
            return stop
        worth = np.atleast_1d(self.values(slot, stop))
        floor: Curve | float = daily
        if kept:
            floor = np.maximum(np.maximum.accumulate(np.maximum(worth, self._peak)) * kept, daily)
        near = worth <= floor * (1 + _NEAR)
        first = int(near.argmax())
        return slot + first if near[first] else stop


def _day_starts(book: RecordedBook, zone: ZoneInfo) -> list[int]:
    """Slots at which a local day begins, the one after the last included as an end."""
    starts, slot = [], 0
    day = local_day(book.moment_of(0), zone)
    while slot <= book.slots:
        # Days are 23 to 25 hours long: look from hour to hour, then slot by slot.
        ahead = min(slot + 12, book.slots + 1)
        if ahead <= book.slots and local_day(book.moment_of(ahead), zone) == day:
            slot = ahead
            continue
        while slot < ahead:
            slot += 1
            if slot <= book.slots and local_day(book.moment_of(slot), zone) != day:
                day = local_day(book.moment_of(slot), zone)
                starts.append(slot)
                break
    return [*starts, book.slots + 1]
