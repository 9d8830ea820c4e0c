"""The budget against the published vector and its own definition; what costs no trial, strictly."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.backtest.overfitting import minimum_backtest_length_years
from shell.errors import BadInput
from shell.host.port import StrategySource
from shell.trials.budget import TRIALS_MAX, Budget, broke, free_of_charge, program_shape, trials_allowed
from shell.trials.candidate import Candidate, Proposal, Stage, StageResult, Verdict, source_hash
from shell.trials.segments import next_quarter, quarter_name

AT = datetime(2026, 2, 3, 5, tzinfo=UTC)
CODE = 'class Strategy:\n    """Buys."""\n    fast = 8\n\n    def analyze(self, markets):\n        return [self.fast]\n'


def candidate(name: str, code: str = CODE, **changes: object) -> Candidate:
    proposal = Proposal(
        source=StrategySource(code=code, skills={"trend": "x = 1\n"}), parent_version="v001", hypothesis="h",
        provider="local", seed=7, parameters={"fast": 8},
    )
    proposal = replace(proposal, **changes)
    return Candidate(
        candidate_id=name, proposed_at=AT, proposal=proposal, source_hash=source_hash(proposal.source),
        change_class=None, stage=Stage.GENERATE, verdict=Verdict.PENDING, reasons=(),
    )


def faulted(each: Candidate) -> Candidate:
    stage = StageResult(stage=Stage.BACKTEST, passed=False, reasons=("boom",), inputs={"fault": "boom"})
    return replace(each, stages=(stage,))


def test_five_years_allow_forty_five_trials_at_a_sharpe_of_one() -> None:
    """Bailey et al. 2014: with more than 45 trials five years of data are expected to show a Sharpe ratio of 1 by luck."""
    assert trials_allowed(5 * 365, 1.0) == 45


def test_a_short_segment_allows_a_handful_and_any_segment_one() -> None:
    assert [trials_allowed(days, 2.0) for days in (0, 1, 21, 42, 84, 365)] == [0, 1, 1, 2, 3, 25]


@given(days=st.floats(0.5, 3_650), target=st.floats(0.3, 4.0))
def test_it_is_the_largest_number_that_fits(days: float, target: float) -> None:
    allowed = trials_allowed(days, target)
    assert minimum_backtest_length_years(allowed, target) <= days / 365
    if allowed < TRIALS_MAX:
        assert minimum_backtest_length_years(allowed + 1, target) > days / 365


@given(days=st.floats(0, 3_650), more=st.floats(0, 365), target=st.floats(0.3, 4.0), higher=st.floats(0, 2))
def test_more_days_and_a_higher_target_never_allow_fewer(days: float, more: float, target: float, higher: float) -> None:
    assert trials_allowed(days + more, target + higher) >= trials_allowed(days, target)


@pytest.mark.parametrize(("days", "target"), [(-1, 2.0), (float("nan"), 2.0), (float("inf"), 2.0), (30, 0.0), (30, -1.0)])
def test_what_has_no_budget_is_refused(days: float, target: float) -> None:
    with pytest.raises(BadInput):
        trials_allowed(days, target)


def test_a_spent_budget_says_until_when() -> None:
    budget = Budget(
        quarter=quarter_name(AT), days=42, target_annual_sharpe=2.0, allowed=2, spent=3, renewed_at=next_quarter(AT)
    )
    assert budget.left == 0
    assert "3 of 2 trials of 2026Q1 are spent" in budget.sentence
    assert "until 2026-04-01" in budget.spent_sentence


@pytest.mark.parametrize(
    ("moment", "name", "following"),
    [((2026, 1, 1), "2026Q1", (2026, 4, 1)), ((2026, 9, 30), "2026Q3", (2026, 10, 1)), ((2026, 12, 31), "2026Q4", (2027, 1, 1))],
)
def test_quarters_follow_each_other(moment: tuple[int, ...], name: str, following: tuple[int, ...]) -> None:
    at = datetime(*moment, 13, tzinfo=UTC)
    assert quarter_name(at) == name
    assert next_quarter(at) == datetime(*following, tzinfo=UTC)


SAME = [
    CODE.replace('"""Buys."""', '"""Sells, says this."""'),
    CODE + "\n# a remark\n",
    CODE.replace("    fast = 8\n\n", "    fast = (8)\n"),
]
OTHER = [
    CODE.replace("8", "9"),
    CODE.replace("[self.fast]", "[]"),
    CODE.replace("fast", "quick"),
    CODE + "x = 1\n",
]


@pytest.mark.parametrize("code", SAME)
def test_the_same_program_in_other_words_is_free(code: str) -> None:
    free = free_of_charge(candidate("c0002", code), [candidate("c0001")], [], frozenset())
    assert free is not None
    assert free.reason.startswith("the same program as c0001")
    assert free.repairs == ""


@pytest.mark.parametrize("code", OTHER)
def test_a_program_that_only_might_do_the_same_costs_a_trial(code: str) -> None:
    assert free_of_charge(candidate("c0002", code), [candidate("c0001")], [], frozenset()) is None


READING = '''
class Strategy:
    def fast(self):
        "8"

    def analyze(self, markets, portfolio, timestamp):
        return [int(self.fast.__doc__)]
'''


@pytest.mark.parametrize("spelling", ["__doc__", "__\uff44oc__"])
def test_a_program_that_reads_its_docstrings_is_another_one_with_others(spelling: str) -> None:
    """Else a parameter could be tried in a docstring without end, each time on a free look."""
    first = candidate("c0001", READING.replace("__doc__", spelling))
    other = candidate("c0002", first.proposal.source.code.replace('"8"', '"9"'))
    assert free_of_charge(other, [first], [], frozenset()) is None
    again = candidate("c0003", first.proposal.source.code + "# a remark\n")
    assert free_of_charge(again, [first], [], frozenset()) is not None


def test_another_skill_makes_another_program() -> None:
    other = replace(candidate("c0001").proposal.source, skills={"trend": "x = 2\n"})
    assert program_shape(other) != program_shape(candidate("c0001").proposal.source)


def test_a_broken_candidate_hands_its_trial_to_one_repair() -> None:
    broken = faulted(candidate("c0001"))
    assert broke(broken)
    repair = candidate("c0002", CODE.replace("[self.fast]", "[]"))
    free = free_of_charge(repair, [], [broken], frozenset())
    assert free is not None
    assert free.repairs == "c0001"
    assert free_of_charge(repair, [], [broken], frozenset({"c0001"})) is None


@pytest.mark.parametrize("change", [{"parent_version": "v002"}, {"provider": "person"}, {"parameters": {"fast": 9}}])
def test_what_is_no_repair_of_it_pays(change: dict[str, object]) -> None:
    assert free_of_charge(candidate("c0002", **change), [], [faulted(candidate("c0001"))], frozenset()) is None


def test_a_candidate_that_the_budget_refused_did_not_break() -> None:
    stage = StageResult(stage=Stage.BACKTEST, passed=False, reasons=("spent",), inputs={"budget": "spent"})
    assert not broke(replace(candidate("c0001"), stages=(stage,)))
