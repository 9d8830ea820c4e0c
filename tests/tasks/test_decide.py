from dataclasses import replace
from datetime import timedelta

import pytest

from shell.errors import DataError
from tasks.decide import decide, decide_and_keep, gather
from tasks.night import DecisionKind, NightContext, Work
from tests.tasks.memory_shell import NOW, START, MemoryShell, small_settings
from tests.tasks.sources import proposal, rule

CALM = gather(MemoryShell(rule()), NOW)


def test_a_calm_night_seeks_one_candidate() -> None:
    decision = decide(CALM)
    assert decision.kind is DecisionKind.EVOLVE
    assert [(item.work, item.ordinal) for item in decision.items] == [(Work.SEARCH, 0)]
    assert "35 days to search on" in decision.reasons[0]


@pytest.mark.parametrize(
    ("context", "reason"),
    [
        (replace(CALM, history_refusal="there are 3 whole days", submissions=1), "there are 3 whole days"),
        (replace(CALM, paper_trials=3, submissions=1), "all 3 paper slots are taken"),
        (replace(CALM, candidates_per_night=0, submissions=2), "candidates_per_night is 0"),
        (replace(CALM, halted=("DRAWDOWN",)), "halted (DRAWDOWN)"),
        (replace(CALM, candidates_tonight=1), "already went as far"),
    ],
)
def test_no_change_gives_its_reason(context: NightContext, reason: str) -> None:
    decision = decide(context)
    assert decision.kind is DecisionKind.NO_CHANGE
    assert decision.items == ()
    assert reason in decision.reasons[0]


def test_a_night_whose_candles_are_gone_changes_nothing_and_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    """It failed every night instead: the segments of a quarter stand, whatever was restored or imported since."""
    shell = MemoryShell(rule())

    def gone(*_: object) -> None:
        raise DataError("there are no 5m bars of BTC/USD from 2022-07-18 00:00 to 2022-12-15 00:00")

    monkeypatch.setattr(shell, "history", gone)
    decision = decide_and_keep(shell, NOW)
    assert (decision.kind, decision.items) == (DecisionKind.NO_CHANGE, ())
    assert decision.reasons == ("there are no 5m bars of BTC/USD from 2022-07-18 00:00 to 2022-12-15 00:00",)


def test_a_spent_budget_ends_the_search_and_says_until_when() -> None:
    assert CALM.budget is not None
    spent = replace(CALM, budget=replace(CALM.budget, spent=CALM.budget.allowed))
    decision = decide(spent)
    assert (decision.kind, decision.items) == (DecisionKind.NO_CHANGE, ())
    assert decision.reasons[0].startswith("the search budget is spent: 1 of 1 trials of 2024Q1")
    assert "until 2024-04-01" in decision.reasons[0]
    # A person's file may be a repair: it goes on, and the budget has its say where it would be scored.
    assert [item.work for item in decide(replace(spent, submissions=1, candidates_per_night=2)).items] == [Work.SUBMISSION]


def test_no_more_is_sought_than_the_budget_allows() -> None:
    assert CALM.budget is not None
    few = replace(CALM, candidates_per_night=3, budget=replace(CALM.budget, allowed=5, spent=3))
    decision = decide(few)
    assert [item.work for item in decision.items] == [Work.SEARCH, Work.SEARCH]
    assert "3 of 5 trials" in decision.reasons[-1]


def test_a_persons_file_goes_before_the_search_and_also_while_halted() -> None:
    assert [item.work for item in decide(replace(CALM, submissions=1)).items] == [Work.SUBMISSION]
    halted = replace(CALM, submissions=1, halted=("KILL_SWITCH",), candidates_per_night=2)
    assert [item.work for item in decide(halted).items] == [Work.SUBMISSION]
    both = replace(CALM, submissions=1, candidates_per_night=2)
    assert [(item.work, item.ordinal) for item in decide(both).items] == [(Work.SUBMISSION, 0), (Work.SEARCH, 1)]


def test_no_more_candidates_than_free_paper_slots() -> None:
    decision = decide(replace(CALM, candidates_per_night=5, paper_trials=1, budget=None))
    assert len(decision.items) == 2


def test_what_was_left_unfinished_goes_on_first() -> None:
    decision = decide(replace(CALM, interrupted=("c0004",)))
    assert [(item.work, item.candidate_id) for item in decision.items] == [(Work.RESUME, "c0004"), (Work.SEARCH, None)]


def test_an_unfinished_candidate_takes_one_of_the_free_slots() -> None:
    decision = decide(replace(CALM, interrupted=("c0004",), paper_trials=2))
    assert [item.work for item in decision.items] == [Work.RESUME]


def test_gathering_reads_the_ledger() -> None:
    shell = MemoryShell(rule(), settings=small_settings(candidates_per_night=2))
    shell.waiting.append(proposal(rule(fast=6)))
    shell.register_candidate(proposal(rule(fast=4)), NOW)
    on_trial = shell.register_candidate(proposal(rule(fast=10)), NOW - timedelta(days=3))
    shell.start_paper(on_trial.candidate_id, NOW)
    context = gather(shell, NOW)
    assert (context.submissions, context.candidates_tonight, context.paper_trials) == (1, 1, 1)
    assert context.interrupted == ("c0001",)


def test_short_history_is_a_reason_not_an_error() -> None:
    context = gather(MemoryShell(rule(), last=START + timedelta(days=29)), NOW)
    assert "29 whole days" in context.history_refusal
