"""The shell of one account: start-up, steps, shutdown, and what it answers to tasks and people.

Complete by itself: it needs neither Prefect nor Telegram nor a model to trade safely (D1), and it is the only writer of the
trading database and the workspace (D11). The life of candidates is in `shell.desk`, which this class hands to its callers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from shell.answers import ActiveStrategy, Promotion, ScanOutcome, Status
from shell.backtest.result import BacktestSettings
from shell.book_figures import performance_of, position_rows, record_snapshot
from shell.book_setup import new_engine
from shell.clock import local_day
from shell.config import Settings
from shell.engine import Engine
from shell.errors import NotNow, Rejected, StrategyFault
from shell.exchange.gateway import FeeSchedule
from shell.execution.record import StepRecord
from shell.home import Home
from shell.host.faults import attempt_of
from shell.host.isolation import isolation_is_complete
from shell.host.isolation_measure import measured_isolation
from shell.host.port import StrategySource
from shell.host.supervisor import HostedStrategy
from shell.log import get_logger
from shell.market.archive import Archive
from shell.market.bars import Tier
from shell.market.book import MarketBook
from shell.market.columns import to_frame
from shell.market.pair import Pair
from shell.market.tiers import aggregate_tiers
from shell.money import QuoteAmount
from shell.notices.notices import Notices
from shell.portfolio.valuation import daily_loss, drawdown
from shell.promotion.quarantine import mark, replace_active
from shell.promotion.swap import FLOOR_VERSION, promote, recover, register_workspace, roll_back
from shell.promotion.trials import PaperTrials
from shell.promotion.workspace import Workspace
from shell.risk.halts import Halt, HaltKind, after_lift
from shell.risk.limits import limits_hash
from shell.slots import Slots
from shell.step_log import log_step
from shell.store.candles import CandleStore
from shell.store.store import Store
from shell.trials.access import HistoryAccess
from shell.trials.candidate import Candidate
from shell.undumpable import make_undumpable

MAIN_BOOK = "main"
LIMITS_FACT = "risk_limits.hash"
ISOLATION_FACT = "host.isolation"
STATE_EVERY_SCANS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketFacts:
    """What the composition root knows of the market: pairs, fees, and whose prices these are."""

    pairs: Mapping[str, Pair]
    fees: Mapping[str, FeeSchedule]
    source: str
    real: bool


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
        facts: MarketFacts,
    ) -> None:
        self.home = home
        self.config = settings
        self.store = store
        self.market = market
        self.workspace = Workspace(home.workspace)
        self.zone = ZoneInfo(settings.account.timezone)
        self.facts = facts
        self.slots = Slots()
        self.notices = Notices(store, settings, MAIN_BOOK)
        self._candles = candles
        self._archive = archive
        self._bars_kept = market.cursor
        self._scans_since_state = 0
        self.access = HistoryAccess(
            store, candles, archive, symbols=market.symbols, config=settings.orchestrator, source=facts.source,
            real=facts.real,
        )
        self.trials = PaperTrials(
            store, self.access, self._engine_for, self.backtest_settings(), settings.orchestrator.paper_trials_max,
            self.quarantine,
        )
        self._engine: Engine | None = None
        self._now: datetime | None = None

    # -- life -----------------------------------------------------------------------------------------------------

    def start(self, now: datetime) -> list[str]:
        """The start-up sequence of the specification; returns sentences about what was found and mended.

        Raises NotNow in live mode where the strategy's process cannot be confined.
        """
        make_undumpable()
        self._now = now
        isolation_gap = self._measure_isolation(now)
        register_workspace(self.store, self.workspace, now)
        found = recover(self.store, self.workspace, now)
        active = self.store.strategies.active()
        self.store.books.ensure_capital(MAIN_BOOK, QuoteAmount(self.config.account.starting_cash), now)
        self._engine = self._engine_for(MAIN_BOOK, active.version, active.source)
        problems = self.store.books.check(MAIN_BOOK)
        if problems:
            self._engine.halt(
                Halt(kind=HaltKind.BOOKS_DIFFER, book=MAIN_BOOK, sentence="; ".join(problems), raised_at=now)
            )
        self._watch_limits(now)
        self._follow_up(self._engine.assess(now), now)
        self.trials.resume(now)
        for sentence in found:
            self.notify("recovery", "warning", sentence, now)
        if isolation_gap:
            self.notify("isolation", "warning", f"paper only: {isolation_gap}", now)
        self.notices.online(self.status(), now)
        return [*found, *problems, *([f"paper only: {isolation_gap}"] if isolation_gap else [])]

    def step(self, now: datetime, *, origin: str, scan: bool = True) -> StepRecord:
        """Bring every book to `now`: the active strategy first, then the trials. Without `scan` nothing is asked."""
        engine = self.engine
        self._now = now
        self._heed_kill_request(now)
        record = engine.step(now, origin=origin, scan=scan)
        self._follow_up(record, now)
        self.trials.step(now, scan=scan)
        return record

    def shutdown(self, now: datetime) -> None:
        """Keep state, cancel resting entries, leave positions and their stops, stop all processes (specification)."""
        engine = self.engine
        self._save_state()
        self.trials.keep_states(now)
        engine.cancel_entries("the system is shutting down", now)
        self.keep_bars()
        self.trials.close()
        engine.close()
        self.notices.stopped(now)

    def pause(self) -> None:
        """Keep the strategy's state and the bars after an ad hoc run; orders rest on, the next start takes them up."""
        self._save_state()
        self.trials.keep_states(self.now)
        self.keep_bars()

    def close(self) -> None:
        """Stop all processes without the sequence, for an interrupted run: the books are whole after every step."""
        self.trials.close()
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
        equity = engine.equity()
        marks = engine.marks
        return Status(
            mode=self.config.mode, now=self.now, halted=tuple(sorted(kind.value for kind in engine.halts)),
            cash=float(engine.ledger.cash), total_value=float(equity), starting_value=float(engine.ledger.capital),
            day_pnl=float(equity - marks.day_start) if marks else 0.0,
            drawdown_pct=float(drawdown(marks, equity)) if marks else 0.0, trades_closed=engine.ledger.trades_closed,
            positions=tuple(position_rows(engine)),
            active=self.active_strategy(), last_scan=engine.last_scan,
        )

    def scan(self, slot: datetime) -> ScanOutcome:
        """Scan `slot`, or return what was stored when it has been scanned already."""
        last = self.engine.last_scan
        if last is not None and slot <= last:
            return self.store.scans.outcome(MAIN_BOOK, slot)
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
        """The fee schedule in force. Without an exchange connection it is the configured one, and says so."""
        return {
            symbol: {"maker_pct": float(fee.maker_pct), "taker_pct": float(fee.taker_pct)}
            for symbol, fee in self.facts.fees.items()
        }

    def aggregate(self, now: datetime) -> Mapping[str, int]:
        """Move candles down the tiers and into the archive; re-runnable."""
        self.keep_bars()
        return aggregate_tiers(self._candles, self._archive, now).as_dict()

    # -- changes of version ---------------------------------------------------------------------------------------

    def promote(self, candidate: Candidate, now: datetime) -> Promotion:
        """Promote in database and workspace, then swap the host between two scans."""
        try:
            promotion = promote(self.store, self.workspace, candidate, now)
        except BaseException:
            self.abort_promotion(candidate.candidate_id, now)
            raise
        self._swap(now)
        self.notify(
            "promotion", "info",
            f"{promotion.version} is active, in place of {promotion.previous} (candidate {promotion.candidate_id})", now,
        )
        return promotion

    def abort_promotion(self, candidate_id: str, now: datetime) -> None:
        """Undo a promotion that was prepared and not committed, files included; nothing to do otherwise."""
        if self.store.promotions.abort(candidate_id):
            active = self.store.strategies.active()
            self.workspace.place(active.version, active.source)
            self.store.events.append("promotion_aborted", now, {"candidate": candidate_id})

    def rollback(self, reason: str, now: datetime) -> Promotion:
        """Go back to the version before; v000, which holds nothing, is the floor."""
        promotion = roll_back(self.store, self.workspace, reason, now)
        self._swap(now)
        self.notify(
            "rollback", "warning", f"rolled back from {promotion.previous} to {promotion.version}: {reason}", now
        )
        return promotion

    def quarantine(self, source: StrategySource, name: str, sentence: str, now: datetime) -> None:
        """Code that tried what honest code never does never runs again; is it active, the version before takes over."""
        first = mark(self.store, self.trials, self.store.strategies.hash_of(source), name, sentence, now)
        try:
            promotion = replace_active(self.store, self.workspace, now)
        except Rejected as refusal:
            self.engine.halt(
                Halt(kind=HaltKind.STRATEGY_FAULTS, book=MAIN_BOOK, sentence=f"{sentence}; {refusal}", raised_at=now)
            )
            promotion = None
        if promotion is not None:
            self._swap(now)
        if first or promotion is not None:
            taken = f"; {promotion.version} is active in place of {promotion.previous}" if promotion else ""
            told = f"{name} tried what honest code never does and is in quarantine for good: {sentence}{taken}"
            self.notify("quarantine", "critical", told, now)

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

    def _engine_for(self, book: str, version: str, source: StrategySource) -> Engine:
        state = self.store.books.load(book)
        engine = new_engine(
            book=book, version=version, market=self.market, host=HostedStrategy(source, self.config.host),
            journal=self.store.journal(book), paper=self.config.paper, risk=self.config.risk,
            host_config=self.config.host, zone=self.zone, pairs=dict(self.facts.pairs), fees=dict(self.facts.fees),
            state=state,
        )
        saved = self.store.strategies.load_state(book, self.store.strategies.hash_of(source))
        engine.seat.restore(saved, state.recent_trades if state else [])
        return engine

    def _swap(self, now: datetime) -> None:
        self._save_state()
        active = self.store.strategies.active()
        self.engine.cancel_entries(f"the strategy changes to {active.version}", now)
        state = self.store.strategies.load_state(MAIN_BOOK, active.hash)
        self.engine.attach(HostedStrategy(active.source, self.config.host), active.version, state)

    def _follow_up(self, record: StepRecord, now: datetime) -> None:
        log_step(record)
        self.notices.of_step(record, now)
        engine = self.engine
        if record.retried:
            get_logger().warning("asked once more in a fresh process", book=record.book, panic=record.retried)
        if record.attempt:
            self._quarantine_active(record.attempt, now)
        elif engine.faults_in_row >= self.config.host.max_consecutive_faults:
            self._retire_broken(now)
        elif engine.marks is not None:
            loss = daily_loss(engine.marks, engine.equity())
            if loss >= self.config.risk.rollback_daily_loss_pct:
                self._retire_losing(float(loss), now)
        if record.scan is not None:
            self._scans_since_state += 1
            if self._scans_since_state >= STATE_EVERY_SCANS:
                self._scans_since_state = 0
                self._save_state()
                self.trials.keep_states(now)
                self.keep_bars()

    def _retire_losing(self, loss: float, now: datetime) -> None:
        """Back to the version before, once a day: the loss of the day stays while it lasts, whoever is active. Where only
        the floor is below, the loss limits halt openings and a person decides."""
        row = self.store.strategies.active()
        if row.parent in ("", FLOOR_VERSION) or row.version == FLOOR_VERSION:
            return
        if row.promoted_at is not None and local_day(row.promoted_at, self.zone) == local_day(now, self.zone):
            return
        self.rollback(f"the day's loss reached {loss:.2%}", now)

    def _watch_limits(self, now: datetime) -> None:
        """Halt openings when the risk limits are not the ones a person last accepted."""
        present, accepted = limits_hash(self.config.risk), self.store.facts.get(LIMITS_FACT)
        if accepted is None:
            self.store.facts.set(LIMITS_FACT, present)
        elif accepted != present:
            sentence = "config/risk_limits.toml has changed; `brain resume LIMITS_CHANGED` accepts it"
            self.engine.halt(
                Halt(kind=HaltKind.LIMITS_CHANGED, book=MAIN_BOOK, sentence=sentence, raised_at=now)
            )

    def _heed_kill_request(self, now: datetime) -> None:
        """`brain kill` beside a running shell leaves a note in the home, because only the shell writes the database."""
        note = self.home.kill_file
        if note.is_file():
            self.kill(note.read_text(encoding="utf-8").strip() or "asked for by the operator", now)
            note.unlink(missing_ok=True)

    def _retire_broken(self, now: datetime) -> None:
        count, fault = self.engine.faults_in_row, self.engine.last_fault
        try:
            self.rollback(f"the strategy failed {count} times in a row: {fault}", now)
        except NotNow:
            self.engine.halt(
                Halt(kind=HaltKind.STRATEGY_FAULTS, book=MAIN_BOOK, sentence=f"{count} faults in a row: {fault}", raised_at=now)
            )
            self.engine.faults_in_row = 0

    def _quarantine_active(self, sentence: str, now: datetime) -> None:
        version = self.engine.config.version
        self.quarantine(self.store.strategies.get(version).source, version, sentence, now)

    def _measure_isolation(self, now: datetime) -> str:
        """Find out how well strategies are confined here and keep it for `brain status`; the sentence for what is missing."""
        try:
            isolation = measured_isolation(self.config.host)
        except StrategyFault as fault:
            isolation = {"absent": f"no process for a strategy could be started: {fault}"}
        self.store.facts.set(ISOLATION_FACT, isolation, now)
        gap = isolation_is_complete(isolation)
        if gap and self.config.mode == "live":
            raise NotNow(f"live mode is refused: {gap}")
        return gap

    def _save_state(self) -> None:
        version = self.engine.config.version
        try:
            state = self.engine.seat.keep_state()
        except StrategyFault as fault:
            # The seat keeps the last state for every other fault.
            self._quarantine_active(attempt_of(fault), self.now)
            return
        if state is not None:
            self.store.strategies.save_state(MAIN_BOOK, self.store.strategies.get(version).hash, state)

    def keep_bars(self) -> None:
        """Write the 5-minute bars revealed since the last time into the candle store."""
        rows: dict[str, list[tuple[float, ...]]] = {}
        for bar in self.market.bars_since(self._bars_kept):
            if bar.tier is Tier.M5:
                rows.setdefault(bar.symbol, []).append(
                    (bar.open_ms, bar.open, bar.high, bar.low, bar.close, bar.volume)
                )
        with self.store.transaction():
            for symbol, bars in rows.items():
                self._candles.add(symbol, Tier.M5, to_frame(np.array(bars, dtype=np.float64)))
        self._bars_kept = self.market.cursor
