"""A ShellClient that keeps everything in memory: real segments, real histories and backtests, simple books."""

from __future__ import annotations

import json
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from shell.answers import (
    ActiveStrategy,
    Conformance,
    EquityPoint,
    PaperTrial,
    Promotion,
    Rerun,
    RerunState,
    ScanOutcome,
    Status,
    VersionRow,
)
from shell.backtest.result import BacktestSettings
from shell.clock import VirtualClock
from shell.config import OrchestratorConfig, Settings
from shell.errors import NotNow, Rejected
from shell.gate.verdict import recheck
from shell.host.port import StrategySource
from shell.market.history import History
from shell.market.synthetic import synthetic_market
from shell.model_calls import CallRequest, CallState, ModelCall, Spending, Usage, spent
from shell.money import QuoteAmount
from shell.predictions import Grade, Prediction
from shell.store.canonical import canonical
from shell.store.model_calls import ModelCalls
from shell.store.store import Store
from shell.trials.budget import Budget, trials_allowed
from shell.trials.candidate import (
    Candidate,
    ChangeClass,
    Proposal,
    Stage,
    StageResult,
    TrialScore,
    Verdict,
    source_hash,
)
from shell.trials.segments import Segment, SegmentName, anchor_for, next_quarter, quarter_name, split
from tasks.night import night_of

START = datetime(2024, 1, 1, tzinfo=UTC)
HISTORY_DAYS = 70
NOW = START + timedelta(days=HISTORY_DAYS, hours=5)
SYMBOLS = ("BTC/USD", "ETH/USD")

# A migrated database without a row: migrating takes longer than most tests.
_empty_store: list[bytes] = []
_histories: dict[tuple[str, int, int], History] = {}


def market(kind: str = "planted-edge", seed: int = 7, days: int = HISTORY_DAYS) -> History:
    """A synthetic market, made once a test run."""
    key = (kind, seed, days)
    if key not in _histories:
        _histories[key] = synthetic_market(seed, SYMBOLS, START, days, kind)
    return _histories[key]


def small_settings(**orchestrator: Any) -> Settings:
    """Settings under which a night takes seconds."""
    values = {"search_evaluations": 2, "search_days_max": 12, "history_days_min": 30, **orchestrator}
    return Settings(orchestrator=OrchestratorConfig(**values))


class MemoryShell:
    """See the module. Whatever a test wants to know is an attribute."""

    def __init__(
        self, active: StrategySource, *, settings: Settings | None = None, history: History | None = None,
        first: datetime = START, last: datetime = START + timedelta(days=HISTORY_DAYS),
    ) -> None:
        self.config = settings or small_settings()
        self.candles = history or market()
        self.first, self.last = first, last
        self.halted: tuple[str, ...] = ()
        self.active = ActiveStrategy(version="v001", hash=source_hash(active), source=active, since=START)
        self.versions = [_row(self.active, "v000", "a slow trend", "active")]
        self.text = "# Strategy document\n\nTrends last.\n"
        self.waiting: list[Proposal] = []
        self.ledger: dict[str, Candidate] = {}
        self.trial_scores: list[TrialScore] = []
        self.trials_spent = 0
        self.searches: list[int] = []
        self.searched_at: datetime | None = None
        self.vault_looks: list[str] = []
        self.trials: dict[str, PaperTrial] = {}
        self.conformance: dict[str, Conformance] = {}
        self.judged: dict[str, Conformance] = {}
        self.promotions: list[Promotion] = []
        self.aborted: list[str] = []
        self.reruns: dict[str, list[RerunState]] = {}
        self.approvals: dict[str, str] = {}
        self.deciders: dict[str, str] = {}
        self.nights: dict[str, Mapping[str, Any]] = {}
        self.inputs: dict[str, Mapping[str, Any]] = {}
        self.roles: dict[str, Mapping[str, Any]] = {}
        self.reports: dict[str, str] = {}
        self.messages: list[tuple[str, str, str]] = []
        self.scanned: list[datetime] = []
        self.quarantined: list[tuple[str, str, str]] = []
        self.unreported: list[Mapping[str, Any]] = []
        self.reported: list[datetime] = []
        self.wall = VirtualClock(NOW)
        self.kept_calls: ModelCalls | None = None

    def settings(self) -> Settings:
        return self.config

    def status(self) -> Status:
        return Status(
            mode="paper", now=NOW, halted=self.halted, cash=10_000.0, total_value=10_000.0, starting_value=10_000.0,
            day_pnl=0.0, drawdown_pct=0.0, trades_closed=0, positions=(), active=self.active, last_scan=None,
        )

    def scan(self, slot: datetime) -> ScanOutcome:
        done = slot in self.scanned
        self.scanned.append(slot)
        return ScanOutcome(slot=slot, origin="requested", signals=0, approved=0, answers=(), already_done=done)

    def snapshot(self, now: datetime) -> Mapping[str, Any]:
        return {"equity": "10000"}

    def update_fees(self, now: datetime) -> Mapping[str, Mapping[str, float]]:
        return {symbol: {"maker_pct": 0.0025, "taker_pct": 0.004} for symbol in SYMBOLS}

    def aggregate(self, now: datetime) -> Mapping[str, int]:
        return {"h1": 24, "d1": 1}

    def unreported_scans(self, now: datetime) -> Sequence[Mapping[str, Any]]:
        return self.unreported

    def mark_reported(self, slots: Sequence[datetime], now: datetime) -> None:
        self.reported += slots

    def active_strategy(self) -> ActiveStrategy:
        return self.active

    def strategy_index(self) -> Sequence[VersionRow]:
        return self.versions

    def document(self) -> str:
        return self.text

    def write_document(self, text: str, now: datetime) -> None:
        self.text = text

    def parity(self, now: datetime) -> Mapping[str, Any]:
        return {"compared": False, "reason": "the first mark was set now", "scans": 0, "scans_equal": 0, "differences": []}

    def distil(self, now: datetime) -> Mapping[str, Any]:
        return {"quarter": "2023-Q4"}

    def performance(self, now: datetime) -> Mapping[str, Any]:
        return {"total_return_pct": 0.01, "max_drawdown_pct": 0.02, "sharpe": 1.0, "trades": 3, "fees": 12.5}

    def equity(self, since: datetime) -> Sequence[EquityPoint]:
        return [EquityPoint(at=since + timedelta(days=day), value=10_000.0 + 10.0 * day) for day in range(4)]

    def segments(self, now: datetime) -> Mapping[SegmentName, Segment]:
        return split(
            first=self.first, last=self.last, anchor=anchor_for(now, None), config=self.config.orchestrator
        )

    def budget(self, now: datetime) -> Budget:
        days = self.segments(now)[SegmentName.SELECTION].days
        target = self.config.orchestrator.target_annual_sharpe
        return Budget(
            quarter=quarter_name(now), days=days, target_annual_sharpe=target, allowed=trials_allowed(days, target),
            spent=self.trials_spent, renewed_at=next_quarter(now),
        )

    def history(self, segment: SegmentName, candidate_id: str | None, now: datetime) -> History:
        if segment is SegmentName.VAULT:
            assert candidate_id is not None
            if candidate_id in self.vault_looks:
                raise NotNow(f"{candidate_id} has had its look into the vault")
            self.vault_looks.append(candidate_id)
        if segment is SegmentName.SELECTION and not self.budget(now).left:
            raise NotNow(self.budget(now).spent_sentence)
        end = self.segments(now)[segment].end
        frames = {symbol: frame.filter(frame["timestamp"] < end) for symbol, frame in self.candles.m5.items()}
        return History(m5=frames, source=self.candles.source, real=False)

    def backtest_settings(self) -> BacktestSettings:
        return BacktestSettings(
            cash=QuoteAmount(10_000), paper=self.config.paper, risk=self.config.risk, zone=ZoneInfo("UTC"),
            host=self.config.host,
        )

    def submissions(self) -> Sequence[Proposal]:
        return self.waiting

    def register_candidate(self, proposal: Proposal, now: datetime) -> Candidate:
        caught = [sentence for digest, _, sentence in self.quarantined if digest == source_hash(proposal.source)]
        if caught:
            raise Rejected(f"in quarantine: {caught[0]}")
        for known in self.ledger.values():
            same_night = night_of(known.proposed_at) == night_of(now)
            if same_night and known.source_hash == source_hash(proposal.source):
                return known
        if proposal in self.waiting:
            self.waiting.remove(proposal)
        candidate_id = f"c{len(self.ledger) + 1:04d}"
        self.ledger[candidate_id] = Candidate(
            candidate_id=candidate_id, proposed_at=now, proposal=proposal, source_hash=source_hash(proposal.source),
            change_class=None, stage=Stage.GENERATE, verdict=Verdict.PENDING, reasons=(),
        )
        return self.ledger[candidate_id]

    def candidate(self, candidate_id: str) -> Candidate:
        return self.ledger[candidate_id]

    def candidates(self) -> Sequence[Candidate]:
        return list(self.ledger.values())

    def record_stage(self, candidate_id: str, result: StageResult, now: datetime) -> None:
        # What the real store keeps is JSON: what does not survive it must fail here, too.
        kept = replace(result, inputs=json.loads(json.dumps(dict(result.inputs), allow_nan=False)))
        candidate = self.ledger[candidate_id]
        for known in candidate.stages:
            if known.stage is result.stage:
                if known != kept:
                    raise Rejected(f"{candidate_id}: {result.stage.value} is recorded with another outcome")
                return
        if candidate.verdict is not Verdict.PENDING:
            raise Rejected(f"{candidate_id} has ended")
        verdict = Verdict.PENDING if result.passed else Verdict.REFUSED
        if result.stage is Stage.PROMOTE and result.passed:
            verdict = Verdict.PROMOTED
        self.ledger[candidate_id] = replace(
            candidate, stage=result.stage, verdict=verdict, reasons=result.reasons,
            stages=(*candidate.stages, kept),
        )

    def classify(self, candidate_id: str, change: ChangeClass) -> None:
        self.ledger[candidate_id] = replace(self.ledger[candidate_id], change_class=change)

    def record_score(self, score: TrialScore) -> None:
        if score not in self.trial_scores:
            self.trial_scores.append(score)

    def scores(self, segment: SegmentName) -> Sequence[TrialScore]:
        return [score for score in self.trial_scores if score.segment == segment.value]

    def record_searches(self, candidate_id: str | None, count: int, now: datetime) -> None:
        self.searches.append(count)
        self.searched_at = now

    def last_search(self) -> datetime | None:
        return self.searched_at

    def start_paper(self, candidate_id: str, now: datetime) -> PaperTrial:
        running = [trial for trial in self.trials.values() if trial.state in ("running", "extended")]
        if len(running) >= self.config.orchestrator.paper_trials_max:
            raise NotNow("every paper slot is taken")
        change = self.ledger[candidate_id].change_class or ChangeClass.OVERHAUL
        trial = PaperTrial(
            trial_id=f"t{len(self.trials) + 1:04d}", candidate_id=candidate_id, started_at=now,
            due_at=now + timedelta(days=change.paper_days), state="running",
        )
        self.trials[trial.trial_id] = trial
        return trial

    def paper_trials(self) -> Sequence[PaperTrial]:
        return list(self.trials.values())

    def untold_trials(self, night: str) -> Sequence[PaperTrial]:
        told = {each["trial"] for name, kept in self.nights.items() if name != night for each in kept["settled"]}
        ended = [trial for trial in self.trials.values() if trial.state not in ("running", "extended")]
        return [trial for trial in ended if trial.trial_id not in told]

    def settle_paper(self, trial_id: str, now: datetime) -> Conformance:
        if trial_id in self.judged and (self.trials[trial_id].state != "extended" or now < self.trials[trial_id].due_at):
            return self.judged[trial_id]
        conformance = self.conformance.get(trial_id) or conforming(trial_id)
        if conformance.passed:
            state, due = "passed", self.trials[trial_id].due_at
        elif conformance.extended_until is not None:
            state, due = "extended", conformance.extended_until
        else:
            state, due = "failed", self.trials[trial_id].due_at
        self.trials[trial_id] = replace(self.trials[trial_id], state=state, due_at=due)
        self.judged[trial_id] = conformance
        return conformance

    def approval(self, candidate_id: str, now: datetime) -> str:
        return self.approvals.get(candidate_id, "approved")

    def decide(self, candidate_id: str, approved: bool, by: str, now: datetime) -> str:
        self.approvals[candidate_id] = "approved" if approved else "rejected"
        self.deciders[candidate_id] = by
        return "recorded"

    def take_request(self, flow: str, now: datetime) -> str:
        return ""

    def run_again(self, candidate_id: str, now: datetime) -> Rerun:
        told = self.reruns.get(candidate_id, [])
        state = told.pop(0) if told else RerunState.HELD
        sentence = "it made 0.1% on day 3, and 2% was reported" if state is RerunState.REFUSED else ""
        return Rerun(candidate_id=candidate_id, state=state, sentence=sentence)

    def promote(self, candidate_id: str, now: datetime) -> Promotion:
        candidate = self.ledger[candidate_id]
        gate = next((result for result in candidate.stages if result.stage is Stage.GATE), None)
        if gate is None or not recheck(gate.inputs).passed:
            raise Rejected(f"{candidate_id}: the gate's verdict, computed again, refuses")
        version = f"v{len(self.versions) + 1:03d}"
        promotion = Promotion(
            candidate_id=candidate_id, version=version, previous=self.active.version, hash=candidate.source_hash, at=now
        )
        self.active = ActiveStrategy(
            version=version, hash=candidate.source_hash, source=candidate.proposal.source, since=now
        )
        self.versions.append(_row(self.active, promotion.previous, candidate.proposal.hypothesis, "active"))
        self.record_stage(
            candidate_id, StageResult(stage=Stage.PROMOTE, passed=True, reasons=(f"active as {version}",), inputs={}), now
        )
        self.promotions.append(promotion)
        return promotion

    def abort_promotion(self, candidate_id: str, now: datetime) -> None:
        self.aborted.append(candidate_id)

    def quarantine(self, source: StrategySource, name: str, sentence: str, now: datetime) -> None:
        self.quarantined.append((source_hash(source), name, sentence))

    def rollback(self, reason: str, now: datetime) -> Promotion:
        raise NotNow("nothing to roll back to")

    def record_night_inputs(self, night: str, inputs: Mapping[str, Any], now: datetime) -> None:
        self.inputs[night] = json.loads(canonical(inputs))

    def record_role(self, night: str, place: str, told: Mapping[str, Any], now: datetime) -> None:
        self.roles[place] = told

    @property
    def calls(self) -> ModelCalls:
        """The real repository of calls on a database of its own, made when first needed."""
        if self.kept_calls is None:
            folder = tempfile.TemporaryDirectory(prefix="calls-")
            place = Path(folder.name) / "calls.db"
            if not _empty_store:
                with Store.open(place):
                    pass
                _empty_store.append(place.read_bytes())
            place.write_bytes(_empty_store[0])
            store = Store.open(place)
            weakref.finalize(self, _closed, store, folder)
            self.kept_calls = store.model_calls
        return self.kept_calls

    def reserve_call(self, asked: CallRequest, now: datetime) -> ModelCall:
        return self.calls.reserve(self.config.ai, asked, now, self.wall.now())

    def settle_call(
        self, call_id: str, state: CallState, now: datetime, usage: Usage | None = None,
        reply: Mapping[str, Any] | None = None, error: str = "",
    ) -> ModelCall:
        return self.calls.settle(self.config.ai, call_id, state, now, usage=usage, reply=reply, error=error)

    def spending(self, night: str) -> Spending:
        if self.kept_calls is None:
            return spent(self.config.ai, night, "2024-03", [], Decimal(0))
        return self.calls.spending(self.config.ai, night, self.wall.now())

    def model_calls(self, night: str) -> Sequence[ModelCall]:
        return [] if self.kept_calls is None else self.calls.list(night)

    def predict(self, prediction: Prediction) -> Prediction:
        return self.calls.predict(prediction)

    def predictions(self) -> Sequence[Prediction]:
        return [] if self.kept_calls is None else self.calls.predictions()

    def grade_prediction(self, night: str, grade: Grade, value: float | None, now: datetime) -> None:
        self.calls.grade(night, grade, value, now)

    def record_night(self, night: str, decision: Mapping[str, Any], now: datetime) -> None:
        self.nights[night] = json.loads(json.dumps(dict(decision)))

    def save_report(self, name: str, text: str) -> str:
        self.reports[name] = text
        return f"reports/{name}"

    def notify(self, kind: str, severity: str, text: str, now: datetime, key: str = "") -> None:
        self.messages.append((kind, severity, text))


def _closed(store: Store, folder: tempfile.TemporaryDirectory[str]) -> None:
    store.close()
    folder.cleanup()


def conforming(trial_id: str, **changes: Any) -> Conformance:
    """A trial that did what its backtest said; `changes` make it one that did not."""
    values: dict[str, Any] = {
        "trial_id": trial_id, "passed": True, "extended_until": None, "scans": 24, "signals_paper": 6,
        "signals_backtest": 6, "signals_equal": 6, "fills_paper": 5, "fills_backtest": 5, "fills_equal": 5,
        "reasons": ("6 of 6 signals and 5 of 5 fills are the same",),
    }
    return Conformance(**{**values, **changes})


def _row(active: ActiveStrategy, parent: str, hypothesis: str, state: str) -> VersionRow:
    return VersionRow(
        version=active.version, hash=active.hash, parent=parent, hypothesis=hypothesis, promoted_at=active.since,
        state=state,
    )
