"""A candidate's life without an orchestrator: the order of its stages, and where it stops."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from shell.config import GateConfig, Settings
from shell.trials.candidate import Candidate, Stage, StageResult, Verdict
from tasks.life import live, next_stage
from tasks.night import Work, WorkItem
from tests.tasks.memory_shell import NOW, START, SYMBOLS, MemoryShell, small_settings
from tests.tasks.sources import proposal, rule
from tests.tasks.zigzag import zigzag

DAYS = 40
ITEM = WorkItem(work=Work.SUBMISSION, ordinal=0)


def shell() -> MemoryShell:
    settings = small_settings(search_evaluations=2, search_days_max=6)
    idle = rule(term_1="rsi", rsi_period=8, rsi_below=40, term_2="breakout", channel=96)
    return MemoryShell(
        idle, settings=Settings(orchestrator=settings.orchestrator, gate=GateConfig(min_trades=2, min_days=5)), history=zigzag(SYMBOLS, START, DAYS),
        last=START + timedelta(days=DAYS),
    )


def been(*stages: tuple[Stage, bool]) -> Candidate:
    source = rule()
    return Candidate(
        candidate_id="c0001", proposed_at=NOW, proposal=proposal(source), source_hash="", change_class=None,
        stage=Stage.GENERATE, verdict=Verdict.PENDING, reasons=(),
        stages=tuple(StageResult(stage=stage, passed=passed, reasons=(), inputs={}) for stage, passed in stages),
    )


@pytest.mark.parametrize(
    ("stages", "following"),
    [
        ((), None),
        (((Stage.REVIEW, False),), None),
        (((Stage.REVIEW, True),), Stage.SANDBOX),
        (((Stage.REVIEW, True), (Stage.SANDBOX, False)), None),
        (((Stage.REVIEW, True), (Stage.SANDBOX, True)), Stage.BACKTEST),
        (((Stage.REVIEW, True), (Stage.SANDBOX, True), (Stage.BACKTEST, True)), Stage.GATE),
        (((Stage.REVIEW, True), (Stage.SANDBOX, True), (Stage.BACKTEST, True), (Stage.GATE, True)), None),
    ],
)
def test_each_stage_follows_a_passed_one(stages: tuple[tuple[Stage, bool], ...], following: Stage | None) -> None:
    assert next_stage(been(*stages)) is following


def test_a_file_goes_from_submission_to_the_gate_and_no_further() -> None:
    kept, told = shell(), list[str]()
    kept.waiting.append(proposal(rule(fast=4, slow=30)))
    outcome = live(kept, ITEM, NOW, 7, told.append)
    [candidate] = kept.ledger.values()
    assert [each.stage for each in candidate.stages] == [
        Stage.GENERATE, Stage.REVIEW, Stage.SANDBOX, Stage.BACKTEST, Stage.GATE,
    ], candidate.reasons
    # Days this few prove nothing, so the gate says no; what it says yes to goes on in tests.flows.test_nights.
    assert [each.passed for each in candidate.stages] == [True, True, True, True, False], candidate.reasons
    assert outcome.stage == Stage.GATE.value
    assert kept.trials == {}
    assert told == ["search", "review", "sandbox", "backtest", "gate", ""]


def test_a_refused_file_ends_where_it_was_refused() -> None:
    kept = shell()
    source = replace(rule(), code=rule().code.replace("stop_loss=stop", "stop_loss=None"))
    kept.waiting.append(proposal(source))
    outcome = live(kept, ITEM, NOW, 7)
    assert (outcome.verdict, outcome.stage) == (Verdict.REFUSED.value, Stage.REVIEW.value)
    assert [each.stage for each in kept.ledger["c0001"].stages] == [Stage.GENERATE, Stage.REVIEW]


def test_what_was_left_unfinished_goes_on_where_it_stood() -> None:
    kept = shell()
    kept.waiting.append(proposal(rule(fast=4, slow=30)))
    live(kept, ITEM, NOW, 7)
    done = kept.ledger["c0001"]
    kept.ledger["c0001"] = replace(done, stages=done.stages[:3], stage=Stage.SANDBOX, verdict=Verdict.PENDING)
    kept.vault_looks.clear()
    outcome = live(kept, WorkItem(work=Work.RESUME, ordinal=0, candidate_id="c0001"), NOW, 7)
    assert outcome.stage == Stage.GATE.value
    assert [each.stage for each in kept.ledger["c0001"].stages] == [each.stage for each in done.stages]
