"""One run of a strategy over its ground: the engine over recorded bars, in whatever process both are (D2, D3, D6).

Knows no frames: a locked process of a fast backtest has no library for them unless its strategy needs one.
"""

from __future__ import annotations

import contextlib
import gc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shell.backtest.glide import Glide
from shell.backtest.ground import Ground
from shell.backtest.metrics import compute_metrics, daily_returns
from shell.backtest.result import BacktestResult, BacktestSettings, EquityCurve
from shell.book_setup import fees_of, new_engine, pairs_at
from shell.clock import LocalDays, monotonic
from shell.engine import Engine
from shell.errors import StrategyFault
from shell.execution.record import StepRecord
from shell.host.faults import ATTEMPT
from shell.host.port import StrategyHost
from shell.market.bars import Tier
from shell.market.recorded import RecordedBook
from shell.measured_halts import lift_measured
from shell.orders import ApprovedOrder, Fill, SignalAnswer
from shell.portfolio.ledger import CapitalEvent, TradeClosed
from shell.risk.halts import Halt

STEP = timedelta(minutes=5)
BACKTEST_BOOK = "backtest"
PROGRESS_EVERY_STEPS = 2_000

Progress = Callable[[int, int], None]


def onwards(progress: Progress | None) -> Progress | None:
    """`progress` told only of what lies ahead of all it was told: a run that begins again is one run to who watches it."""
    furthest = -1

    def tell(done: int, total: int) -> None:
        nonlocal furthest
        if done > furthest and progress is not None:
            furthest = done
            progress(done, total)

    return None if progress is None else tell


@dataclass(slots=True)
class MemoryJournal:
    """Keeps in memory what a backtest needs of its steps."""

    fills: list[Fill] = field(default_factory=list)
    trades: list[TradeClosed] = field(default_factory=list)
    answers: list[SignalAnswer] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    halts: list[Halt] = field(default_factory=list)

    def write_ahead(self, orders: Sequence[ApprovedOrder]) -> None:
        """Nothing leaves a backtest, so nothing needs to be known before it does."""

    def record(self, step: StepRecord) -> None:
        self.fills += step.fills
        self.trades += step.trades
        self.answers += step.answers
        self.faults += step.faults
        self.halts += step.halts_raised

    def forget(self) -> None:
        """As if nothing had been kept so far."""
        for kept in (self.fills, self.trades, self.answers, self.faults, self.halts):
            kept.clear()


def run_over(
    ground: Ground, hosted: StrategyHost, *, settings: BacktestSettings, progress: Progress | None = None,
    kept: MemoryJournal | None = None, gliding: bool = True, begun: float,
) -> BacktestResult:
    """One run of whatever `hosted` holds, which is closed at its end; it counts from `begun`, by `shell.clock.monotonic`.

    Raises StrategyFault as `shell.backtest.driver.run_backtest` does, FramesWanted if it is not to count."""
    kept = kept or MemoryJournal()
    exact = not settings.paper.slippage_pct
    market = RecordedBook(ground.recording, spread_pct=0.0 if exact else float(settings.paper.spread_pct))
    try:
        engine = new_engine(
            book=BACKTEST_BOOK, version="candidate", market=market, host=hosted,
            journal=kept, paper=settings.paper, risk=settings.risk, host_config=settings.host, zone=settings.zone,
            pairs=pairs_at(ground.first_prices), fees=fees_of(market.symbols, settings.paper),
        )
        engine.add_capital(CapitalEvent(amount=settings.cash, at=ground.start, reason="backtest capital"))
        engine.start_host()
        with uncollected():
            curve = _drive(engine, market, settings.host.max_consecutive_faults, progress, gliding=gliding)
            return _result(engine, kept, curve, ground, settings, begun)
    finally:
        hosted.close()


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Without the cycle collector, which else looks through everything kept so far again and again: a fifth of a run. What
    a run drops it drops by counting references."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _drive(
    engine: Engine, book: RecordedBook, faults_max: int, progress: Progress | None, *, gliding: bool
) -> EquityCurve:
    # At the very end there is no later bar an order could fill in, so nothing is asked there any more.
    last = book.slots
    values = np.empty(last + 1)
    glide = Glide(engine, book, engine.config.zone)
    days = LocalDays(engine.config.zone)
    today = days.day_of(book.moment_of(0))
    slot = told = 0
    while slot <= last:
        slot, record = _pass_over(engine, book, glide, slot, last, values) if gliding else Passed(slot, None)
        if record is None:
            now = book.moment_of(slot)
            record = engine.step(now, origin="backtest", scan=slot < last)
            # The same as a paper trial: nobody watches this book, so each local day begins with its measured halts lifted.
            day = days.day_of(now)
            if day != today:
                today = day
                lift_measured(engine)
        if record.attempt:
            raise StrategyFault(ATTEMPT, record.attempt)
        if engine.faults_in_row >= faults_max:
            raise StrategyFault("error", f"the strategy failed {faults_max} times in a row: {engine.last_fault}")
        following = min(_following(engine, glide, slot, last), last + 1)
        glide.write(slot, following, values)
        slot = following
        if progress is not None and slot - told >= PROGRESS_EVERY_STEPS:
            told = slot
            progress(slot, last + 1)
    if progress is not None:
        progress(last + 1, last + 1)
    times = book.start_ms + Tier.M5.ms * np.arange(last + 1, dtype=np.int64)
    return EquityCurve(times_ms=times, values=values)


class Passed(NamedTuple):
    """The slot a glide ended at, and what was done there already: None where the engine must step."""

    slot: int
    record: StepRecord | None


def _pass_over(
    engine: Engine, book: RecordedBook, glide: Glide, slot: int, last: int, values: NDArray[np.float64]
) -> Passed:
    """Glide from `slot` as far as nothing happens. Where that ends with signals, the scan is all there is to do."""
    every = glide.every()
    stop = slot if every is None else glide.quiet_until(slot, last)
    if every is None or stop <= slot:
        return Passed(slot, None)
    due = glide.first_due(slot, every)
    reached = engine.seat.roll(due, stop, every).slot if due < stop else stop
    if reached < stop:
        glide.passed(slot, reached + 1, values, due=True)
        return Passed(reached, engine.scan(book.moment_of(reached), origin="backtest"))
    glide.passed(slot, stop, values)
    return Passed(stop, None)


def _following(engine: Engine, glide: Glide, slot: int, last: int) -> int:
    """The next slot at which anything can happen: with nothing held, working or halted, that is the next scan's."""
    every = glide.every()
    if not engine.idle or every is None:
        return slot + 1
    # The last slot is always stepped, so that the curve ends where the window does.
    return max(slot + 1, min(glide.first_due(slot + 1, every), last))


def _result(
    engine: Engine, kept: MemoryJournal, curve: EquityCurve, ground: Ground, settings: BacktestSettings, begun: float
) -> BacktestResult:
    metrics = compute_metrics(
        curve, kept.trades, fees_paid=float(engine.ledger.fees_paid), starting_cash=float(settings.cash),
        buy_and_hold_return_pct=ground.buy_and_hold_return_pct,
        open_since=[position.opened_at for position in engine.ledger.positions.values()],
    )
    return BacktestResult(
        metrics=metrics, fills=tuple(kept.fills), trades=tuple(kept.trades), curve=curve,
        daily_returns=daily_returns(curve), final_value=engine.equity(), bars=ground.recording.bars,
        steps=len(curve.values), signals=len(kept.answers),
        refusals=Counter(answer.code for answer in kept.answers if not answer.approved), faults=tuple(kept.faults),
        halts=Counter(halt.kind.value for halt in kept.halts),
        start=ground.start, end=ground.end, seconds=monotonic() - begun, certified=True,
    )
