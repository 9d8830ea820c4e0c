"""Changes of the active version of one shell: promotion, rollback and quarantine, each with the swap behind the books (D13)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from shell.answers import Promotion
from shell.clock import local_day
from shell.config import HostConfig, Settings
from shell.engine import Engine
from shell.errors import NotNow, Rejected, StrategyFault
from shell.host.faults import attempt_of
from shell.host.port import StrategySource
from shell.host.supervisor import HostedStrategy
from shell.main_book import MAIN_BOOK
from shell.promotion.permission import require_permission
from shell.promotion.quarantine import mark, replace_active
from shell.promotion.swap import FLOOR_VERSION, promote, roll_back
from shell.promotion.trials import PaperTrials
from shell.promotion.workspace import Workspace
from shell.risk.halts import Halt, HaltKind
from shell.store.store import Store
from shell.trials.candidate import Candidate


class Notify(Protocol):
    """Puts one message into the outbox."""

    def __call__(self, kind: str, severity: str, text: str, now: datetime) -> None: ...


class Versions:
    """The versions of one shell. `engine` gives the main book's, once there is one."""

    def __init__(
        self, *, store: Store, workspace: Workspace, trials: PaperTrials, host: HostConfig, zone: ZoneInfo,
        engine: Callable[[], Engine], notify: Notify, settings: Settings,
    ) -> None:
        self._store = store
        self._workspace = workspace
        self._trials = trials
        self._host = host
        self._zone = zone
        self._engine = engine
        self._notify = notify
        self._settings = settings

    def promote(self, candidate: Candidate, now: datetime) -> Promotion:
        """Promote in database and workspace, then swap the host between two scans.

        Raises NotNow while a person has to approve it, and Rejected as `promote` and `require_permission` do.
        """
        if self._store.promotions.committed(candidate.candidate_id) is None:
            require_permission(self._store, self._settings, candidate.candidate_id, now)
        try:
            promotion = promote(self._store, self._workspace, candidate, now, gate=self._settings.gate)
        except BaseException:
            self.abort_promotion(candidate.candidate_id, now)
            raise
        self._swap(now)
        told = f"{promotion.version} is active, in place of {promotion.previous} (candidate {promotion.candidate_id})"
        self._notify("promotion", "info", told, now)
        return promotion

    def abort_promotion(self, candidate_id: str, now: datetime) -> None:
        """Undo a promotion that was prepared and not committed, files included; nothing to do otherwise."""
        if self._store.promotions.abort(candidate_id):
            active = self._store.strategies.active()
            self._workspace.place(active.version, active.source)
            self._store.events.append("promotion_aborted", now, {"candidate": candidate_id})

    def rollback(self, reason: str, now: datetime) -> Promotion:
        """Go back to the version before; v000, which holds nothing, is the floor."""
        promotion = roll_back(self._store, self._workspace, reason, now)
        self._swap(now)
        told = f"rolled back from {promotion.previous} to {promotion.version}: {reason}"
        self._notify("rollback", "warning", told, now)
        return promotion

    def quarantine(self, source: StrategySource, name: str, sentence: str, now: datetime) -> None:
        """Code that tried what honest code never does never runs again; is it active, the version before takes over."""
        first = mark(self._store, self._trials, self._store.strategies.hash_of(source), name, sentence, now)
        try:
            promotion = replace_active(self._store, self._workspace, now)
        except Rejected as refusal:
            self._engine().halt(
                Halt(kind=HaltKind.STRATEGY_FAULTS, book=MAIN_BOOK, sentence=f"{sentence}; {refusal}", raised_at=now)
            )
            promotion = None
        if promotion is not None:
            self._swap(now)
        if first or promotion is not None:
            taken = f"; {promotion.version} is active in place of {promotion.previous}" if promotion else ""
            told = f"{name} tried what honest code never does and is in quarantine for good: {sentence}{taken}"
            self._notify("quarantine", "critical", told, now)

    def quarantine_active(self, sentence: str, now: datetime) -> None:
        version = self._engine().config.version
        self.quarantine(self._store.strategies.get(version).source, version, sentence, now)

    def retire_losing(self, loss: float, now: datetime) -> None:
        """Back to the version before, once a day: the loss of the day stays while it lasts, whoever is active. Where only
        the floor is below, the loss limits halt openings and a person decides."""
        row = self._store.strategies.active()
        if row.parent in ("", FLOOR_VERSION) or row.version == FLOOR_VERSION:
            return
        if row.promoted_at is not None and local_day(row.promoted_at, self._zone) == local_day(now, self._zone):
            return
        self.rollback(f"the day's loss reached {loss:.2%}", now)

    def retire_broken(self, now: datetime) -> None:
        engine = self._engine()
        count, fault = engine.faults_in_row, engine.last_fault
        try:
            self.rollback(f"the strategy failed {count} times in a row: {fault}", now)
        except NotNow:
            sentence = f"{count} faults in a row: {fault}"
            engine.halt(Halt(kind=HaltKind.STRATEGY_FAULTS, book=MAIN_BOOK, sentence=sentence, raised_at=now))
            engine.faults_in_row = 0

    def save_state(self, now: datetime) -> None:
        """Keep what the active strategy wants kept."""
        engine = self._engine()
        version = engine.config.version
        try:
            state = engine.seat.keep_state()
        except StrategyFault as fault:
            # The seat keeps the last state for every other fault.
            self.quarantine_active(attempt_of(fault), now)
            return
        if state is not None:
            self._store.strategies.save_state(MAIN_BOOK, self._store.strategies.get(version).hash, state)

    def _swap(self, now: datetime) -> None:
        self.save_state(now)
        engine, active = self._engine(), self._store.strategies.active()
        engine.cancel_entries(f"the strategy changes to {active.version}", now)
        state = self._store.strategies.load_state(MAIN_BOOK, active.hash)
        engine.attach(HostedStrategy(active.source, self._host), active.version, state)
