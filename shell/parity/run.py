"""Run a book's window again: the engine of the main book on recorded bars, from the mark on, in the strategy's own host."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from shell.backtest.result import BacktestSettings
from shell.backtest.run import MemoryJournal
from shell.book_setup import new_engine
from shell.errors import DataError, StrategyFault
from shell.exchange.gateway import FeeSchedule
from shell.execution.record import ScanDone, StepRecord
from shell.host.faults import ATTEMPT
from shell.host.frames import touches_frames
from shell.host.port import StrategySource
from shell.host.supervisor import HostedStrategy
from shell.market.history import History
from shell.market.pair import Pair
from shell.market.recorded import RecordedBook
from shell.market.recorder import recording_of
from shell.parity.compare import Run
from shell.parity.mark import owed_at
from shell.risk.approval import restored
from shell.risk.staged import WHOLE
from shell.store.books import BookState
from shell.store.order_rows import StoredOrder
from shell.store.parity import ParityMark

PARITY_ORIGIN = "parity"


@dataclass(slots=True)
class _Journal(MemoryJournal):
    scans: list[ScanDone] = field(default_factory=list)

    def record(self, step: StepRecord) -> None:
        # Not by super(): a slotted dataclass is made anew, and the name of the class inside is the old one.
        MemoryJournal.record(self, step)
        if step.scan is not None:
            self.scans.append(step.scan)


def on_paper(state: BookState) -> BookState:
    """The book as a paper gateway takes it up: the stops that a venue keeps are its own, on paper the monitor keeps them; and
    what has filled in part works on for the rest."""
    orders = [order for order in state.open_orders if order.intent.trigger is None]
    return replace(state, open_orders=[_rest_of(order) if order.filled_qty else order for order in orders])


def _rest_of(order: StoredOrder) -> StoredOrder:
    rest = replace(order.intent, qty=order.intent.qty - order.filled_qty)
    return replace(order, approved=restored(rest, order.approved.reserved))


def begun(source: StrategySource, settings: BacktestSettings, *, frames: bool | None = None) -> HostedStrategy:
    """The strategy's host for `run_again`, its process on the way; with polars in it if `frames`, by default as its text
    forecasts. Raises StrategyFault when no process can be started."""
    hosted = HostedStrategy(source, settings.host, frames=touches_frames(source) if frames is None else frames)
    hosted.prespawn()
    return hosted


def run_again(
    mark: ParityMark, state: BookState, hosted: HostedStrategy, history: History, until: datetime, *, book: str,
    settings: BacktestSettings, pairs: dict[str, Pair], fees: dict[str, FeeSchedule],
    share_at: Callable[[datetime], Decimal] = lambda _at: WHOLE,
) -> Run:
    """What the book does from the mark to `until` when it is run again, on the part of the capital that `share_at` tells of
    each moment; `hosted` is closed by then, unless there was nothing to run over. Raises DataError for a window without bars,
    StrategyFault when the strategy tries what honest code never does, and FramesWanted where this is to be forgotten and done
    anew in a host with frames."""
    spread = float(settings.paper.spread_pct) if settings.paper.slippage_pct else 0.0
    market = RecordedBook(recording_of(history, history.symbols, mark.at, until), spread_pct=spread)
    if not market.bars:
        raise DataError(f"there are no bars from {mark.at:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC to compare with")
    journal = _Journal()
    try:
        engine = new_engine(
            book=book, version=mark.version, market=market, host=hosted, journal=journal, paper=settings.paper,
            risk=settings.risk, host_config=settings.host, zone=settings.zone, pairs=pairs, fees=fees, state=on_paper(state),
        )
        engine.seat.restore(mark.rows["state"], state.recent_trades)
        for notice in owed_at(mark):
            engine.seat.hear(notice)
        for slot in range(1, market.slots + 1):
            moment = market.moment_of(slot)
            if (share := share_at(moment)) != engine.config.capital_share:
                engine.config = replace(engine.config, capital_share=share)
            record = engine.step(moment, origin=PARITY_ORIGIN)
            if record.attempt:
                raise StrategyFault(ATTEMPT, record.attempt)
    finally:
        hosted.close()
    fills = [fill for fill in journal.fills if mark.at <= fill.filled_at < until]
    return Run(scans=journal.scans, answers=journal.answers, fills=fills)
