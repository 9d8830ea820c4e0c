"""Where a candidate stands after its gate is the shell's to say, and whoever does a step twice changes nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from shell.errors import Rejected
from shell.trials.candidate import ChangeClass, Stage, StageResult, Verdict
from tasks.client import Promotion
from tasks.evolve import Standing, heed, life_of, lives
from tasks.paper import settle_trial
from tasks.promote import promote_candidate
from tests.tasks.memory_shell import NOW, MemoryShell, conforming
from tests.tasks.sources import proposal, rule


def shell_at(days: float = 0.0) -> MemoryShell:
    """A shell whose own time is `days` after NOW."""

    class Shell(MemoryShell):
        def status(self):  # type: ignore[no-untyped-def]
            return replace(super().status(), now=NOW + timedelta(days=days))

    return Shell(rule())


def on_trial(shell: MemoryShell) -> str:
    name = shell.register_candidate(proposal(rule(fast=4, slow=30)), NOW).candidate_id
    shell.classify(name, ChangeClass.TWEAK)
    shell.record_stage(name, StageResult(stage=Stage.GATE, passed=True, reasons=("made up",), inputs={}), NOW)
    shell.start_paper(name, NOW)
    return name


@pytest.mark.parametrize(("days", "minutes"), [(0.9, None), (1.001, 0), (1.01, 10)])
def test_a_trial_is_due_by_the_shells_own_time_and_judged_on_a_whole_slot(days: float, minutes: int | None) -> None:
    shell = shell_at(days)
    name = on_trial(shell)
    [life] = lives(shell)
    assert life == life_of(shell, name)
    assert life.standing is Standing.TRIAL
    assert life.due is (minutes is not None)
    if minutes is not None:
        assert life.judged_at == NOW + timedelta(days=1, minutes=minutes)


@pytest.mark.parametrize(
    ("judged", "standing"),
    [
        (conforming("t0001"), Standing.PASSED),
        (conforming("t0001", passed=False, reasons=("other fills",)), Standing.ENDED),
        (conforming("t0001", passed=False, extended_until=NOW + timedelta(days=7)), Standing.TRIAL),
    ],
)
def test_a_trial_that_two_judge_is_judged_once(judged: object, standing: Standing) -> None:
    shell = shell_at(1.5)
    name = on_trial(shell)
    shell.conformance["t0001"] = judged  # type: ignore[assignment]
    trial = shell.trials["t0001"]
    first = settle_trial(shell, trial, NOW + timedelta(days=1))
    stages = shell.candidate(name).stages
    assert settle_trial(shell, trial, NOW + timedelta(days=1, hours=1)) == first
    assert shell.candidate(name).stages == stages
    life = life_of(shell, name)
    assert life.standing is standing
    assert not life.due


def test_a_promotion_that_was_made_before_is_told_again_and_not_made_again() -> None:
    shell = shell_at(1.5)
    name = on_trial(shell)
    settle_trial(shell, shell.trials["t0001"], NOW + timedelta(days=1))

    def promote(candidate_id: str, now: object) -> Promotion:
        raise AssertionError("the shell is not asked again")

    shell.approvals[name] = "waiting"
    assert promote_candidate(shell, name, NOW).waiting
    shell.approvals[name] = "approved"
    shell.promote = promote  # type: ignore[method-assign, assignment]
    done = StageResult(stage=Stage.PROMOTE, passed=True, reasons=("active",), inputs={"version": "v002", "previous": "v001"})
    shell.record_stage(name, done, NOW)
    shell.versions.append(replace(shell.versions[0], version="v002", hash=shell.candidate(name).source_hash, promoted_at=NOW))
    answer = promote_candidate(shell, name, NOW + timedelta(days=2))
    assert answer.promotion is not None
    assert (answer.promotion.version, answer.promotion.previous, answer.promotion.at) == ("v002", "v001", NOW)
    assert life_of(shell, name).standing is Standing.ENDED


def test_a_candidate_that_was_refused_is_refused_with_the_same_words() -> None:
    shell = shell_at(1.5)
    name = on_trial(shell)
    settle_trial(shell, shell.trials["t0001"], NOW + timedelta(days=1))
    shell.approvals[name] = "rejected"
    first = promote_candidate(shell, name, NOW)
    assert first.refusal == "a person rejected it"
    assert promote_candidate(shell, name, NOW + timedelta(hours=1)) == first
    assert shell.candidate(name).verdict is Verdict.REFUSED


def test_the_first_word_about_a_candidate_counts_wherever_it_was_given() -> None:
    shell = shell_at(1.5)
    name = on_trial(shell)
    shell.approvals[name] = "waiting"
    assert heed(shell, name, False, "Ann on Prefect's page", NOW) == "rejected"
    assert heed(shell, name, True, "Bob on Prefect's page", NOW) == "rejected"
    assert shell.deciders == {name: "Ann on Prefect's page"}


def test_an_answer_that_the_shell_does_not_take_is_no_answer() -> None:
    shell = shell_at(1.5)
    name = on_trial(shell)
    shell.approvals[name] = "waiting"
    shell.decide = lambda *_: "recorded"  # type: ignore[method-assign]
    with pytest.raises(Rejected, match="did not take the answer"):
        heed(shell, name, True, "Ann", NOW)
