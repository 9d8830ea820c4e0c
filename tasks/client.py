"""The ShellClient protocol: the only way a task reaches state (D11). In process here, a socket later; same methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from shell.backtest.result import BacktestSettings, History
from shell.config import Settings
from shell.host.port import StrategySource
from shell.trials.candidate import Candidate, ChangeClass, Proposal, StageResult, TrialScore
from shell.trials.segments import Segment, SegmentName

__all__ = [
    "ActiveStrategy",
    "Conformance",
    "PaperTrial",
    "Promotion",
    "ScanOutcome",
    "Segment",
    "SegmentName",
    "ShellClient",
    "Status",
    "VersionRow",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveStrategy:
    version: str
    hash: str
    source: StrategySource
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The shell's own account of itself; floats are for display."""

    mode: str
    now: datetime
    halted: tuple[str, ...]
    cash: float
    total_value: float
    starting_value: float
    day_pnl: float
    drawdown_pct: float
    trades_closed: int
    positions: tuple[Mapping[str, Any], ...]
    active: ActiveStrategy
    last_scan: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanOutcome:
    slot: datetime
    origin: str
    signals: int
    approved: int
    answers: tuple[Mapping[str, Any], ...]
    already_done: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperTrial:
    trial_id: str
    candidate_id: str
    started_at: datetime
    due_at: datetime
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Conformance:
    """Does paper do what the backtest said? Compared per scan and per fill over the trial's own window."""

    trial_id: str
    passed: bool
    extended_until: datetime | None
    scans: int
    signals_paper: int
    signals_backtest: int
    signals_equal: int
    fills_paper: int
    fills_backtest: int
    fills_equal: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    candidate_id: str
    version: str
    previous: str
    hash: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRow:
    """One row of the strategy index."""

    version: str
    hash: str
    parent: str
    hypothesis: str
    promoted_at: datetime | None
    state: str


class ShellClient(Protocol):
    """Reads may be retried by the caller. Writes are idempotent per (candidate, stage), slot, night or id."""

    def settings(self) -> Settings: ...
    def status(self) -> Status: ...
    def scan(self, slot: datetime) -> ScanOutcome: ...
    def snapshot(self, now: datetime) -> Mapping[str, Any]: ...
    def update_fees(self, now: datetime) -> Mapping[str, Mapping[str, float]]: ...
    def aggregate(self, now: datetime) -> Mapping[str, int]: ...
    def unreported_scans(self, now: datetime) -> Sequence[Mapping[str, Any]]: ...

    def active_strategy(self) -> ActiveStrategy: ...
    def strategy_index(self) -> Sequence[VersionRow]: ...
    def document(self) -> str: ...
    def write_document(self, text: str, now: datetime) -> None: ...
    def performance(self, now: datetime) -> Mapping[str, Any]: ...

    def segments(self, now: datetime) -> Mapping[SegmentName, Segment]:
        """Raises DataError, with the days there are and the days needed, when history is too short."""

    def history(self, segment: SegmentName, candidate_id: str | None, now: datetime) -> History:
        """Candles up to the segment's end, warm-up before its start included. The vault needs a candidate_id: one look
        each, logged; a second look raises NotNow."""

    def backtest_settings(self) -> BacktestSettings: ...
    def submissions(self) -> Sequence[Proposal]:
        """Files people submitted that have not yet become candidates."""

    def register_candidate(self, proposal: Proposal, now: datetime) -> Candidate: ...
    def candidate(self, candidate_id: str) -> Candidate: ...
    def candidates(self) -> Sequence[Candidate]: ...
    def record_stage(self, candidate_id: str, result: StageResult, now: datetime) -> None:
        """Append a stage. A failed stage, or a passed PROMOTE, ends the candidate."""

    def classify(self, candidate_id: str, change: ChangeClass) -> None: ...
    def record_score(self, score: TrialScore) -> None: ...
    def scores(self, segment: SegmentName) -> Sequence[TrialScore]: ...
    def record_searches(self, candidate_id: str | None, count: int, now: datetime) -> None: ...

    def start_paper(self, candidate_id: str, change: ChangeClass, now: datetime) -> PaperTrial:
        """Raises NotNow when all paper slots are taken."""

    def paper_trials(self) -> Sequence[PaperTrial]: ...
    def settle_paper(self, trial_id: str, now: datetime) -> Conformance: ...
    def promote(self, candidate_id: str, now: datetime) -> Promotion: ...
    def abort_promotion(self, candidate_id: str, now: datetime) -> None: ...
    def rollback(self, reason: str, now: datetime) -> Promotion: ...

    def record_night(self, night: str, decision: Mapping[str, Any], now: datetime) -> None: ...
    def save_report(self, name: str, text: str) -> str: ...
    def notify(self, kind: str, severity: str, text: str, now: datetime) -> None: ...
