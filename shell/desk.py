"""The shell's desk: everything a task may ask (the methods of `tasks.client.ShellClient`), answered in process.

The control API (`shell.control`) serves the same methods; nothing else of the shell is reachable from a flow (D11).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

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
from shell.backtest.result import BacktestSettings
from shell.by_hand import ByHand
from shell.clock import NEW_YORK, Clock, SystemClock, from_ms, local_day, to_ms
from shell.config import Settings
from shell.document.keeper import DocumentKeeper
from shell.errors import BadInput, NotNow, Rejected, UsageError
from shell.host.port import StrategySource
from shell.index.novelty import failed_ideas, repeat_of
from shell.market.bars import Tier
from shell.market.history import History
from shell.model_calls import CallRequest, CallState, ModelCall, Spending, Usage
from shell.notices.budget import BudgetNews
from shell.notices.kinds import Severity
from shell.parity.keeper import ParityParts, check_parity
from shell.predictions import Grade, Prediction
from shell.promotion.told import untold
from shell.report.series import downsample
from shell.service import MAIN_BOOK, Shell
from shell.slots import newest_slot
from shell.trials.budget import Budget
from shell.trials.candidate import Candidate, ChangeClass, Proposal, StageResult, TrialScore, source_hash
from shell.trials.scoring import require_score
from shell.trials.segments import Segment, SegmentName, quarter_name

PICTURE_POINTS = 400


class Desk:
    """One shell's desk."""

    def __init__(self, shell: Shell, wall: Clock | None = None) -> None:
        """`wall` tells in which calendar month money is spent; the machine's clock unless a test has its own."""
        self._shell = shell
        self._wall = wall or SystemClock()
        self._store = shell.store
        self._document = DocumentKeeper(shell.store, shell.workspace)
        self._budget_news = BudgetNews(shell.store, shell.config.ai, shell.notify)

    @property
    def shell(self) -> Shell:
        """For questions of the companions', which run on the trading thread as the desk's own answers do."""
        return self._shell

    def settings(self) -> Settings:
        return self._shell.config

    def status(self) -> Status:
        return self._shell.status()

    def scan(self, slot: datetime) -> ScanOutcome:
        return self._shell.scan(slot)

    def snapshot(self, now: datetime) -> Mapping[str, Any]:
        return self._shell.snapshot(now)

    def update_fees(self, now: datetime) -> Mapping[str, Mapping[str, float]]:
        return self._shell.update_fees(now)

    def aggregate(self, now: datetime) -> Mapping[str, int]:
        return self._shell.aggregate(now)

    def unreported_scans(self, now: datetime) -> Sequence[Mapping[str, Any]]:
        """Scans the shell made on its own since no flow had registered for their slot."""
        rows = self._store.scans.unreported(MAIN_BOOK, ["fallback"])
        return [{"slot": row.slot, "origin": row.origin, "signals": row.signals} for row in rows if row.slot < now]

    def mark_reported(self, slots: Sequence[datetime], now: datetime) -> None:
        """These scans are in the conductor's history now."""
        self._store.scans.mark_reported(MAIN_BOOK, slots, now)

    def active_strategy(self) -> ActiveStrategy:
        return self._shell.active_strategy()

    def strategy_index(self) -> Sequence[VersionRow]:
        return [
            VersionRow(
                version=row.version, hash=row.hash, parent=row.parent, hypothesis=row.hypothesis,
                promoted_at=row.promoted_at, state=row.state,
            )
            for row in self._store.strategies.list()
        ]

    def document(self) -> str:
        return self._document.text()

    def write_document(self, text: str, now: datetime) -> None:
        """Raises Rejected, keeps the old one and tells the operator, for a text that may not stand there."""
        try:
            self._document.write(text, now)
        except Rejected as refusal:
            self._shell.notify("document", "warning", str(refusal), now)
            raise

    def distil(self, now: datetime) -> Mapping[str, Any]:
        """The quarterly distillation of the document."""
        return self._document.distil(now)

    def parity(self, now: datetime) -> Mapping[str, Any]:
        """Compare what the main book did since the last time with a second run of it over the same bars.

        Up to the slot the books stand at, which is what a mark holds: a night may come to this an hour after its `now`, and a
        run by hand is for a moment that is no slot.
        """
        self._shell.keep_bars()
        until = self._shell.stepped or newest_slot(now)
        return check_parity(
            ParityParts(
                store=self._store, engine=self._shell.engine, history=self._shell.access.lived_history,
                settings=self._shell.backtest_settings(), pairs=self._shell.facts.pairs, fees=self._shell.facts.fees,
                notify=self._shell.notify,
            ),
            until,
        )

    def performance(self, now: datetime) -> Mapping[str, Any]:
        return self._shell.performance(now)

    def equity(self, since: datetime) -> Sequence[EquityPoint]:
        """The main book's equity from `since` on, thinned for a picture, in the account's currency."""
        marks = self._store.history.equity(MAIN_BOOK, since)
        shown = downsample([(at, float(value)) for at, value in marks], PICTURE_POINTS)
        return [EquityPoint(at=at, value=value) for at, value in shown]

    def segments(self, now: datetime) -> Mapping[SegmentName, Segment]:
        self._require_reached(now)
        self._shell.keep_bars()
        return self._shell.access.segments(now)

    def budget(self, now: datetime) -> Budget:
        self._require_reached(now)
        return self._shell.access.budget(now)

    def history(self, segment: SegmentName, candidate_id: str | None, now: datetime) -> History:
        self._require_reached(now)
        return self._shell.access.segment_history(segment, candidate_id, now)

    def backtest_settings(self) -> BacktestSettings:
        return self._shell.backtest_settings()

    def submissions(self) -> Sequence[Proposal]:
        return [waiting.proposal for waiting in self._store.candidates.pending()]

    def register_candidate(self, proposal: Proposal, now: datetime) -> Candidate:
        """Raises Rejected for code in quarantine and for an idea that failed before; a submission of it waits no longer."""
        digest = source_hash(proposal.source)
        caught = self._store.strategies.quarantine_of(digest)
        if caught is not None:
            self._refuse_submissions(digest, now)
            raise Rejected(str(caught))
        tonight = local_day(now, NEW_YORK)
        # Of tonight it is the same step made again, which finds its candidate.
        earlier = [
            each for each in failed_ideas(self._store.candidates.list())
            if each.source_hash != digest or local_day(each.proposed_at, NEW_YORK) != tonight
        ]
        repeat = repeat_of(proposal.source, earlier)
        if repeat is not None:
            with self._store.transaction():
                self._refuse_submissions(digest, now)
                told = {"source_hash": digest, "provider": proposal.provider, "repeats": repeat.candidate_id}
                self._store.events.append("repeat_refused", now, {**told, "likeness": repeat.likeness})
            raise Rejected(str(repeat))
        return self._store.candidates.register(proposal, now)

    def _refuse_submissions(self, digest: str, now: datetime) -> None:
        for waiting in self._store.candidates.pending():
            if source_hash(waiting.proposal.source) == digest:
                self._store.candidates.mark_taken(waiting.submission_id, now)

    def candidate(self, candidate_id: str) -> Candidate:
        return self._store.candidates.get(candidate_id)

    def candidates(self) -> Sequence[Candidate]:
        return self._store.candidates.list()

    def record_stage(self, candidate_id: str, result: StageResult, now: datetime) -> None:
        self._store.candidates.record_stage(candidate_id, result, now)

    def classify(self, candidate_id: str, change: ChangeClass) -> None:
        self._store.candidates.classify(candidate_id, change)

    def record_score(self, score: TrialScore) -> None:
        """Raises Rejected for a score on selection of a candidate that was not let onto that segment in that quarter, and for
        one that is not true to what the shell knows; UsageError for one of a moment that has not come."""
        self._require_reached(score.scored_at)
        if score.segment == SegmentName.SELECTION.value:
            quarter = quarter_name(score.scored_at)
            if score.candidate_id not in {look.candidate_id for look in self._store.looks.selection_looks(quarter)}:
                raise Rejected(
                    f"{score.candidate_id} was never given the selection segment of {quarter}, so this is no score of it"
                )
            candidate = self._store.candidates.get(score.candidate_id)
            segment, data = self._shell.access.selection_scored(score.scored_at)
            require_score(score, candidate, segment, data)
        self._store.candidates.record_score(score)

    def scores(self, segment: SegmentName) -> Sequence[TrialScore]:
        return self._store.candidates.scores(segment.value)

    def record_searches(self, candidate_id: str | None, count: int, now: datetime) -> None:
        self._store.candidates.record_searches(candidate_id, count, now)

    def last_search(self) -> datetime | None:
        return self._store.candidates.last_search()

    def start_paper(self, candidate_id: str, now: datetime) -> PaperTrial:
        """Begin a paper trial on the last whole slot that the shell has reached. How long it lasts is the shell's to say."""
        self._require_reached(now)
        reached = self._shell.now
        return self._shell.trials.start(candidate_id, from_ms(to_ms(reached) // Tier.M5.ms * Tier.M5.ms))

    def paper_trials(self) -> Sequence[PaperTrial]:
        return self._shell.trials.open()

    def untold_trials(self, night: str) -> Sequence[PaperTrial]:
        """Trials that have ended and of which no night has told yet, but perhaps this one, in the order they began."""
        return untold(self._store, night)

    def settle_paper(self, trial_id: str, now: datetime) -> Conformance:
        self._require_reached(now)
        self._shell.keep_bars()
        return self._shell.trials.settle(trial_id, now)

    def run_again(self, candidate_id: str, now: datetime) -> Rerun:
        """Make the evidence of a candidate that passed its trial once more, in the shell's own runs: begun at the first
        question, and asked again until it is over. Raises Rejected for one that could not be promoted anyway."""
        self._require_reached(now)
        return self._shell.rerun(self._store.candidates.get(candidate_id), now)

    def promote(self, candidate_id: str, now: datetime) -> Promotion:
        """Raises Rejected for one a person rejected, NotNow for one that waits for a person or whose evidence was not run
        again: whoever asks, and whatever they were told before."""
        self._require_reached(now)
        candidate = self._store.candidates.get(candidate_id)
        return self._shell.promote(candidate, now)

    def abort_promotion(self, candidate_id: str, now: datetime) -> None:
        self._shell.abort_promotion(candidate_id, now)

    def rollback(self, reason: str, now: datetime) -> Promotion:
        return self._shell.rollback(reason, now)

    def quarantine(self, source: StrategySource, name: str, sentence: str, now: datetime) -> None:
        self._shell.quarantine(source, name, sentence, now)

    def record_night_inputs(self, night: str, inputs: Mapping[str, Any], now: datetime) -> None:
        self._store.night_inputs.record(night, inputs, now)

    def record_night(self, night: str, decision: Mapping[str, Any], now: datetime) -> None:
        self._store.nights.record(night, decision, now)
        self._budget_news.of_spending(self.spending(night), now)

    def record_role(self, night: str, place: str, told: Mapping[str, Any], now: datetime) -> None:
        """Keep what a place of the night had to work with: a provider, a tier, a note. The same again changes nothing."""
        self._store.model_roles.tell(night, place, told, now)

    def reserve_call(self, asked: CallRequest, now: datetime) -> ModelCall:
        """Write a call of a model down before it is made; an answered one of the same night and slot is returned instead.

        Raises NotNow when its price is not known, a cap would be broken, or it was sent often enough."""
        try:
            return self._store.model_calls.reserve(self._shell.config.ai, asked, now, self._wall.now())
        except NotNow as refusal:
            self._store.model_roles.refuse(asked.night, asked.slot, asked.request_hash, str(refusal), now)
            self._budget_news.of_refusal(refusal, asked.model, self.spending(asked.night), now)
            raise

    def settle_call(
        self, call_id: str, state: CallState, now: datetime, usage: Usage | None = None,
        reply: Mapping[str, Any] | None = None, error: str = "",
    ) -> ModelCall:
        """Complete a call. Raises Rejected when it is settled with another outcome."""
        settled = self._store.model_calls.settle(
            self._shell.config.ai, call_id, state, now, usage=usage, reply=reply, error=error
        )
        self._budget_news.of_spending(self.spending(settled.asked.night), now)
        return settled

    def spending(self, night: str) -> Spending:
        return self._store.model_calls.spending(self._shell.config.ai, night, self._wall.now())

    def model_calls(self, night: str) -> Sequence[ModelCall]:
        return self._store.model_calls.list(night)

    def predict(self, prediction: Prediction) -> Prediction:
        """Keep a night's prediction; the first of a night stays and is returned."""
        return self._store.model_calls.predict(prediction)

    def predictions(self) -> Sequence[Prediction]:
        return self._store.model_calls.predictions()

    def grade_prediction(self, night: str, grade: Grade, value: float | None, now: datetime) -> None:
        self._store.model_calls.grade(night, grade, value, now)

    def save_report(self, name: str, text: str) -> str:
        """Write a report under the home's reports folder; returns its path."""
        if not name or "/" in name or name.startswith("."):
            raise BadInput(f"{name!r} is not a report's file name")
        path = self._shell.home.reports / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    def notify(self, kind: str, severity: str, text: str, now: datetime, key: str = "") -> None:
        """Of one `key` a message is told once within a day. Raises BadInput for a severity that is none."""
        if severity not in list(Severity):
            raise BadInput(f"{severity!r} is no severity: {', '.join(Severity)} are")
        self._shell.notify(kind, severity, text, now, key=key)

    # -- what people ask for by hand ------------------------------------------------------------------------------

    @property
    def by_hand(self) -> ByHand:
        return ByHand(self._shell)

    def approval(self, candidate_id: str, now: datetime) -> str:
        """Whether a person lets this candidate be promoted: "approved", "rejected" or "waiting". A person is asked once."""
        return self.by_hand.approval(candidate_id, now)

    def decide(self, candidate_id: str, approved: bool, by: str, now: datetime) -> str:
        """A person's word about a candidate, given on the conductor's page. Raises Rejected where that does not count."""
        if not self._shell.config.form_counts:
            raise Rejected(
                'a word on Prefect\'s page does not count: [orchestrator] approval_form is false, or "" in live mode; '
                f"`brain approve {candidate_id}` and Telegram count"
            )
        return self.by_hand.decide(candidate_id, approved, by, now)

    def take_request(self, flow: str, now: datetime) -> str:
        """Who asked for this flow by hand, once; "" when nobody did."""
        return self.by_hand.take_request(flow, now)

    def _require_reached(self, now: datetime) -> None:
        """A moment ahead of the shell would lay out the next quarter's segments before it begins, over today's vault, and end
        a paper trial before it is over."""
        if now > self._shell.now:
            raise UsageError(
                f"the shell stands at {self._shell.now:%Y-%m-%d %H:%M} UTC: {now:%Y-%m-%d %H:%M} has not come"
            )
