"""How a night's looks are spent: the budget, the rungs, the neighbours and the archive's children."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.backtest.parameters import declared_parameters
from shell.host.port import StrategySource
from shell.trials.candidate import source_hash
from tasks.ai.hunt import HALVING_FROM, SHORT, Budget, Evaluation, Hunt
from tasks.ai.local import choose_family
from tasks.ai.provider import WHOLE, LookMany, SearchScore
from tests.tasks.ai.test_local import ACTIVE, GRAMMAR_NIGHT, TWEAK_NIGHT, Bench, context


@given(st.integers(1, 500))
def test_the_budget_is_never_exceeded_and_hardly_wasted(looks: int) -> None:
    budget = Budget.of(looks)
    assert looks - SHORT <= budget.cost <= looks
    assert budget.full >= 1 and budget.neighbours in (0, budget.full)
    assert (budget.short > budget.full) == (looks >= HALVING_FROM)


def stop_of(source: StrategySource) -> float:
    return float({each.name: each.value for each in declared_parameters(source.code)}["stop_ranges"])


def test_the_best_of_the_short_looks_are_looked_at_in_full_and_a_lonely_peak_is_marked_down() -> None:
    """The short looks like wide stops; every neighbour scores nothing, so each finalist loses half of its short value."""
    bench = Bench()

    def many(sources: Sequence[StrategySource], share: float) -> list[SearchScore]:
        neighbours = share == SHORT and WHOLE in bench.shares
        scores = bench.many(sources, share)
        return [replace(score, value=0.0) for score in scores] if neighbours else scores

    night = context(bench, look_many=many, evaluations_max=4, night=GRAMMAR_NIGHT)
    _, made = Hunt(night, choose_family(night), ()).made()
    full = [each for each in made if each.share == WHOLE]
    drawn = [stop_of(source) for source in bench.at(SHORT)[:6]]
    assert sorted((stop_of(each.source) for each in full), reverse=True) == sorted(drawn, reverse=True)[:2]
    for each in full:
        assert each.score.value == pytest.approx(stop_of(each.source) / 2)


def test_a_plateau_costs_nothing() -> None:
    bench = Bench()

    def many(sources: Sequence[StrategySource], share: float) -> list[SearchScore]:
        return [replace(score, value=0.7) for score in bench.many(sources, share)]

    night = context(bench, look_many=many, evaluations_max=4, night=GRAMMAR_NIGHT)
    baseline, made = Hunt(night, choose_family(night), ()).made()
    assert baseline.value == 0.7
    assert {each.score.value for each in made} == {0.7}


def test_elites_have_children_and_the_same_seed_makes_the_same_night() -> None:
    """With one remembered elite, every third draw differs from it in two genes at most."""
    bench = Bench()
    first = context(bench, evaluations_max=8, night=GRAMMAR_NIGHT)
    family = choose_family(first)
    genes = dict(family.starts()[1])
    source = family.emit(genes)
    elite = Evaluation(
        genes=genes, source=source, hash=source_hash(source),
        score=SearchScore(value=50.0, daily_sharpe=1.0, total_return_pct=0.1, trades=9),
    )
    one = Hunt(first, family, (elite,)).made()
    again = Hunt(context(Bench(), evaluations_max=8, night=GRAMMAR_NIGHT), family, (elite,)).made()
    assert one == again
    children = [
        each for each in one[1]
        if set(each.genes) == set(genes) and sum(each.genes[name] != genes[name] for name in genes) <= 2
    ]
    assert children


@pytest.mark.parametrize("looks", [2, 6])
@pytest.mark.parametrize("night", [GRAMMAR_NIGHT, TWEAK_NIGHT])
def test_only_what_the_grammar_writes_shares_processes_and_the_active_strategy_never_does(night: str, looks: int) -> None:
    shared, apart, plain = Bench(), Bench(), Bench()
    opened: list[bool] = []

    @contextmanager
    def ours() -> Iterator[LookMany]:
        opened.append(True)
        yield shared.many
        opened.append(False)

    base = context(apart, night=night, evaluations_max=looks, ours=ours)
    made = Hunt(base, choose_family(base), ()).made()
    if night == TWEAK_NIGHT:
        # Somebody's own code with other numbers in it.
        assert not opened and not shared.looks
    else:
        assert opened == [True, False]
        assert [source_hash(source) for source in apart.looks] == [ACTIVE.hash], "more than its own was looked at apart"
        assert ACTIVE.hash not in {source_hash(source) for source in shared.looks}
    alone = context(plain, night=night, evaluations_max=looks)
    assert Hunt(alone, choose_family(alone), ()).made() == made
