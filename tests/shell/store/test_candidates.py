"""The ledger of candidates: nothing counted twice, nothing taken back."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shell.errors import Rejected
from shell.host.port import StrategySource
from shell.trials.candidate import ChangeClass, Proposal, Stage, StageResult, TrialScore, Verdict
from shell.trials.segments import SegmentName
from tests.shell.store.examples import minutes

# 00:30 in New York.
NIGHT = datetime(2023, 3, 2, 5, 30, tzinfo=UTC)
PROPOSAL = Proposal(
    source=StrategySource(code="class Strategy: ...\n", skills={"trend": "X = 1\n"}, origin="candidate.py"),
    parent_version="v001", hypothesis="slower is better", provider="local", seed=7,
    parameters={"slow": 34, "fast": 8.5, "kind": "ema"}, prompt_hash="p", searched=6,
)
GATE = StageResult(
    stage=Stage.GATE, passed=True, reasons=("all checks passed",),
    inputs={"sharpe": 0.3, "profit_factor": math.inf, "checks": ({"name": "trades", "value": 12},)},
)


def coded(text: str) -> Proposal:
    return replace(PROPOSAL, source=StrategySource(code=text))


def test_a_registered_proposal_comes_back_whole(store):
    candidate = store.candidates.register(PROPOSAL, NIGHT)
    assert candidate.candidate_id == "c0001"
    assert candidate.proposal == PROPOSAL
    assert (candidate.stage, candidate.verdict, candidate.change_class) == (Stage.GENERATE, Verdict.PENDING, None)
    assert candidate.proposed_at == NIGHT
    assert store.candidates.get("c0001") == candidate
    assert store.candidates.list() == [candidate]
    assert store.candidates.count() == 1


def test_the_same_proposal_in_the_same_night_is_the_same_candidate(store):
    first = store.candidates.register(PROPOSAL, NIGHT)
    assert store.candidates.register(replace(PROPOSAL, seed=8), NIGHT + timedelta(hours=2)) == first
    numbers = [
        store.candidates.register(coded("other"), NIGHT).candidate_id,
        store.candidates.register(replace(PROPOSAL, provider="person"), NIGHT).candidate_id,
        store.candidates.register(replace(PROPOSAL, parent_version="v002"), NIGHT).candidate_id,
        store.candidates.register(PROPOSAL, NIGHT + timedelta(days=1)).candidate_id,
    ]
    assert numbers == ["c0002", "c0003", "c0004", "c0005"]
    assert len(list(store.events.rows(kind="candidate"))) == 5


def test_stages_fold_into_the_candidate_and_decide_its_verdict(store):
    store.candidates.register(PROPOSAL, NIGHT)
    store.candidates.record_stage("c0001", GATE, NIGHT)
    candidate = store.candidates.get("c0001")
    assert (candidate.stage, candidate.verdict, candidate.reasons) == (Stage.GATE, Verdict.PENDING, GATE.reasons)
    assert candidate.stages[0].inputs == {
        "sharpe": 0.3, "profit_factor": "inf", "checks": [{"name": "trades", "value": 12}],
    }
    done = StageResult(stage=Stage.PROMOTE, passed=True, reasons=("active as v002",), inputs={})
    store.candidates.record_stage("c0001", done, NIGHT)
    assert store.candidates.get("c0001").verdict is Verdict.PROMOTED


def test_a_failed_stage_ends_the_candidate(store):
    store.candidates.register(PROPOSAL, NIGHT)
    store.candidates.record_stage("c0001", replace(GATE, passed=False, reasons=("too few trades",)), NIGHT)
    candidate = store.candidates.get("c0001")
    assert (candidate.stage, candidate.verdict, candidate.reasons) == (Stage.GATE, Verdict.REFUSED, ("too few trades",))
    with pytest.raises(Rejected, match="c0001 has ended as refused: no stage paper follows"):
        store.candidates.record_stage("c0001", replace(GATE, stage=Stage.PAPER), NIGHT)
    assert len(store.candidates.get("c0001").stages) == 1


def test_a_stage_is_recorded_once_and_never_otherwise(store):
    store.candidates.register(PROPOSAL, NIGHT)
    store.candidates.record_stage("c0001", GATE, NIGHT)
    head = store.events.head()
    store.candidates.record_stage("c0001", GATE, NIGHT + timedelta(hours=1))
    assert store.events.head() == head
    with pytest.raises(Rejected, match="stage gate is recorded, with another outcome"):
        store.candidates.record_stage("c0001", replace(GATE, inputs={**GATE.inputs, "sharpe": 0.31}), NIGHT)
    with pytest.raises(Rejected, match="there is no candidate c0009"):
        store.candidates.record_stage("c0009", GATE, NIGHT)


def test_candidates_are_found_by_their_code(store):
    first, again = (store.candidates.register(PROPOSAL, NIGHT + timedelta(days=days)) for days in (0, 3))
    store.candidates.register(coded("another"), NIGHT)
    store.candidates.record_stage(again.candidate_id, GATE, minutes(0))
    assert store.candidates.of_code(first.source_hash) == [first, store.candidates.get(again.candidate_id)]
    assert store.candidates.of_code("nobody's") == []


def test_the_risk_tier_is_raised_but_never_lowered(store):
    store.candidates.register(PROPOSAL, NIGHT)
    for change in (ChangeClass.TWEAK, ChangeClass.RESTRUCTURE, ChangeClass.RESTRUCTURE):
        store.candidates.classify("c0001", change)
        assert store.candidates.get("c0001").change_class is change
    with pytest.raises(Rejected, match="cannot become a tweak"):
        store.candidates.classify("c0001", ChangeClass.TWEAK)
    assert store.candidates.get("c0001").change_class is ChangeClass.RESTRUCTURE


SCORE = TrialScore(
    candidate_id="c0001", segment="selection", scored_at=NIGHT, data_hash="d", source_hash="s", sharpe=0.12,
    daily_returns=(0.1, -0.2, 1e-17), trades=12, total_return_pct=0.034,
)


def test_every_scoring_counts_once_and_an_identical_report_of_it_does_not(store):
    store.candidates.record_score(SCORE)
    store.candidates.record_score(SCORE)
    assert store.candidates.scores("selection") == [SCORE]
    again = replace(SCORE, scored_at=NIGHT + timedelta(minutes=1))
    elsewhere = replace(SCORE, segment="vault")
    store.candidates.record_score(again)
    store.candidates.record_score(elsewhere)
    assert store.candidates.scores(SegmentName.SELECTION) == [SCORE, again]
    assert store.candidates.scores() == [SCORE, again, elsewhere]


def test_a_score_without_a_number_is_kept_as_one_without(store):
    odd = replace(SCORE, sharpe=math.nan, daily_returns=(math.nan, 0.1))
    store.candidates.record_score(odd)
    store.candidates.record_score(odd)
    (found,) = store.candidates.scores("selection")
    assert math.isnan(found.sharpe)
    assert math.isnan(found.daily_returns[0])


def test_looks_at_the_search_segment_add_up(store):
    assert store.candidates.searches_total() == 0
    store.candidates.record_searches("c0001", 6, NIGHT)
    store.candidates.record_searches(None, 4, NIGHT)
    assert store.candidates.searches_total() == 10


def test_a_persons_file_waits_until_it_becomes_a_candidate(store):
    first = store.candidates.submit(PROPOSAL, minutes(0))
    assert store.candidates.submit(PROPOSAL, minutes(5)) == first
    second = store.candidates.submit(coded("other"), minutes(6))
    assert store.candidates.pending() == [first, second]
    assert first.proposal == PROPOSAL
    store.candidates.register(PROPOSAL, NIGHT)
    assert store.candidates.pending() == [second]
    store.candidates.mark_taken(second.submission_id, NIGHT)
    assert store.candidates.pending() == []
    assert store.candidates.submit(PROPOSAL, NIGHT).submission_id == "s0003"
