"""A ShellClient over the past: it answers as the shell did that night, and keeps in memory what the night would write.

Selection and vault open for a candidate alone that is, to the byte, one that was let in that night: a replay shows what was
seen, and can never be a look that nobody counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from deployments.night_replay.past import Past
from deployments.night_replay.till import Till
from shell.answers import ActiveStrategy, VersionRow
from shell.backtest.result import BacktestSettings
from shell.config import Settings
from shell.errors import NotNow, Rejected
from shell.host.port import StrategySource
from shell.index.novelty import failed_ideas, repeat_of
from shell.market.history import History
from shell.model_calls import CallRequest, CallState, ModelCall, Spending, Usage
from shell.money import QuoteAmount
from shell.predictions import Grade, Prediction
from shell.store.canonical import canonical
from shell.store.strategies import Quarantined
from shell.trials.access import HistoryAccess
from shell.trials.budget import Budget
from shell.trials.candidate import Candidate, ChangeClass, Proposal, Stage, StageResult, TrialScore, Verdict, source_hash
from shell.trials.segments import Segment, SegmentName


class ReplayShell:
    """What `tasks.life.live` needs of a ShellClient; nothing of it reaches the store."""

    def __init__(
        self, past: Past, access: HistoryAccess, settings: Settings, came_of_it: Sequence[Candidate], budget: Budget | None,
        at: datetime, document: Callable[[], str], till: Till | None = None,
    ) -> None:
        """`document` gives the document of the night; `till` is where another provider's calls are paid."""
        self._past, self._access, self._settings = past, access, settings
        self._document, self._till = document, till
        self._predictions = past.predictions(at)
        self._caught = dict(past.caught())
        self.predicted: Prediction | None = None
        self._budget = budget
        self._recorded = {each.source_hash: each for each in came_of_it}
        self._waiting = [each.proposal for each in came_of_it if each.proposal.provider == "person"]
        self._candidates = {each.candidate_id: each for each in past.candidates()}
        self._scores = list(past.scores())
        self.caught: list[str] = []

    def settings(self) -> Settings:
        return self._settings

    def backtest_settings(self) -> BacktestSettings:
        settings = self._settings
        return BacktestSettings(
            cash=QuoteAmount(settings.account.starting_cash), paper=settings.paper, risk=settings.risk,
            zone=ZoneInfo(settings.account.timezone), host=settings.host,
        )

    def active_strategy(self) -> ActiveStrategy:
        return self._past.active()

    def strategy_index(self) -> Sequence[VersionRow]:
        return self._past.versions()

    def segments(self, now: datetime) -> Mapping[SegmentName, Segment]:
        return self._access.preview(now)

    def budget(self, now: datetime) -> Budget:
        """As it stood; raises NotNow where the record has none."""
        if self._budget is None:
            raise NotNow("the night's record holds no budget")
        return self._budget

    def history(self, segment: SegmentName, candidate_id: str | None, now: datetime) -> History:
        if segment is SegmentName.SEARCH:
            return self._access.segment_history(segment, None, now)
        candidate = self._candidates[str(candidate_id)]
        twin = self._recorded.get(candidate.source_hash)
        for stage in twin.stages if twin is not None else ():
            if stage.stage is Stage.BACKTEST and "budget" in stage.inputs:
                raise NotNow(str(stage.inputs["budget"]))
        original = twin.candidate_id if twin is not None else candidate.candidate_id
        return self._access.seen_before(segment, original, now)

    def submissions(self) -> Sequence[Proposal]:
        return list(self._waiting)

    def register_candidate(self, proposal: Proposal, now: datetime) -> Candidate:
        digest = source_hash(proposal.source)
        if digest in self._caught:
            raise Rejected(str(self._caught[digest]))
        repeat = repeat_of(proposal.source, failed_ideas(self._past.candidates()))
        if repeat is not None:
            raise Rejected(str(repeat))
        known = next(
            (each for each in self._candidates.values() if each.source_hash == digest and each.proposed_at == now), None
        )
        if known is not None:
            return known
        self._waiting = [each for each in self._waiting if each != proposal]
        name = f"c{len(self._candidates) + 1:04d}"
        self._candidates[name] = Candidate(
            candidate_id=name, proposed_at=now, proposal=proposal, source_hash=digest, change_class=None,
            stage=Stage.GENERATE, verdict=Verdict.PENDING, reasons=(),
        )
        return self._candidates[name]

    def candidate(self, candidate_id: str) -> Candidate:
        return self._candidates[candidate_id]

    def candidates(self) -> Sequence[Candidate]:
        return list(self._candidates.values())

    def record_stage(self, candidate_id: str, result: StageResult, now: datetime) -> None:
        candidate = self._candidates[candidate_id]
        if any(known.stage is result.stage for known in candidate.stages):
            return
        self._candidates[candidate_id] = replace(
            candidate, stages=(*candidate.stages, result), stage=result.stage, reasons=result.reasons,
            verdict=Verdict.PENDING if result.passed else Verdict.REFUSED,
        )

    def classify(self, candidate_id: str, change: ChangeClass) -> None:
        self._candidates[candidate_id] = replace(self._candidates[candidate_id], change_class=change)

    def record_score(self, score: TrialScore) -> None:
        if canonical(score) not in map(canonical, self._scores):
            self._scores.append(score)

    def scores(self, segment: SegmentName) -> Sequence[TrialScore]:
        return [score for score in self._scores if score.segment == segment.value]

    def record_searches(self, candidate_id: str | None, count: int, now: datetime) -> None:
        """A replayed look at the search segment shows nothing new, and is not counted again."""

    def last_search(self) -> datetime | None:
        return self._past.last_search()

    def quarantine(self, source: StrategySource, name: str, sentence: str, now: datetime) -> None:
        self.caught.append(f"{name}: {sentence}")
        digest = source_hash(source)
        self._caught.setdefault(digest, Quarantined(hash=digest, name=name, sentence=sentence, at=now))

    # -- what models are told, and what is asked of them ------------------------------------------------------------

    def document(self) -> str:
        return self._document()

    def predictions(self) -> Sequence[Prediction]:
        return list(self._predictions)

    def grade_prediction(self, night: str, grade: Grade, value: float | None, now: datetime) -> None:
        self._predictions = [
            replace(each, grade=grade, value=value, graded_at=now) if each.night == night else each
            for each in self._predictions
        ]

    def predict(self, prediction: Prediction) -> Prediction:
        self.predicted = prediction
        return prediction

    def record_role(self, night: str, place: str, told: Mapping[str, Any], now: datetime) -> None:
        """What a place of a replay had to work with is nobody's record."""

    def spending(self, night: str) -> Spending:
        return self._paying("spend").spending(night)

    def model_calls(self, night: str) -> Sequence[ModelCall]:
        return self._paying("ask").model_calls(night)

    def reserve_call(self, asked: CallRequest, now: datetime) -> ModelCall:
        return self._paying("pay").reserve_call(asked, now)

    def settle_call(
        self, call_id: str, state: CallState, now: datetime, usage: Usage | None = None,
        reply: Mapping[str, Any] | None = None, error: str = "",
    ) -> ModelCall:
        return self._paying("pay").settle_call(call_id, state, now, usage=usage, reply=reply, error=error)

    def _paying(self, doing: str) -> Till:
        if self._till is None:
            raise NotNow(f"a replay of the record does not {doing}")
        return self._till

    def __getattr__(self, name: str) -> Any:
        """What a night does besides is not replayed: trading, promotion, telling people."""
        raise NotNow(f"a replay does not {name.replace('_', ' ')}")
