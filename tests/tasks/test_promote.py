"""Settling paper trials and promoting: what is stored, what is refused, what waits."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from shell.answers import Rerun, RerunState
from shell.config import GateConfig
from shell.errors import Transient
from shell.gate.inputs import to_stored
from shell.trials.candidate import ChangeClass, Stage, StageResult, Verdict
from tasks import promote
from tasks.paper import due_trials, settle_trial, start_trial
from tasks.promote import promote_candidate, ready
from tasks.settlements import answered, settled
from tests.shell.gate.test_verdict import GOOD, run_with
from tests.tasks.memory_shell import NOW, MemoryShell, conforming
from tests.tasks.sources import proposal, rule

LATER = NOW + timedelta(days=1)


def on_paper(shell: MemoryShell, *, incumbent: str = "v001", sharpe: float = 0.35, inputs: Any = GOOD, fast: int = 10) -> str:
    """A candidate whose gate passed and whose paper trial runs."""
    candidate_id = shell.register_candidate(proposal(rule(fast=fast)), NOW).candidate_id
    shell.classify(candidate_id, ChangeClass.TWEAK)
    scored = {
        "figures": {"daily_sharpe": sharpe}, "incumbent": {"name": incumbent}, "segment": {"data_hash": "d"},
    }
    for stage, stored in ((Stage.BACKTEST, scored), (Stage.GATE, to_stored(inputs, GateConfig()))):
        shell.record_stage(candidate_id, StageResult(stage=stage, passed=True, reasons=("fine",), inputs=stored), NOW)
    start_trial(shell, candidate_id, NOW)
    return candidate_id


def settle_all(shell: MemoryShell) -> list[Any]:
    return [settled(trial, settle_trial(shell, trial, LATER)) for trial in due_trials(shell, LATER)]


def test_a_trial_is_settled_when_it_is_due_and_not_before() -> None:
    shell = MemoryShell(rule())
    on_paper(shell)
    assert due_trials(shell, LATER - timedelta(minutes=5)) == ()
    assert [trial.trial_id for trial in due_trials(shell, LATER)] == ["t0001"]


def test_a_passed_trial_is_promoted_once() -> None:
    shell = MemoryShell(rule())
    candidate_id = on_paper(shell)
    settle_all(shell)
    assert ready(shell) == (candidate_id,)
    answer = promote_candidate(shell, candidate_id, LATER)
    assert answer.promotion is not None and answer.promotion.version == "v002"
    assert shell.active.source == rule(fast=10)
    assert shell.ledger[candidate_id].verdict is Verdict.PROMOTED
    assert ready(shell) == ()
    assert shell.aborted == []


def test_nothing_is_promoted_and_nobody_asked_before_the_evidence_has_come_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promote, "ASK_AGAIN_SECONDS", 0.001)
    shell = MemoryShell(rule())
    candidate_id = on_paper(shell)
    settle_all(shell)
    shell.approvals[candidate_id] = "waiting"
    shell.reruns[candidate_id] = [RerunState.RUNNING, RerunState.RUNNING, RerunState.REFUSED]
    answer = promote_candidate(shell, candidate_id, LATER)
    assert (answer.promotion, answer.waiting) == (None, False)
    assert "and 2% was reported" in answer.refusal
    assert shell.ledger[candidate_id].verdict is Verdict.REFUSED
    assert shell.reruns[candidate_id] == []


def test_a_rerun_that_could_not_be_made_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = MemoryShell(rule())
    candidate_id = on_paper(shell)
    settle_all(shell)

    def lost(_name: str, _now: datetime) -> Rerun:
        raise Transient("the process ended before it answered")

    monkeypatch.setattr(shell, "run_again", lost)
    with pytest.raises(Transient):
        promote_candidate(shell, candidate_id, LATER)
    assert shell.ledger[candidate_id].verdict is Verdict.PENDING
    assert ready(shell) == (candidate_id,)
    # One that never ends is given up, and undecided.
    monkeypatch.undo()
    monkeypatch.setattr(promote, "RERUN_SECONDS_MAX", 0.0)
    shell.reruns[candidate_id] = [RerunState.RUNNING]
    with pytest.raises(Transient, match="within 0 h"):
        promote_candidate(shell, candidate_id, LATER)
    assert promote_candidate(shell, candidate_id, LATER).promotion is not None


def test_a_failed_trial_ends_the_candidate_with_its_reasons() -> None:
    shell = MemoryShell(rule())
    candidate_id = on_paper(shell)
    shell.conformance["t0001"] = conforming("t0001", passed=False, signals_equal=2, reasons=("2 of 6 signals agree",))
    settle_all(shell)
    candidate = shell.ledger[candidate_id]
    assert (candidate.verdict, candidate.stage, candidate.reasons) == (
        Verdict.REFUSED, Stage.PAPER, ("2 of 6 signals agree",)
    )
    assert ready(shell) == ()


def test_an_extended_trial_stays_and_records_no_stage() -> None:
    shell = MemoryShell(rule())
    candidate_id = on_paper(shell)
    until = LATER + timedelta(days=6)
    shell.conformance["t0001"] = conforming("t0001", passed=False, extended_until=until, reasons=("too few fills",))
    settle_all(shell)
    assert shell.ledger[candidate_id].stage is Stage.GATE
    assert due_trials(shell, until - timedelta(minutes=5)) == ()
    assert len(due_trials(shell, until)) == 1


def test_a_refused_promotion_is_aborted_and_recorded() -> None:
    shell = MemoryShell(rule())
    candidate_id = on_paper(shell, inputs=run_with(trades=1))
    settle_all(shell)
    answer = promote_candidate(shell, candidate_id, LATER)
    assert answer.promotion is None
    assert "computed again" in answer.refusal
    assert shell.aborted == [candidate_id]
    assert shell.active.version == "v001"
    assert (shell.ledger[candidate_id].verdict, shell.ledger[candidate_id].stage) == (Verdict.REFUSED, Stage.PROMOTE)


def test_a_candidate_that_waits_for_a_person_is_ready_again_the_next_night() -> None:
    shell = MemoryShell(rule())
    candidate_id = on_paper(shell)
    settle_all(shell)
    shell.approvals[candidate_id] = "waiting"
    answer = promote_candidate(shell, candidate_id, LATER)
    assert (answer.promotion, answer.refusal) == (None, "it waits for a person's approval")
    assert ready(shell) == (candidate_id,)
    shell.approvals[candidate_id] = "approved"
    assert promote_candidate(shell, candidate_id, LATER).promotion is not None


def test_a_candidate_that_a_person_rejected_ends() -> None:
    shell = MemoryShell(rule())
    candidate_id = on_paper(shell)
    settle_all(shell)
    shell.approvals[candidate_id] = "rejected"
    assert promote_candidate(shell, candidate_id, LATER).refusal == "a person rejected it"
    assert shell.ledger[candidate_id].verdict is Verdict.REFUSED
    assert shell.active.version == "v001"


def test_an_unknown_outcome_is_aborted_and_not_swallowed() -> None:
    class Dying(MemoryShell):
        def promote(self, candidate_id: str, now: Any) -> Any:
            raise ConnectionError("the shell went away")

    shell = Dying(rule())
    candidate_id = on_paper(shell)
    settle_all(shell)
    with pytest.raises(ConnectionError):
        promote_candidate(shell, candidate_id, LATER)
    assert shell.aborted == [candidate_id]
    assert shell.ledger[candidate_id].verdict is Verdict.PENDING
    assert ready(shell) == (candidate_id,)


@pytest.mark.parametrize(("second_sharpe", "promoted"), [(0.5, True), (0.3, False), (0.35, False)])
def test_of_two_that_beat_the_old_incumbent_the_second_must_beat_the_first(
    second_sharpe: float, promoted: bool
) -> None:
    shell = MemoryShell(rule())
    first, second = on_paper(shell), on_paper(shell, sharpe=second_sharpe, fast=12)
    judged = settle_all(shell)
    for candidate_id in ready(shell):
        judged = answered(judged, promote_candidate(shell, candidate_id, LATER))
    assert [each.promotion is not None for each in judged] == [True, promoted]
    assert shell.ledger[first].verdict is Verdict.PROMOTED
    assert shell.active.version == ("v003" if promoted else "v002")
    if not promoted:
        assert "v002, active by now" in judged[1].refusal
        assert shell.ledger[second].verdict is Verdict.REFUSED


def test_a_promotion_that_a_crash_left_over_still_has_its_settlement() -> None:
    shell = MemoryShell(rule())
    candidate_id = on_paper(shell)
    settle_all(shell)
    judged = answered([], promote_candidate(shell, candidate_id, LATER))
    assert [(each.candidate_id, each.promotion.version) for each in judged if each.promotion] == [("c0001", "v002")]
