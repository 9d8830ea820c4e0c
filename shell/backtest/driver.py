"""The history driver: one certified backtest, the engine over recorded bars with the strategy in its host (D2, D3, D6).

The parent owns history, engine, ledger and clock; the child is fed bars as they close, so its memory never holds the future.
One fresh process a run: module globals of a strategy cannot carry anything from one window to the next.
"""

from __future__ import annotations

import contextlib
import gc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shell.backtest.glide import Glide
from shell.backtest.metrics import buy_and_hold_return, compute_metrics, daily_returns
from shell.backtest.result import BacktestResult, BacktestSettings, EquityCurve
from shell.book_setup import fees_of, new_engine, pairs_of
from shell.clock import LocalDays, from_ms, monotonic, to_ms
from shell.engine import Engine
from shell.errors import DataError, StrategyFault, UsageError
from shell.execution.record import StepRecord
from shell.host.faults import ATTEMPT
from shell.host.frames import FramesWanted, touches_frames
from shell.host.policy import require_policy
from shell.host.port import StrategyHost, StrategySource
from shell.host.supervisor import HostedStrategy
from shell.market.bars import Tier
from shell.market.book import period_of
from shell.market.history import History
from shell.market.recorded import RecordedBook
from shell.measured_halts import lift_measured
from shell.orders import ApprovedOrder, Fill, SignalAnswer
from shell.portfolio.ledger import CapitalEvent, TradeClosed
from shell.risk.halts import Halt

STEP = timedelta(minutes=5)
BACKTEST_BOOK = "backtest"
PROGRESS_EVERY_STEPS = 2_000

Progress = Callable[[int, int], None]


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


def run_backtest(
    source: StrategySource,
    history: History,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    settings: BacktestSettings,
    host: StrategyHost | None = None,
    progress: Progress | None = None,
    journal: MemoryJournal | None = None,
    gliding: bool = True,
) -> BacktestResult:
    """Run `source` over `history` from `start` to `end` (default: all of it); earlier bars are warm-up. Without `gliding`
    the engine steps through every slot: slower, with the same result. Without a `host`, the strategy has a process of its own.

    Raises StrategyRejected when the strategy may not run, StrategyFault when it breaks `max_consecutive_faults` times in a
    row, DataError when the window holds no bars, UsageError when it is reversed.
    """
    run = partial(
        _run, history=history, window=_window(history, start, end), settings=settings, progress=progress,
        kept=journal or MemoryJournal(), gliding=gliding, begun=monotonic(),
    )
    if host is not None:
        return run(host)
    require_policy(source)
    try:
        return run(_begun(source, settings, frames=touches_frames(source)))
    except FramesWanted:
        # Its text did not show it. All of that run is forgotten, and nothing of it was seen by anybody.
        run.keywords["kept"].forget()
    return run(_begun(source, settings, frames=True))


def _begun(source: StrategySource, settings: BacktestSettings, *, frames: bool) -> HostedStrategy:
    """The strategy's host, its process on the way while history is laid out."""
    hosted = HostedStrategy(source, settings.host, frames=frames)
    hosted.prespawn()
    return hosted


def _run(
    hosted: StrategyHost, *, history: History, window: tuple[datetime, datetime], settings: BacktestSettings,
    progress: Progress | None, kept: MemoryJournal, gliding: bool, begun: float,
) -> BacktestResult:
    """One run of whatever `hosted` holds, which is closed at its end. Raises FramesWanted if it is not to count."""
    start, end = window
    exact = not settings.paper.slippage_pct
    spread_pct = 0.0 if exact else float(settings.paper.spread_pct)
    try:
        market = RecordedBook(history, history.symbols, start, end, spread_pct=spread_pct)
        if not market.bars:
            raise DataError(f"there are no bars between {start:%Y-%m-%d %H:%M} and {end:%Y-%m-%d %H:%M} UTC")
        engine = new_engine(
            book=BACKTEST_BOOK, version="candidate", market=market, host=hosted,
            journal=kept, paper=settings.paper, risk=settings.risk, host_config=settings.host, zone=settings.zone,
            pairs=pairs_of(history), fees=fees_of(history.symbols, settings.paper),
        )
        engine.add_capital(CapitalEvent(amount=settings.cash, at=start, reason="backtest capital"))
        engine.start_host()
        with uncollected():
            curve = _drive(engine, market, settings.host.max_consecutive_faults, progress, gliding=gliding)
    finally:
        hosted.close()
    return _result(engine, kept, curve, history, settings, start, end, market.bars, monotonic() - begun)


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


def _window(history: History, start: datetime | None, end: datetime | None) -> tuple[datetime, datetime]:
    first, last = period_of(history.m5.values())
    start, end = start or first, min(end, last) if end else last
    if start >= end:
        raise UsageError(
            f"the window from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC is empty; "
            f"the history runs from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}"
        )
    aligned = from_ms(-(-to_ms(start) // Tier.M5.ms) * Tier.M5.ms)
    return aligned, end


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
    engine: Engine, kept: MemoryJournal, curve: EquityCurve, history: History, settings: BacktestSettings,
    start: datetime, end: datetime, bars: int, seconds: float,
) -> BacktestResult:
    metrics = compute_metrics(
        curve, kept.trades, fees_paid=float(engine.ledger.fees_paid), starting_cash=float(settings.cash),
        buy_and_hold_return_pct=buy_and_hold_return(
            history, start, end, taker_fee_pct=float(settings.paper.taker_fee_pct)
        ),
        open_since=[position.opened_at for position in engine.ledger.positions.values()],
    )
    return BacktestResult(
        metrics=metrics, fills=tuple(kept.fills), trades=tuple(kept.trades), curve=curve,
        daily_returns=daily_returns(curve), final_value=engine.equity(), bars=bars,
        steps=len(curve.values), signals=len(kept.answers),
        refusals=Counter(answer.code for answer in kept.answers if not answer.approved), faults=tuple(kept.faults),
        halts=Counter(halt.kind.value for halt in kept.halts),
        start=start, end=end, seconds=seconds, certified=True,
    )
