"""Cells of behaviour, their elites, likeness of two behaviours, and what a neighbour and a mutant may change."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.ai import grammar
from tasks.ai.archive import Archive, Elite, alike, cell_of, mutant, neighbour
from tasks.ai.genes import Choice, allows
from tasks.ai.provider import SearchScore

SCORE = SearchScore(
    value=0.1, daily_sharpe=0.1, total_return_pct=0.01, trades=5, holding_hours=6.0, turnover=0.1, market_correlation=0.5
)
GENES = grammar.every_gene(0.1)
RULES = grammar.textbook(0.1)
RETURNS = (0.01, -0.02, 0.03, 0.0, 0.01, -0.01)


def elite(name: str, **changes: float) -> Elite:
    return Elite(genes=RULES[0], identity=name, score=replace(SCORE, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "cell"),
    [
        ({}, (0, 1, 1)), ({"holding_hours": 12.0}, (1, 1, 1)), ({"holding_hours": 500.0}, (2, 1, 1)),
        ({"turnover": 0.0}, (0, 0, 1)), ({"turnover": 3.0}, (0, 2, 1)), ({"market_correlation": -1.0}, (0, 1, 0)),
        ({"market_correlation": 0.9}, (0, 1, 2)),
    ],
)
def test_three_axes_make_a_cell(changes: dict[str, float], cell: tuple[int, int, int]) -> None:
    assert cell_of(replace(SCORE, **changes)) == cell  # type: ignore[arg-type]


def test_each_cell_keeps_its_best_and_what_never_traded_has_none() -> None:
    slow, fast, better, idle = (
        elite("slow", holding_hours=100.0), elite("fast"), elite("better", value=0.2), elite("idle", value=9.0, trades=0)
    )
    for order in ((slow, fast, better, idle), (idle, better, fast, slow)):
        assert Archive.of(order).cells == {(2, 1, 1): slow, (0, 1, 1): better}


def test_a_parent_is_drawn_evenly_from_the_cells_and_from_an_empty_archive_there_is_none() -> None:
    archive = Archive.of([elite("slow", holding_hours=100.0), elite("fast", value=5.0)])
    chance = random.Random(1)
    drawn = [archive.parent(chance) for _ in range(200)]
    assert 60 < sum(each is not None and each.identity == "slow" for each in drawn) < 140
    assert Archive().parent(chance) is None


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (RETURNS, True), (tuple(3 * each for each in RETURNS), True), (tuple(-each for each in RETURNS), False),
        (RETURNS[:-1], False), ((0.0,) * 6, False), ((*RETURNS[:5], 0.03), False),
    ],
)
def test_likeness_is_a_correlation_of_daily_returns(other: tuple[float, ...], same: bool) -> None:
    assert alike(RETURNS, other) is same
    assert alike(other, RETURNS) is same


@given(st.integers(0, 2**32), st.sampled_from(RULES), st.booleans())
def test_neighbours_and_mutants_stay_in_range_and_can_be_emitted(seed: int, genes: dict[str, float | str], mild: bool) -> None:
    chance = random.Random(seed)
    moved = (neighbour if mild else mutant)(genes, GENES, chance)
    assert set(moved) == set(genes)
    assert all(allows(GENES[name], value) for name, value in moved.items())
    changed = {name for name in genes if moved[name] != genes[name]}
    names = {name for name in changed if isinstance(GENES[name], Choice)}
    if mild:
        assert not names
        assert all(abs(moved[name] - genes[name]) <= GENES[name].step * 1.001 for name in changed)  # type: ignore[operator, union-attr]
        assert grammar.emit(moved, 0.1).code
    else:
        assert 0 < len(changed) <= 2 and len(names) in (0, len(changed))
    # The same chance makes the same child.
    assert (neighbour if mild else mutant)(genes, GENES, random.Random(seed)) == moved
