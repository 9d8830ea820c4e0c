"""The number of trials, made and independent, on series whose correlation is known."""

import math
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.trials.candidate import TrialScore
from shell.trials.count import distinct_scores, trial_count

BASE = TrialScore(
    candidate_id="c0001", segment="selection", scored_at=datetime(2026, 2, 3, tzinfo=UTC), data_hash="d",
    source_hash="s", sharpe=0.1, daily_returns=(0.01, -0.01, 0.02, 0.0), trades=12, total_return_pct=0.02,
)


def scored(*series: tuple[float, ...], data: str = "d") -> list[TrialScore]:
    return [
        replace(BASE, candidate_id=f"c{n}", source_hash=f"{data}{n}", data_hash=data, daily_returns=each)
        for n, each in enumerate(series)
    ]


def test_none_and_one() -> None:
    assert (trial_count([]).scored, trial_count([]).effective, trial_count([]).counted) == (0, 0.0, 0.0)
    one = trial_count([BASE])
    assert (one.scored, one.effective, one.average_correlation) == (1, 1.0, None)


def test_copies_count_as_one_independent_trial_and_are_still_counted() -> None:
    returns = BASE.daily_returns
    count = trial_count(scored(returns, returns, tuple(2 * value for value in returns)))
    assert count.average_correlation == pytest.approx(1.0)
    assert count.effective == pytest.approx(1.0)
    assert (count.scored, count.counted) == (3, 3.0)


def test_series_at_right_angles_are_all_independent() -> None:
    count = trial_count(scored((1.0, -1.0, 1.0, -1.0), (1.0, 1.0, -1.0, -1.0), (1.0, -1.0, -1.0, 1.0)))
    assert count.average_correlation == pytest.approx(0.0)
    assert count.effective == pytest.approx(3.0)


def test_half_correlated_trials_by_hand() -> None:
    """Two of three are copies: the pairs correlate 1, 0, 0, so rho = 1/3 and N = 1/3 + 2/3 x 3."""
    count = trial_count(scored((1.0, -1.0, 1.0, -1.0), (2.0, -2.0, 2.0, -2.0), (1.0, 1.0, -1.0, -1.0)))
    assert count.average_correlation == pytest.approx(1 / 3)
    assert count.effective == pytest.approx(1 / 3 + 2)


@pytest.mark.parametrize("odd", [(0.0, 0.0, 0.0, 0.0), (math.nan, 1.0, 2.0, 3.0), (0.1, 0.2), (1.0, 2.0, 3.0)])
def test_what_has_no_correlation_counts_as_independent(odd: tuple[float, ...]) -> None:
    count = trial_count(scored(BASE.daily_returns, odd))
    assert (count.average_correlation, count.effective) == (0.0, 2.0)


def test_trials_on_other_candles_are_other_trials_and_independent() -> None:
    returns = BASE.daily_returns
    count = trial_count([*scored(returns), *scored(returns, data="e")])
    assert (count.scored, count.effective) == (2, 2.0)


def test_the_same_scoring_again_is_no_new_trial() -> None:
    again = replace(BASE, candidate_id="c0009", scored_at=datetime(2026, 2, 9, tzinfo=UTC))
    assert distinct_scores([BASE, again]) == (BASE,)
    assert trial_count([BASE, again]).scored == 1


@given(
    st.lists(st.lists(st.floats(-0.2, 0.2), min_size=6, max_size=6).map(tuple), min_size=2, max_size=12),
    st.randoms(use_true_random=False),
)
def test_the_effective_number_lies_between_one_and_the_number_made_whatever_the_order(series, random) -> None:
    count = trial_count(scored(*series))
    assert 1 - 1e-9 <= count.effective <= count.scored
    assert count.counted == count.scored
    shuffled = scored(*series)
    random.shuffle(shuffled)
    assert trial_count(shuffled).effective == pytest.approx(count.effective)


def test_the_mean_correlation_is_that_of_the_matrix(seed: int) -> None:
    chance = np.random.default_rng(seed)
    common = chance.normal(size=200)
    series = [tuple((common + chance.normal(size=200) * noise).tolist()) for noise in (0.1, 0.5, 1.0, 3.0, 9.0)]
    expected = np.corrcoef(np.array(series))[np.triu_indices(5, 1)].mean()
    assert trial_count(scored(*series)).average_correlation == pytest.approx(expected)
