"""The control of the search: chance with the same budget, and a table that compares like with like."""

from __future__ import annotations

import pytest

from benchmarks.bench_search import summary
from benchmarks.search_arms import RandomProvider, spend
from shell.trials.candidate import source_hash
from tasks.ai.provider import WHOLE
from tests.tasks.ai.test_local import ACTIVE, GRAMMAR_NIGHT, TWEAK_NIGHT, Bench, context
from tests.thorough import thorough


@pytest.mark.parametrize("night", [TWEAK_NIGHT, GRAMMAR_NIGHT])
def test_chance_spends_the_whole_budget_in_full_looks_and_proposes_its_best(night: str) -> None:
    bench, again = Bench(), Bench()
    proposed = RandomProvider().propose(context(bench, night=night))
    assert bench.shares == [WHOLE] * (1 + 6)
    assert len({source_hash(source) for source in bench.looks}) == 7
    assert bench.looks[0] == ACTIVE.source
    assert proposed.proposal is not None
    assert Bench()(proposed.proposal.source).value == max(Bench()(source).value for source in bench.looks[1:])
    RandomProvider().propose(context(again, night=night))
    assert again.looks == bench.looks


@thorough
def test_an_arm_is_let_spend_its_nights_on_a_market_of_its_own() -> None:
    """The benchmark's own step, whole: its shell comes to each night, and what is proposed is scored on unseen days."""
    spent = spend("random", "martingale", seed=1, nights=2)
    assert spent.looks == 8.0
    assert spent.trials >= 1 and spent.selection is not None


@thorough
def test_as_many_nights_as_the_benchmark_lives_spend_no_budget() -> None:
    """On the planted edge nearly every draw beats the active strategy, so each night has a candidate to be scored."""
    assert spend("random", "planted-edge", seed=1, nights=4).trials == 4


def test_means_leave_out_markets_on_which_nothing_was_found() -> None:
    def row(arm: str, market: str, selection: float | None) -> dict[str, object]:
        return {
            "arm": arm, "market": market, "seed": 1, "looks": 4.0, "trials": 0 if selection is None else 1,
            "best_search": selection, "selection": selection, "selection_mean": selection,
        }

    rows = [row(arm, market, None) for arm in ("search", "random") for market in ("planted-edge", "martingale")]
    rows += [row("search", "planted-edge", 0.4), row("search", "planted-edge", 0.2)]
    first, *others = summary(rows)
    assert (first["market"], first["arm"], first["looks"]) == ("planted-edge", "search", 4.0)
    assert first["trials"] == pytest.approx(2 / 3)
    assert first["selection"] == pytest.approx(0.3)
    assert all(other["selection"] is None for other in others)
