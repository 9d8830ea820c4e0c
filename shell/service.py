"""The shell of one account: start-up, steps, shutdown, and what it answers to tasks and people.

Complete by itself: it needs neither Prefect nor Telegram nor a model to trade safely (D1), and it is the only writer of the
trading database and the workspace (D11). The life of candidates is in `shell.desk`, which this class hands to its callers.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from shell.answers import ActiveStrategy, Promotion, Rerun, RerunState, ScanOutcome, Status
from shell.backtest.result import BacktestSettings
from shell.bar_keeper import BarKeeper
from shell.book_figures import performance_of, position_rows, record_snapshot
from shell.book_setup import new_engine
from shell.capital import allocated, heed_notes
from shell.config import Settings
from shell.engine import Engine
from shell.errors import NotNow
from shell.execution.client_id import NO_MARK
from shell.execution.record import StepRecord
from shell.home import Home
from shell.host.port import StrategySource
from shell.host.supervisor import HostedStrategy
from shell.live_value import live_equity
from shell.log import get_logger
from shell.main_book import ISOLATION_FACT, LIMITS_FACT, MAIN_BOOK
from shell.market.archive import Archive
from shell.market.book import MarketBook
from shell.market.tiers import aggregate_tiers
from shell.money import Price, QuoteAmount
from shell.notices.notices import Notices
from shell.portfolio.valuation import daily_loss, drawdown
from shell.promotion.reruns import Reruns, rerun_of
from shell.promotion.swap import recover, register_workspace, require_evidence
from shell.promotion.trials import PaperTrials
from shell.promotion.workspace import Workspace
from shell.risk.halts import Halt, HaltKind, after_lift
from shell.risk.limits import limits_hash
from shell.slots import Slots, newest_slot
from shell.staged_capital import StagedCapital
from shell.start_up import changed_limits, isolation_gap
from shell.step_log import log_step
from shell.store.candles import CandleStore
from shell.store.store import Store
from shell.trials.access import HistoryAccess
from shell.trials.candidate import Candidate
from shell.undumpable import make_undumpable
from shell.venue import GatewayMaker, MarketFacts, Venue
from shell.versions import Versions

__all__ = ["ISOLATION_FACT", "LIMITS_FACT", "MAIN_BOOK", "MarketFacts", "Shell"]

STATE_EVERY_SCANS = 12


class Shell:
    """One account's shell on one home."""

    def __init__(
        self,
        *,
        home: Home,
        settings: Settings,
        store: Store,
        candles: CandleStore,
        archive: Archive,
        market: MarketBook,
        venue: Venue,
    ) -> None:
        self.home = home
        self.config = settings
        self.store = store
        self.market = market
        self.workspace = Workspace(home.workspace)
        self.zone = ZoneInfo(settings.account.timezone)
        self.venue = venue
        self.facts = facts = venue.facts
        self.slots = Slots()
        self.notices = Notices(store, settings, MAIN_BOOK)
        self._candles = candles
        self._archive = archive
        self._keeper = BarKeeper(store, candles, market)
        self._scans_since_state = 0
        self.access = HistoryAccess(
            store, candles, archive, symbols=market.symbols, config=settings.orchestrator, source=facts.source,
            real=facts.real,
        )
        self.trials = PaperTrials(
            store, self.access, self._engine_for, self.backtest_settings(), settings.orchestrator.paper_trials_max,
            self.quarantine,
        )
        self._versions = Versions(
            store=store, workspace=self.workspace, trials=self.trials, host=settings.host, zone=self.zone,
            engine=lambda: self.engine, notify=self.notify, settings=settings,
        )
        self._reruns = Reruns(
            store, self.access, self.backtest_settings(), settings.gate, self.notify, self.quarantine
        )
        self._staged = StagedCapital(store, settings, self.zone)
        self.on_record: Callable[[StepRecord], None] = _unwatched
        """Told of every step of the main book, for a terminal."""
        self.keeps_time = False
        """True while the loop scans each slot at its moment."""
        self._engine: Engine | None = None
        self._now: datetime | None = None
        self.stepped: datetime | None = None
        """The slot that every book has been brought to in this process."""

    # -- life -----------------------------------------------------------------------------------------------------

    def start(self, now: datetime, *, announce: bool = True) -> list[str]:
        """The start-up sequence of the specification; returns sentences about what was found and mended.

        Raises NotNow in live mode where the strategy's process cannot be confined, and where the venue refuses the account.
        """
        make_undumpable()
        self._now = now
        gap = isolation_gap(self.store, self.config, now)
        probed = list(self.venue.probe(now))
        register_workspace(self.store, self.workspace, now)
        found = recover(self.store, self.workspace, now)
        active = self.store.strategies.active()
        self.store.fence.take(f"process {os.getpid()} on {socket.gethostname()}", now)
        self.store.books.ensure_capital(MAIN_BOOK, allocated(self.config), now)
        self._engine = self._engine_for(MAIN_BOOK, active.version, active.source, self.venue.gateway)
        self._staged.begin(active.version, now)
        problems = self.store.books.check(MAIN_BOOK)
        if problems:
            self._engine.halt(
                Halt(kind=HaltKind.BOOKS_DIFFER, book=MAIN_BOOK, sentence="; ".join(problems), raised_at=now)
            )
        reconciled = list(self.venue.reconcile(self._engine, now))
        self.heed_capital_notes(now)
        if (changed := changed_limits(self.store, self.config, now)) is not None:
            self._engine.halt(changed)
        self._follow_up(self._engine.assess(now), now)
        self.trials.resume(now)
        for sentence in found:
            self.notify("recovery", "warning", sentence, now)
        # What reconciliation found is told by itself, with what it changed.
        if gap:
            self.notify("isolation", "warning", f"paper only: {gap}", now)
        if announce:
            self.announce(now)
        return [*probed, *found, *problems, *reconciled, *([f"paper only: {gap}"] if gap else [])]

    def announce(self, now: datetime) -> str:
        """Say that the system is online, once everything that belongs to it is; returns the sentence."""
        return self.notices.online(self.status(), now)

    def step(self, now: datetime, *, origin: str, scan: bool = True) -> StepRecord:
        """Bring every book to `now`: the active strategy first, then the trials. Without `scan` nothing is asked."""
        engine = self.engine
        self.reach(now)
        self.heed_kill_request(now)
        self.heed_capital_notes(now)
        if scan:
            self._staged.apply(engine, now)
        record = engine.step(now, origin=origin, scan=scan)
        self._follow_up(record, now)
        self.trials.step(now, scan=scan)
        self.stepped = newest_slot(now)
        return record

    def reach(self, now: datetime) -> None:
        """It is `now`, whether anything happens or not. A moment before the newest one changes nothing."""
        if self._now is None or now > self._now:
            self._now = now

    def on_price(self, symbol: str, price: Price, at: datetime, *, trials: bool = True) -> None:
        """A live price, for every book that it concerns: match, protect, and watch the loss limits. Not `trials`: their prices
        come with the bars of a replay."""
        if symbol in self.engine.ledger.positions or self.engine.gateway.works_on(symbol):
            self._follow_up(self.engine.on_price(symbol, price, at), at)
        if trials:
            self.trials.on_price(symbol, price, at)

    def settle(self, now: datetime) -> None:
        """Book what the venue has told since the last time, and go on comparing the books with the account."""
        self._follow_up(self.engine.settle(now), now)
        self.venue.follow(self.engine, now)

    def symbols_concerned(self) -> frozenset[str]:
        """The symbols whose next price may move a book."""
        return frozenset((*self.engine.symbols_concerned(), *self.trials.symbols_concerned()))

    def shutdown(self, now: datetime) -> None:
        """Keep state, cancel resting entries, leave positions and their stops, stop all processes (specification)."""
        engine = self.engine
        self._versions.save_state(now)
        self.trials.keep_states(now)
        engine.cancel_entries("the system is shutting down", now)
        self.keep_bars()
        self.trials.close()
        self._reruns.close()
        engine.close()
        self.notices.stopped(now)

    def pause(self) -> None:
        """Keep the strategy's state and the bars after an ad hoc run; orders rest on, the next start takes them up."""
        self._versions.save_state(self.now)
        self.trials.keep_states(self.now)
        self.keep_bars()

    def close(self) -> None:
        """Stop all processes without the sequence, for an interrupted run: the books are whole after every step."""
        self.trials.close()
        self._reruns.close()
        if self._engine is not None:
            self._engine.close()

    @property
    def engine(self) -> Engine:
        if self._engine is None:
            raise NotNow("the shell has not been started")
        return self._engine

    @property
    def now(self) -> datetime:
        """The moment of the newest step."""
        if self._now is None:
            raise NotNow("the shell has not been started")
        return self._now

    # -- what it answers ------------------------------------------------------------------------------------------

    def backtest_settings(self) -> BacktestSettings:
        """The account and costs that backtests of candidates run under: the same as paper."""
        return BacktestSettings(
            cash=QuoteAmount(self.config.account.starting_cash), paper=self.config.paper, risk=self.config.risk,
            zone=self.zone, host=self.config.host,
        )

    def active_strategy(self) -> ActiveStrategy:
        row = self.store.strategies.active()
        return ActiveStrategy(version=row.version, hash=row.hash, source=row.source, since=row.promoted_at or self.now)

    def status(self) -> Status:
        """The shell's own account of itself."""
        engine = self.engine
        equity = live_equity(engine.ledger, self.market)
        marks = engine.marks
        stage = self._staged.stage(engine.config.version, self.now)
        return Status(
            mode=self.config.mode, now=self.now, halted=tuple(sorted(kind.value for kind in engine.halts)),
            cash=float(engine.ledger.cash), total_value=float(equity), starting_value=float(engine.ledger.capital),
            day_pnl=float(equity - marks.day_start) if marks else 0.0,
            drawdown_pct=float(drawdown(marks, equity)) if marks else 0.0, trades_closed=engine.ledger.trades_closed,
            positions=tuple(position_rows(engine, live=True)),
            active=self.active_strategy(), last_scan=engine.last_scan,
            scan_interval_minutes=engine.interval_minutes, capital_share_pct=float(stage.share), capital_days=stage.days,
            capital_days_needed=stage.days_needed,
        )

    def scan(self, slot: datetime) -> ScanOutcome:
        """Scan `slot`, or return what was stored when it has been scanned already.

        Raises NotNow for a slot that is not due, and while the loop keeps time: it scans each slot once its bars are in.
        """
        last = self.engine.last_scan
        if last is not None and slot <= last:
            return self.store.scans.outcome(MAIN_BOOK, slot)
        if self.keeps_time:
            raise NotNow(f"the slot {slot:%Y-%m-%d %H:%M} UTC has not been scanned: the shell does that by itself")
        record = self.step(slot, origin="requested")
        if record.scan is None:
            raise NotNow(f"no scan is due at {slot:%Y-%m-%d %H:%M} UTC: the interval is {self.engine.interval_minutes} min")
        return self.store.scans.outcome(MAIN_BOOK, record.scan.slot)

    def snapshot(self, now: datetime) -> Mapping[str, Any]:
        """Record the day's performance (23:55 local)."""
        taken = record_snapshot(self.store, self.engine, self.zone, now)
        self.notices.of_day(taken, now)
        self.keep_bars()
        return taken

    def performance(self, now: datetime) -> Mapping[str, Any]:
        """What the main book did so far, from its fills and equity marks."""
        return performance_of(self.store, self.engine, now)

    def update_fees(self, now: datetime) -> Mapping[str, Mapping[str, float]]:
        """The fee schedule in force: the account's own where the venue can be asked for it, else the configured one.

        Trials keep the configured one, which is what the backtest of their window is charged.
        """
        told = self.venue.fees(now)
        if told is not None:
            self.engine.config = replace(self.engine.config, fees={**self.facts.fees, **told})
        return {
            symbol: {"maker_pct": float(fee.maker_pct), "taker_pct": float(fee.taker_pct)}
            for symbol, fee in (told or self.facts.fees).items()
        }

    def aggregate(self, now: datetime) -> Mapping[str, int]:
        """Move candles down the tiers and into the archive; re-runnable."""
        self.keep_bars()
        return aggregate_tiers(self._candles, self._archive, now).as_dict()

    # -- changes of version ---------------------------------------------------------------------------------------

    def rerun(self, candidate: Candidate, now: datetime) -> Rerun:
        """Make a candidate's evidence again, beside trading while the loop keeps time. Raises Rejected for one that could not
        be promoted anyway."""
        if rerun_of(self.store, candidate.candidate_id).state is RerunState.RUNNING:
            require_evidence(self.store, candidate, self.config.gate)
        return self._reruns.ask(candidate, now, beside=self.keeps_time)

    def promote(self, candidate: Candidate, now: datetime) -> Promotion:
        """Promote in database and workspace, then swap the host between two scans."""
        return self._versions.promote(candidate, now)

    def abort_promotion(self, candidate_id: str, now: datetime) -> None:
        """Undo a promotion that was prepared and not committed, files included; nothing to do otherwise."""
        self._versions.abort_promotion(candidate_id, now)

    def rollback(self, reason: str, now: datetime) -> Promotion:
        """Go back to the version before; v000, which holds nothing, is the floor."""
        return self._versions.rollback(reason, now)

    def quarantine(self, source: StrategySource, name: str, sentence: str, now: datetime) -> None:
        """Code that tried what honest code never does never runs again; is it active, the version before takes over."""
        self._versions.quarantine(source, name, sentence, now)

    # -- halts ----------------------------------------------------------------------------------------------------

    def kill(self, reason: str, now: datetime) -> None:
        """The kill switch: no opening order leaves until a person lifts it; resting entries are cancelled."""
        self.engine.halt(Halt(kind=HaltKind.KILL_SWITCH, book=MAIN_BOOK, sentence=reason, raised_at=now))
        self.notices.catch_up(now)

    def lift(self, kind: HaltKind, by: str, now: datetime) -> None:
        """A person lifts a halt."""
        with self.store.transaction():
            self.store.halts.lift(kind, MAIN_BOOK, by, now)
            if self.engine.marks is not None:
                _, marks = after_lift(kind, self.engine.ledger, self.engine.marks, self.engine.equity())
                self.store.books.save_marks(MAIN_BOOK, marks)
            if kind is HaltKind.LIMITS_CHANGED:
                self.store.facts.set(LIMITS_FACT, limits_hash(self.config.risk))
        # In memory only once it is on disk: unhalted here and halted there would be the wrong way round.
        self.engine.lift(kind)
        self.notify("halt", "info", f"{kind.value} lifted by {by}", now)

    def notify(self, kind: str, severity: str, text: str, now: datetime, *, action: str = "", key: str = "") -> None:
        """Write a message for people down; see `Notices.notify`."""
        self.notices.notify(kind, severity, text, now, action=action, key=key)

    # -- inside ---------------------------------------------------------------------------------------------------

    def _engine_for(
        self, book: str, version: str, source: StrategySource, gateway: GatewayMaker | None = None
    ) -> Engine:
        state = self.store.books.load(book)
        engine = new_engine(
            book=book, version=version, market=self.market, host=HostedStrategy(source, self.config.host),
            journal=self.store.journal(book), paper=self.config.paper, risk=self.config.risk,
            host_config=self.config.host, zone=self.zone, pairs=dict(self.facts.pairs), fees=dict(self.facts.fees),
            state=state, watched=dict(self.facts.watched or {}), gateway=gateway,
            mark=self.store.account.mark() if gateway is not None else NO_MARK,
        )
        saved = self.store.strategies.load_state(book, self.store.strategies.hash_of(source))
        engine.seat.restore(saved, state.recent_trades if state else [])
        return engine

    def _follow_up(self, record: StepRecord, now: datetime) -> None:
        log_step(record)
        self.on_record(record)
        self.notices.of_step(record, now)
        engine = self.engine
        if record.retried:
            get_logger().warning("asked once more in a fresh process", book=record.book, panic=record.retried)
        if record.attempt:
            self._versions.quarantine_active(record.attempt, now)
        elif engine.faults_in_row >= self.config.host.max_consecutive_faults:
            self._versions.retire_broken(now)
        elif engine.marks is not None:
            loss = daily_loss(engine.marks, live_equity(engine.ledger, self.market))
            if loss >= self.config.risk.rollback_daily_loss_pct:
                self._versions.retire_losing(float(loss), now)
        if record.scan is not None:
            self._scans_since_state += 1
            if self._scans_since_state >= STATE_EVERY_SCANS:
                self._scans_since_state = 0
                self._versions.save_state(now)
                self.trials.keep_states(now)
                self.keep_bars()

    def heed_capital_notes(self, now: datetime) -> None:
        """`brain capital` leaves notes in the home, for the same reason."""
        heed_notes(
            self.home, self.store, self.engine, quote=self.config.account.quote, live=self.venue.gateway is not None,
            notify=self.notify, now=now,
        )

    def heed_kill_request(self, now: datetime) -> None:
        """`brain kill` beside a running shell leaves a note in the home, because only the shell writes the database."""
        note = self.home.kill_file
        if note.is_file():
            self.kill(note.read_text(encoding="utf-8", errors="replace").strip() or "asked for by the operator", now)
            note.unlink(missing_ok=True)

    def keep_bars(self) -> None:
        """Write the 5-minute bars revealed since the last time into the candle store."""
        self._keeper.keep(self.now)


def _unwatched(_record: StepRecord) -> None:
    """Nobody looks."""
