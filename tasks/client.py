"""The ShellClient protocol: the only way a task reaches state (D11). In process here, a socket later; same methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from shell.answers import (
    ActiveStrategy,
    Conformance,
    EquityPoint,
    PaperTrial,
    Promotion,
    Rerun,
    ScanOutcome,
    Status,
    VersionRow,
)
from shell.backtest.result import BacktestSettings, History
from shell.config import Settings
from shell.host.port import StrategySource
from shell.model_calls import CallRequest, CallState, ModelCall, Spending, Usage
from shell.predictions import Grade, Prediction
from shell.trials.budget import Budget
from shell.trials.candidate import Candidate, ChangeClass, Proposal, StageResult, TrialScore
from shell.trials.segments import Segment, SegmentName

__all__ = [
    "ActiveStrategy",
    "Budget",
    "Conformance",
    "PaperTrial",
    "Promotion",
    "Rerun",
    "ScanOutcome",
    "Segment",
    "SegmentName",
    "ShellClient",
    "Status",
    "VersionRow",
]


class ShellClient(Protocol):
    """Reads may be retried by the caller. Writes are idempotent per (candidate, stage), slot, night or id."""

    def settings(self) -> Settings: ...
    def status(self) -> Status: ...
    def scan(self, slot: datetime) -> ScanOutcome: ...
    def snapshot(self, now: datetime) -> Mapping[str, Any]: ...
    def update_fees(self, now: datetime) -> Mapping[str, Mapping[str, float]]: ...
    def aggregate(self, now: datetime) -> Mapping[str, int]: ...
    def unreported_scans(self, now: datetime) -> Sequence[Mapping[str, Any]]: ...

    def mark_reported(self, slots: Sequence[datetime], now: datetime) -> None:
        """Say that these scans are in the conductor's history now."""

    def active_strategy(self) -> ActiveStrategy: ...
    def strategy_index(self) -> Sequence[VersionRow]: ...
    def document(self) -> str: ...
    def write_document(self, text: str, now: datetime) -> None:
        """Raises Rejected, and keeps the old one, for a text that is too long or holds what may not stand there."""

    def distil(self, now: datetime) -> Mapping[str, Any]:
        """The quarterly distillation; where nothing happened in the quarter that is over, it changes nothing."""

    def parity(self, now: datetime) -> Mapping[str, Any]:
        """Compare what the main book did since the last comparison with a second run of it: `compared` False, and the
        `reason`, where there was nothing to compare."""

    def performance(self, now: datetime) -> Mapping[str, Any]: ...

    def equity(self, since: datetime) -> Sequence[EquityPoint]:
        """The main book's equity from `since` on, thinned for a picture, in the account's currency."""

    def segments(self, now: datetime) -> Mapping[SegmentName, Segment]:
        """Raises DataError, with the days there are and the days needed, when history is too short."""

    def history(self, segment: SegmentName, candidate_id: str | None, now: datetime) -> History:
        """Candles up to the segment's end, warm-up before its start included. Selection and vault need a candidate_id and
        the look is logged. Selection raises NotNow when the quarter's search budget is spent; the vault gives one look
        each, to a candidate that was scored on selection, and raises NotNow otherwise."""

    def budget(self, now: datetime) -> Budget:
        """How many candidates this quarter may score. Raises DataError as `segments` does."""

    def backtest_settings(self) -> BacktestSettings: ...
    def submissions(self) -> Sequence[Proposal]:
        """Files people submitted that have not yet become candidates."""

    def register_candidate(self, proposal: Proposal, now: datetime) -> Candidate:
        """Raises Rejected for code in quarantine."""

    def candidate(self, candidate_id: str) -> Candidate: ...
    def candidates(self) -> Sequence[Candidate]: ...
    def record_stage(self, candidate_id: str, result: StageResult, now: datetime) -> None:
        """Append a stage. A failed stage, or a passed PROMOTE, ends the candidate."""

    def classify(self, candidate_id: str, change: ChangeClass) -> None: ...
    def record_score(self, score: TrialScore) -> None: ...
    def scores(self, segment: SegmentName) -> Sequence[TrialScore]: ...
    def record_searches(self, candidate_id: str | None, count: int, now: datetime) -> None: ...

    def last_search(self) -> datetime | None:
        """When the search segment was last looked at, whatever came of it."""

    def start_paper(self, candidate_id: str, now: datetime) -> PaperTrial:
        """Begin a paper trial where the shell stands, as long as the change asks for. Raises NotNow when all paper slots are
        taken."""

    def paper_trials(self) -> Sequence[PaperTrial]: ...
    def untold_trials(self, night: str) -> Sequence[PaperTrial]:
        """Trials that have ended and that no recorded night but `night` itself tells of."""

    def settle_paper(self, trial_id: str, now: datetime) -> Conformance:
        """Judge a trial that is due; of one that was judged already, the judgement. Raises NotNow for one not yet due."""
    def approval(self, candidate_id: str, now: datetime) -> str:
        """Whether a person lets this candidate be promoted: "approved", "rejected" or "waiting"; asks, once, who may say so."""

    def decide(self, candidate_id: str, approved: bool, by: str, now: datetime) -> str:
        """A person's word about this candidate, given on the conductor's page. Raises Rejected where the settings do not let
        it count, and NotNow when the candidate's life is over."""

    def take_request(self, flow: str, now: datetime) -> str:
        """Who asked for this flow by hand, once; "" when nobody did."""

    def run_again(self, candidate_id: str, now: datetime) -> Rerun:
        """Have the shell make a candidate's evidence once more; ask again while it runs. Raises Rejected for one that could
        not be promoted anyway."""

    def promote(self, candidate_id: str, now: datetime) -> Promotion: ...
    def abort_promotion(self, candidate_id: str, now: datetime) -> None: ...
    def rollback(self, reason: str, now: datetime) -> Promotion: ...

    def quarantine(self, source: StrategySource, name: str, sentence: str, now: datetime) -> None:
        """Code that tried what honest code never does never runs again, under no name: `name` is what it was caught as, a
        version or a candidate. Its candidates end; if it is active, the version before takes over."""

    def record_night_inputs(self, night: str, inputs: Mapping[str, Any], now: datetime) -> None:
        """Keep what a night's decision was taken on, so that it can be run again. The same again changes nothing."""

    def record_role(self, night: str, place: str, told: Mapping[str, Any], now: datetime) -> None:
        """Keep what a place of the night had to work with, so that it can be run again. The same again changes nothing."""

    def reserve_call(self, asked: CallRequest, now: datetime) -> ModelCall:
        """Write a call of a model down before it is made; an answered one of the same night and slot is returned instead.
        Raises NotNow when its price is not known, a cap would be broken, or it was sent often enough."""

    def settle_call(
        self, call_id: str, state: CallState, now: datetime, usage: Usage | None = None,
        reply: Mapping[str, Any] | None = None, error: str = "",
    ) -> ModelCall:
        """Complete a call, once. Raises Rejected when it is settled with another outcome."""

    def spending(self, night: str) -> Spending:
        """The night's money, and that of the calendar month it is now."""

    def model_calls(self, night: str) -> Sequence[ModelCall]: ...
    def predict(self, prediction: Prediction) -> Prediction:
        """Keep a night's prediction; the first of a night stays and is returned."""

    def predictions(self) -> Sequence[Prediction]: ...
    def grade_prediction(self, night: str, grade: Grade, value: float | None, now: datetime) -> None: ...

    def record_night(self, night: str, decision: Mapping[str, Any], now: datetime) -> None: ...
    def save_report(self, name: str, text: str) -> str: ...
    def notify(self, kind: str, severity: str, text: str, now: datetime, key: str = "") -> None:
        """Write a message for people. Of one `key` a message is told once within a day."""
