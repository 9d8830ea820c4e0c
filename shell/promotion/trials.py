"""Paper trials: up to three candidates beside the active strategy, each with its own host, books and gateway (design 6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from shell.answers import Conformance, PaperTrial
from shell.backtest.driver import run_backtest
from shell.backtest.result import BacktestSettings
from shell.backtest.run import MemoryJournal
from shell.clock import local_day
from shell.engine import Engine
from shell.errors import BrainError, NotNow, StrategyFault
from shell.host.faults import attempt_of
from shell.host.port import StrategySource
from shell.measured_halts import measured_halts
from shell.money import Price
from shell.promotion.band import bar_moves, fill_band
from shell.promotion.conformance import compare, judge, judged, paper_stage
from shell.risk.halts import after_lift
from shell.store.store import Store
from shell.trials.access import HistoryAccess
from shell.trials.candidate import Stage, StageResult, Verdict
from shell.trials.change import change_shown

TRIAL_ORIGIN = "trial"
OPEN_STATES = ("running", "extended")

# Makes an engine for a trial's book: (book, version, source) -> Engine, resuming what the store knows of that book.
EngineMaker = Callable[[str, str, StrategySource], Engine]
# Told of a strategy that tried what honest code never does: (source, candidate, sentence, now). It ends the trial, too.
Catcher = Callable[[StrategySource, str, str, datetime], None]


@dataclass(slots=True)
class _Running:
    trial: PaperTrial
    engine: Engine
    source: StrategySource


class PaperTrials:
    """The trials of one shell."""

    def __init__(
        self, store: Store, access: HistoryAccess, make_engine: EngineMaker, settings: BacktestSettings, slots: int,
        caught: Catcher,
    ) -> None:
        self._store = store
        self._access = access
        self._make_engine = make_engine
        self._caught = caught
        self._settings = settings
        self._slots = slots
        self._running: dict[str, _Running] = {}
        self._today: date | None = None

    def resume(self, now: datetime) -> int:
        """Take up the trials that were running when the shell last stopped, but for code that was caught meanwhile."""
        for trial in self._store.paper.list():
            if trial.state in OPEN_STATES:
                candidate = self._store.candidates.get(trial.candidate_id)
                running = self._run(trial, candidate.proposal.source)
                found = self._store.strategies.quarantine_of(candidate.source_hash)
                if found is not None:
                    self._fail(running, str(found), now)
        return len(self._running)

    def start(self, candidate_id: str, now: datetime) -> PaperTrial:
        """Begin a trial at `now`, on the slot itself, as long as the change asks for: by its recorded class, and never less
        than what its difference from the active strategy shows. Raises NotNow when all slots are taken, Rejected for
        quarantined code."""
        if len(self._running) >= self._slots:
            raise NotNow(f"all {self._slots} paper slots are taken")
        candidate = self._store.candidates.get(candidate_id)
        self._store.strategies.require_trusted(candidate.source_hash)
        shown = change_shown(self._store.strategies.active().source, candidate.proposal.source)
        days = max(each.paper_days for each in (shown, candidate.change_class or shown))
        due_at = now + timedelta(days=days)
        with self._store.transaction():
            trial = self._store.paper.start(candidate_id, started_at=now, due_at=due_at)
            if trial.state not in OPEN_STATES:
                raise NotNow(f"the paper trial {trial.trial_id} of {candidate_id} has ended: it {trial.state}")
            self._store.books.ensure_capital(f"trial:{trial.trial_id}", self._settings.cash, now)
        running = self._run(trial, candidate.proposal.source)
        record = running.engine.step(now, origin=TRIAL_ORIGIN)
        if record.attempt:
            self._caught(running.source, candidate_id, record.attempt, now)
        return self._store.paper.get(trial.trial_id)

    def step(self, now: datetime, *, scan: bool = True) -> None:
        """Bring every trial to `now`; a local day that begins finds a trial's measured halts lifted."""
        day = local_day(now, self._settings.zone)
        for running in list(self._running.values()):
            if running.trial.trial_id not in self._running:
                continue
            record = running.engine.step(now, origin=TRIAL_ORIGIN, scan=scan)
            if record.attempt:
                self._caught(running.source, running.trial.candidate_id, record.attempt, now)
                continue
            if running.engine.faults_in_row >= self._settings.host.max_consecutive_faults:
                # So that a strategy that fails again and again does not hold up the others.
                engine = running.engine
                sentence = f"the strategy failed {engine.faults_in_row} times in a row: {engine.last_fault}"
                self._fail(running, sentence, now)
                continue
            # Not at the first step after a start: a restart in the middle of a day is not the beginning of one.
            if self._today is not None and day != self._today:
                self._lift(running, now)
        self._today = day

    def on_price(self, symbol: str, price: Price, at: datetime) -> None:
        """A live price, for every trial that it concerns."""
        for running in list(self._running.values()):
            if symbol in running.engine.symbols_concerned():
                running.engine.on_price(symbol, price, at)

    def symbols_concerned(self) -> set[str]:
        """Every symbol of which a trial has a position or a working order."""
        return {symbol for running in self._running.values() for symbol in running.engine.symbols_concerned()}

    def _lift(self, running: _Running, now: datetime) -> None:
        engine, book = running.engine, f"trial:{running.trial.trial_id}"
        for kind in measured_halts(engine):
            with self._store.transaction():
                self._store.halts.lift(kind, book, TRIAL_ORIGIN, now)
                if engine.marks is not None:
                    _, marks = after_lift(kind, engine.ledger, engine.marks, engine.equity())
                    self._store.books.save_marks(book, marks)
            engine.lift(kind)

    def expel(self, hash: str, sentence: str, now: datetime) -> None:
        """End every trial of this code at once."""
        for running in list(self._running.values()):
            if self._store.strategies.hash_of(running.source) == hash:
                self._fail(running, sentence, now)

    def _fail(self, running: _Running, sentence: str, now: datetime) -> None:
        trial = running.trial
        with self._store.transaction():
            if self._store.candidates.get(trial.candidate_id).verdict is Verdict.PENDING:
                stage = StageResult(stage=Stage.PAPER, passed=False, reasons=(sentence,), inputs={"trial": trial.trial_id})
                self._store.candidates.record_stage(trial.candidate_id, stage, now)
            self._store.paper.update(trial.trial_id, result={"reasons": [sentence]}, at=now)
            self.end(trial.trial_id, "failed", now)

    def open(self) -> Sequence[PaperTrial]:
        return [running.trial for running in self._running.values()]

    def settle(self, trial_id: str, now: datetime) -> Conformance:
        """Judge a trial that is due: compare it with a certified backtest of the same window, then end or extend it.

        Of one that was judged already the judgement is returned again: a night and a candidate's own run may both ask.
        """
        running = self._running.get(trial_id)
        trial = running.trial if running is not None else self._store.paper.get(trial_id)
        if running is None or now < trial.due_at:
            told = self._store.paper.result(trial_id)
            if told is not None:
                return judged(trial, told)
            if running is None:
                raise NotNow(f"paper trial {trial_id} is not running")
            raise NotNow(f"paper trial {trial_id} is due at {trial.due_at:%Y-%m-%d %H:%M} UTC")
        expected, moves, fault = self._expected(running, now)
        answers, fills, scans, faults = self._store.paper.facts_of(f"trial:{trial_id}", before=now)
        comparison = compare(
            scans, (answers, fills),
            ([each for each in expected.answers if each.decided_at < now],
             [each for each in expected.fills if each.filled_at < now]),
        )
        band = fill_band(moves, comparison.fills_equal)
        judgement = judge(comparison, started_at=trial.started_at, now=now, faults=faults, band=band)
        reasons = (*judgement.reasons, f"the backtest of the trial's window failed: {fault}") if fault else judgement.reasons
        passed = judgement.passed and not fault
        conformance = Conformance(
            trial_id=trial_id, passed=passed, extended_until=None if fault else judgement.extended_until, scans=scans,
            signals_paper=comparison.signals_paper, signals_backtest=comparison.signals_backtest,
            signals_equal=comparison.signals_equal, fills_paper=comparison.fills_paper,
            fills_backtest=comparison.fills_backtest, fills_equal=comparison.fills_equal, reasons=reasons,
        )
        self._close_or_extend(running, conformance, now)
        if attempt_of(fault):
            self._caught(running.source, trial.candidate_id, attempt_of(fault), now)
        return conformance

    def end(self, trial_id: str, state: str, now: datetime) -> None:
        """Stop a trial and keep its books."""
        running = self._running.pop(trial_id, None)
        if running is not None:
            running.engine.close()
        self._store.paper.update(trial_id, state=state, at=now)

    def keep_states(self, now: datetime) -> None:
        """Keep what every trial's strategy wants kept, so that the next start goes on as if there had been none."""
        for running in list(self._running.values()):
            try:
                state = running.engine.seat.keep_state()
            except StrategyFault as fault:
                # The seat keeps the last state for every other fault.
                self._caught(running.source, running.trial.candidate_id, attempt_of(fault), now)
                continue
            if state is not None:
                book = f"trial:{running.trial.trial_id}"
                self._store.strategies.save_state(book, self._store.strategies.hash_of(running.source), state)

    def close(self) -> None:
        """Stop all processes; the trials go on after the next start."""
        for running in self._running.values():
            running.engine.close()
        self._running.clear()

    def _run(self, trial: PaperTrial, source: StrategySource) -> _Running:
        engine = self._make_engine(f"trial:{trial.trial_id}", trial.candidate_id, source)
        running = _Running(trial, engine, source)
        self._running[trial.trial_id] = running
        return running

    def _expected(self, running: _Running, now: datetime) -> tuple[MemoryJournal, NDArray[np.float64], BrainError | None]:
        """What a certified backtest of the trial's window does, and how the bars of that window moved."""
        journal = MemoryJournal()
        trial, moves = running.trial, np.empty(0)
        try:
            history = self._access.trial_history(trial.candidate_id, trial.started_at, now)
            moves = bar_moves(history, trial.started_at, now)
            run_backtest(
                running.source, history, start=trial.started_at, end=now, settings=self._settings, journal=journal
            )
        except BrainError as error:
            return journal, moves, error
        return journal, moves, None

    def _close_or_extend(self, running: _Running, conformance: Conformance, now: datetime) -> None:
        trial = running.trial
        numbers = {**asdict(conformance), "extended_until": None, "reasons": list(conformance.reasons)}
        if conformance.extended_until is not None:
            running.trial = self._store.paper.update(
                trial.trial_id, state="extended", due_at=conformance.extended_until, result=numbers, at=now
            )
            return
        with self._store.transaction():
            self._store.paper.update(trial.trial_id, result=numbers, at=now)
            self._store.candidates.record_stage(trial.candidate_id, paper_stage(conformance), now)
            self.end(trial.trial_id, "passed" if conformance.passed else "failed", now)
