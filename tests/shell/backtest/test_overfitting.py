"""Overfitting statistics against the figures printed in the papers, a naive CSCV, and inputs that have no answer.

Goal: no input gives infinity, NaN or an undeserved pass. Method: printed vectors, closed forms, properties.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations
from statistics import NormalDist

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from shell.backtest.overfitting import (
    deflated_sharpe_ratio,
    effective_number_of_trials,
    expected_maximum_sharpe,
    minimum_backtest_length_years,
    minimum_track_record_length,
    probabilistic_sharpe_ratio,
    probability_of_backtest_overfitting,
)
from shell.errors import BadInput

sharpes = st.floats(-0.5, 0.5)
skews = st.floats(-1.5, 1.5)
kurtoses = st.floats(4.0, 20.0)


@pytest.mark.parametrize(("skew", "kurtosis", "printed"), [(0.0, 3.0, 0.982), (-2.448, 10.164, 0.913)])
def test_psr_of_24_months(skew: float, kurtosis: float, printed: float) -> None:
    """Bailey and Lopez de Prado 2012: monthly Sharpe 0.458 against 0."""
    assert round(probabilistic_sharpe_ratio(0.458, 0.0, 24, skew, kurtosis), 3) == printed


@pytest.mark.parametrize(
    ("n_trials", "skew", "kurtosis", "printed"),
    [(100, -3.0, 10.0, 0.9004), (46, -3.0, 10.0, 0.9505), (88, 0.0, 3.0, 0.9505)],
)
def test_dsr_of_the_papers_example(n_trials: int, skew: float, kurtosis: float, printed: float) -> None:
    """Bailey and Lopez de Prado 2014: annual Sharpe 2.5 over 1,250 days, variance of trials 1/2 a year of 250."""
    value = deflated_sharpe_ratio(2.5 / math.sqrt(250), 1250, skew, kurtosis, n_trials, 0.5 / 250)
    assert round(value, 4) == printed


def test_benchmark_of_the_papers_example() -> None:
    assert round(expected_maximum_sharpe(100, 0.5 / 250), 4) == 0.1132


def test_expected_maximum_of_ten() -> None:
    assert round(expected_maximum_sharpe(10, 1.0), 2) == 1.57


@pytest.mark.parametrize(
    ("periods", "skew", "kurtosis", "printed_years"),
    [(252, 0.0, 3.0, 2.73), (52, 0.0, 3.0, 2.83), (12, 0.0, 3.0, 3.24), (12, -0.72, 5.78, 4.99)],
)
def test_track_record_of_sharpe_two_over_one(
    periods: int, skew: float, kurtosis: float, printed_years: float
) -> None:
    per_period = 1 / math.sqrt(periods)
    length = minimum_track_record_length(2 * per_period, per_period, skew, kurtosis, 0.95)
    assert round(length / periods, 2) == printed_years


@pytest.mark.parametrize(("n_trials", "printed_years"), [(45, 5.0), (1095, 10.8)])
def test_trials_that_exhaust_a_history_at_sharpe_one(n_trials: int, printed_years: float) -> None:
    assert round(minimum_backtest_length_years(n_trials, 1.0), 1) == printed_years


def test_minimum_backtest_length_is_below_its_bound() -> None:
    for n_trials in (2, 10, 1000, 10**6):
        assert minimum_backtest_length_years(n_trials, 2.0) < 2 * math.log(n_trials) / 4


def test_expected_maximum_agrees_with_simulation() -> None:
    draws = np.random.default_rng(7).standard_normal((20_000, 50)).max(axis=1)
    assert expected_maximum_sharpe(50, 1.0) == pytest.approx(draws.mean(), abs=0.03)


def test_one_trial_is_not_deflated() -> None:
    assert expected_maximum_sharpe(1, 0.3) == 0.0
    assert minimum_backtest_length_years(1, 1.0) == 0.0
    assert deflated_sharpe_ratio(0.1, 300, -0.5, 5.0, 1, 0.3) == probabilistic_sharpe_ratio(0.1, 0.0, 300, -0.5, 5.0)


@given(sharpes, sharpes, st.integers(2, 100_000), skews, kurtoses)
def test_psr_is_a_probability_and_one_half_at_the_benchmark(
    sr: float, benchmark: float, n_obs: int, skew: float, kurtosis: float
) -> None:
    assert 0 <= probabilistic_sharpe_ratio(sr, benchmark, n_obs, skew, kurtosis) <= 1
    assert probabilistic_sharpe_ratio(sr, sr, n_obs, skew, kurtosis) == 0.5


@given(st.floats(0.01, 0.5), st.integers(2, 5000), skews, kurtoses, st.integers(1, 10_000), st.floats(0, 0.1))
def test_more_trials_never_raise_the_deflated_sharpe_ratio(
    sr: float, n_obs: int, skew: float, kurtosis: float, n_trials: int, variance: float
) -> None:
    fewer = deflated_sharpe_ratio(sr, n_obs, skew, kurtosis, n_trials, variance)
    assert deflated_sharpe_ratio(sr, n_obs, skew, kurtosis, n_trials + 1, variance) <= fewer


@given(st.floats(0.05, 0.5), skews, kurtoses, st.floats(0.6, 0.999))
def test_a_track_record_of_minimum_length_has_exactly_the_confidence(
    sr: float, skew: float, kurtosis: float, confidence: float
) -> None:
    length = minimum_track_record_length(sr, 0.0, skew, kurtosis, confidence)
    if length >= 2:
        assert probabilistic_sharpe_ratio(sr, 0.0, length, skew, kurtosis) == pytest.approx(confidence)


@given(st.floats(1, 1.5) | st.floats(1, 1e300), st.floats(0, 1e6))
def test_expected_maximum_is_finite_and_not_negative_for_any_count(n_trials: float, variance: float) -> None:
    value = expected_maximum_sharpe(n_trials, variance)
    assert math.isfinite(value)
    assert value >= 0


@pytest.mark.parametrize(
    ("sr", "n_obs", "printed"),
    [(0.5, 12, 0.306), (1.0, 12, 0.354), (1.5, 12, 0.421), (3.0, 12, 0.677), (0.5, 60, 0.137), (2.0, 250, 0.110)],
)
def test_the_deviation_of_an_estimate_is_that_of_lo(sr: float, n_obs: int, printed: float) -> None:
    """Lo 2002, table 1: sqrt((1 + SR^2 / 2) / T), which is the normal case here with T - 1 in the place of T."""
    score = NormalDist().inv_cdf(probabilistic_sharpe_ratio(sr, sr - 0.01, n_obs + 1, 0.0, 3.0))
    assert round(0.01 / score, 3) == printed


@pytest.mark.parametrize(("years", "n_trials"), [(5, 45), (2, 7)])
def test_the_most_trials_that_a_history_bears(years: int, n_trials: int) -> None:
    """Bailey, Borwein, Lopez de Prado and Zhu 2014: no more than 45 configurations for five years, 7 for two, at Sharpe 1."""
    assert minimum_backtest_length_years(n_trials, 1.0) <= years + 0.01 < minimum_backtest_length_years(n_trials + 1, 1.0) + 0.02


@pytest.mark.parametrize("kurtosis", [3, 1e6, 1e300])
def test_a_huge_kurtosis_says_nothing_rather_than_too_much(kurtosis: float) -> None:
    probability = probabilistic_sharpe_ratio(0.2, 0.0, 250, 0.0, kurtosis)
    assert probability == pytest.approx(0.5, abs=0.05) if kurtosis > 3 else probability > 0.99


def test_two_observations_are_the_fewest_and_show_little() -> None:
    assert probabilistic_sharpe_ratio(0.5, 0.0, 2, 0.0, 3.0) == pytest.approx(NormalDist().cdf(0.5 / math.sqrt(1.125)))
    with pytest.raises(BadInput, match="n_obs = 1.5"):
        probabilistic_sharpe_ratio(0.5, 0.0, 1.5, 0.0, 3.0)


def test_whole_numbers_and_those_of_numpy_are_as_good_as_floats() -> None:
    assert probabilistic_sharpe_ratio(1, 0, 24, 0, 3) == probabilistic_sharpe_ratio(1.0, 0.0, 24.0, 0.0, 3.0)
    assert expected_maximum_sharpe(np.int64(10), np.float32(1)) == expected_maximum_sharpe(10.0, 1.0)
    assert minimum_backtest_length_years(np.int64(45), 1) == minimum_backtest_length_years(45, 1.0)


def test_a_table_may_be_lists_a_frame_or_other_numbers() -> None:
    matrix = np.round(noise(40, 3) * 1e4)
    expected = probability_of_backtest_overfitting(matrix, 8)
    frame = pl.DataFrame(matrix, schema=["a", "b", "c"])
    for given_as in (matrix.tolist(), frame, matrix.astype(np.int64), matrix.astype(np.float32), np.asfortranarray(matrix)):
        assert probability_of_backtest_overfitting(given_as, np.int64(8)) == expected  # type: ignore[arg-type]


def test_effective_number_of_trials() -> None:
    assert effective_number_of_trials(0.0, 50) == 50
    assert effective_number_of_trials(1.0, 50) == 1
    assert effective_number_of_trials(0.3, 100) == pytest.approx(70.3)
    assert effective_number_of_trials(-0.01, 50) == 50


INF, NAN = math.inf, math.nan


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: probabilistic_sharpe_ratio(0.1, 0.0, 1, 0.0, 3.0), "n_obs = 1"),
        (lambda: probabilistic_sharpe_ratio(NAN, 0.0, 100, 0.0, 3.0), "sr = nan"),
        (lambda: probabilistic_sharpe_ratio(INF, 0.0, 100, 0.0, 3.0), "sr = inf"),
        (lambda: probabilistic_sharpe_ratio(0.1, -INF, 100, 0.0, 3.0), "sr_benchmark = -inf"),
        (lambda: probabilistic_sharpe_ratio(0.1, 0.0, INF, 0.0, 3.0), "n_obs = inf"),
        (lambda: probabilistic_sharpe_ratio(0.1, 0.0, 100, NAN, 3.0), "skew = nan"),
        (lambda: probabilistic_sharpe_ratio(0.1, 0.0, 100, 0.0, 0.0), "non-excess"),
        (lambda: probabilistic_sharpe_ratio(1.0, 0.0, 100, 2.0, 3.0), "tells nothing"),
        (lambda: probabilistic_sharpe_ratio(1e200, 0.0, 100, 0.0, 3.0), "tells nothing"),
        (lambda: expected_maximum_sharpe(10, -0.1), "variance = -0.1"),
        (lambda: expected_maximum_sharpe(10, NAN), "variance = nan"),
        (lambda: expected_maximum_sharpe(0, 1.0), "n_trials = 0"),
        (lambda: expected_maximum_sharpe(INF, 1.0), "n_trials = inf"),
        (lambda: deflated_sharpe_ratio(0.1, 100, 0.0, 3.0, 10, -1.0), "variance = -1.0"),
        (lambda: minimum_track_record_length(0.1, 0.1, 0.0, 3.0, 0.95), "not below sr"),
        (lambda: minimum_track_record_length(0.1, 0.2, 0.0, 3.0, 0.95), "not below sr"),
        (lambda: minimum_track_record_length(0.1, 0.0, 0.0, 3.0, 1.0), "confidence = 1.0"),
        (lambda: minimum_track_record_length(0.1, 0.0, 0.0, 3.0, 95), "confidence = 95"),
        (lambda: minimum_track_record_length(1e-200, 0.0, 0.0, 3.0, 0.95), "too close"),
        (lambda: minimum_backtest_length_years(10, 0.0), "target_annual_sharpe = 0.0"),
        (lambda: minimum_backtest_length_years(10, 1e-200), "too small"),
        (lambda: effective_number_of_trials(1.1, 10), "average_correlation = 1.1"),
        (lambda: effective_number_of_trials(-0.5, 10), "average_correlation = -0.5"),
        (lambda: probabilistic_sharpe_ratio("0.1", 0.0, 100, 0.0, 3.0), "sr = '0.1'"),
        (lambda: probabilistic_sharpe_ratio(0.1, None, 100, 0.0, 3.0), "sr_benchmark = None"),
        (lambda: probabilistic_sharpe_ratio(np.array([0.1, 0.2]), 0.0, 100, 0.0, 3.0), "sr = array"),
        (lambda: probabilistic_sharpe_ratio(10**400, 0.0, 100, 0.0, 3.0), "write a finite number"),
        (lambda: probabilistic_sharpe_ratio(0.1, 0.0, 100, 0.0, INF), "kurtosis = inf"),
        (lambda: probabilistic_sharpe_ratio(1e160, 0.0, 100, 0.0, 1e10), "tells nothing"),
        (lambda: expected_maximum_sharpe(None, 1.0), "n_trials = None"),
        (lambda: probability_of_backtest_overfitting([[1.0, 2.0], [1.0]], 4), "no table of numbers"),
        (lambda: probability_of_backtest_overfitting([["a", "b"]] * 8, 4), "no table of numbers"),
        (lambda: probability_of_backtest_overfitting(None, 4), "no table|shape"),
        (lambda: probability_of_backtest_overfitting(noise(40, 3)[:, 0], 4), "shape .40,."),
        (lambda: probability_of_backtest_overfitting(noise(40, 3), 4.0), "n_blocks = 4.0"),
        (lambda: probability_of_backtest_overfitting(noise(2, 3), 2), "2 periods"),
        (lambda: probability_of_backtest_overfitting(np.zeros((20, 3)), 4), "trial 0 is constant"),
        (lambda: probability_of_backtest_overfitting(noise(40, 3), 5), "n_blocks = 5"),
        (lambda: probability_of_backtest_overfitting(noise(40, 3), 22), "n_blocks = 22"),
        (lambda: probability_of_backtest_overfitting(noise(40, 3), 0), "n_blocks = 0"),
        (lambda: probability_of_backtest_overfitting(noise(7, 3), 8), "7 periods"),
        (lambda: probability_of_backtest_overfitting(noise(40, 1), 4), "at least two trials"),
        (lambda: probability_of_backtest_overfitting(np.full((40, 2), NAN), 4), "trial 0 is nan"),
        (lambda: probability_of_backtest_overfitting(half_constant(), 2), "trial 1 is constant over half"),
        (lambda: probability_of_backtest_overfitting(constant_but_for_rounding(), 4), "trial 1 is constant"),
        (lambda: probability_of_backtest_overfitting([[10**400, 1]] * 8, 4), "no table of numbers"),
        (lambda: probability_of_backtest_overfitting(noise(40, 3) * 1j, 4), "complex"),
        (lambda: probability_of_backtest_overfitting(np.ma.masked_less(noise(40, 3), 0), 4), "is nan"),
        (lambda: minimum_track_record_length(0.1, 0.0, 0.0, 3.0, "0.95"), "confidence = '0.95'"),
        (lambda: minimum_track_record_length(0.1, 0.0, 0.0, 3.0, NAN), "confidence = nan"),
    ],
)
def test_what_has_no_answer_is_refused_with_a_sentence(call: Callable[[], float], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        call()


def noise(periods: int, trials: int, seed: int = 1) -> NDArray[np.float64]:
    return np.random.default_rng(seed).standard_normal((periods, trials)) / 100


def half_constant() -> NDArray[np.float64]:
    matrix = noise(40, 2)
    matrix[:20, 1] = 0.001
    return matrix


def constant_but_for_rounding() -> NDArray[np.float64]:
    """A trial that differs in its last digit alone, where a ratio of 10^15 would beat every other."""
    matrix = noise(40, 3)
    matrix[:, 1] = np.where(matrix[:, 0] > 0, 0.1, np.nextafter(0.1, 1))
    return matrix


@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1e-160, 1e155, 1e200, 1e307])
def test_the_size_of_returns_changes_no_probability(scale: float) -> None:
    """Squares of what is huge are infinite, and of what is tiny zero: neither may look like a field without overfitting."""
    matrix = noise(41, 7, 3)
    whole = probability_of_backtest_overfitting(matrix, 8)
    assert whole > 0.3
    mixed = matrix.copy()
    mixed[:, 2] *= scale
    assert probability_of_backtest_overfitting(matrix * scale, 8) == probability_of_backtest_overfitting(mixed, 8) == whole


@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(2, 9), st.integers(0, 13))
def test_pbo_of_any_shape_equals_the_naive_computation(seed: int, half: int, trials: int, more: int) -> None:
    """Blocks of a single row, lengths that are no multiple of the blocks, two trials and nine."""
    matrix = noise(max(2 * half, 4) + more, trials, seed)
    assert probability_of_backtest_overfitting(matrix, 2 * half) == pytest.approx(naive_pbo(matrix, 2 * half))


def test_floats_of_another_width_are_computed_with_as_doubles() -> None:
    narrow = minimum_track_record_length(0.1, 0.0, np.float32(0.25), np.float32(3.5), 0.95)
    assert narrow == minimum_track_record_length(0.1, 0.0, 0.25, 3.5, 0.95) and type(narrow) is float
    assert type(probabilistic_sharpe_ratio(np.float32(0.5), 0.0, np.int32(24), 0.0, np.float32(3))) is float


def naive_pbo(matrix: NDArray[np.float64], n_blocks: int) -> float:
    """CSCV word for word, for data without ties."""
    blocks = np.array_split(np.arange(len(matrix)), n_blocks)
    below = 0
    splits = list(combinations(range(n_blocks), n_blocks // 2))
    for chosen in splits:
        inside = np.concatenate([blocks[number] for number in chosen])
        outside = np.setdiff1d(np.arange(len(matrix)), inside)
        best = np.argmax(matrix[inside].mean(axis=0) / matrix[inside].std(axis=0, ddof=1))
        performance = matrix[outside].mean(axis=0) / matrix[outside].std(axis=0, ddof=1)
        rank = 1 + (performance < performance[best]).sum()
        relative = rank / (matrix.shape[1] + 1)
        below += math.log(relative / (1 - relative)) < 0
    return below / len(splits)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("periods", "trials", "blocks"), [(80, 10, 8), (83, 7, 6), (40, 2, 4), (8, 4, 8)])
def test_pbo_equals_the_naive_computation(seed: int, periods: int, trials: int, blocks: int) -> None:
    matrix = noise(periods, trials, seed) + 0.5  # a mean far above the deviation must not cost digits
    assert probability_of_backtest_overfitting(matrix, blocks) == pytest.approx(naive_pbo(matrix, blocks))


def test_pbo_is_zero_when_one_trial_is_always_best() -> None:
    matrix = noise(160, 6)
    matrix[:, 3] = 0.05 + matrix[:, 3] / 10
    assert probability_of_backtest_overfitting(matrix, 8) == 0.0


def test_pbo_is_one_when_the_best_half_is_always_worst_in_the_other() -> None:
    """Trial n earns in block n alone what it loses elsewhere: whatever wins in sample loses out of sample."""
    matrix = np.tile([[0.01], [-0.01]], (40, 8)) * (1 + 0.01 * np.arange(8))
    for trial in range(8):
        matrix[10 * trial : 10 * trial + 10, trial] += 0.02
    assert probability_of_backtest_overfitting(matrix, 8) == 1.0


def test_pbo_of_noise_is_near_one_half() -> None:
    values = [probability_of_backtest_overfitting(noise(120, 20, seed), 6) for seed in range(60)]
    assert np.mean(values) == pytest.approx(0.5, abs=0.08)


@given(st.integers(0, 1000), st.permutations(range(6)))
def test_pbo_does_not_depend_on_the_order_of_trials(seed: int, order: list[int]) -> None:
    matrix = noise(24, 6, seed)
    matrix[:, 4] = matrix[:, 1]  # two trials that tie everywhere
    permuted = probability_of_backtest_overfitting(matrix[:, order], 4)
    assert permuted == pytest.approx(probability_of_backtest_overfitting(matrix, 4))


def test_a_trial_that_held_nothing_in_half_of_the_blocks_counts_as_zero_there() -> None:
    matrix = noise(40, 3)
    matrix[:20, 1] = 0.0
    assert 0 <= probability_of_backtest_overfitting(matrix, 2) <= 1


def test_a_gate_at_95_percent_passes_about_one_in_twenty_skill_less_tracks() -> None:
    """PSR against 0 on noise is uniform, so a threshold of 0.95 lets 5 % through: the reason why DSR exists."""
    tracks = noise(250, 4000, seed=3)
    sr = tracks.mean(axis=0) / tracks.std(axis=0, ddof=1)
    passed = np.mean([probabilistic_sharpe_ratio(value, 0.0, 250, 0.0, 3.0) > 0.95 for value in sr])
    assert passed == pytest.approx(0.05, abs=0.015)
    best = float(sr.max())
    assert probabilistic_sharpe_ratio(best, 0.0, 250, 0.0, 3.0) > 0.999
    deflated = deflated_sharpe_ratio(best, 250, 0.0, 3.0, 4000, float(sr.var(ddof=1)))
    assert NormalDist().inv_cdf(0.02) < NormalDist().inv_cdf(deflated) < NormalDist().inv_cdf(0.98)
