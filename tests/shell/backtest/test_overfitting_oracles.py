"""The overfitting statistics against `purgedcv`, and against formulas written out with scipy's distribution.

Goal: two programs that never saw each other agree on random returns, not only on the vectors of the papers.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import integrate, stats

from shell.backtest.metrics import moments_of
from shell.backtest.overfitting import (
    deflated_sharpe_ratio,
    expected_maximum_sharpe,
    minimum_backtest_length_years,
    minimum_track_record_length,
    probabilistic_sharpe_ratio,
    probability_of_backtest_overfitting,
)

purgedcv = pytest.importorskip("purgedcv")
SEEDS = range(6)


def skewed(seed: int, periods: int = 120) -> NDArray[np.float64]:
    """Daily returns with a tail to the left."""
    rng = np.random.default_rng(seed)
    return 0.004 + 0.01 * (1 - rng.exponential(1, periods)) + 0.004 * rng.standard_normal(periods)


@pytest.mark.parametrize("seed", SEEDS)
def test_psr_and_dsr_of_returns(seed: int) -> None:
    """Moments as purgedcv takes them: the deviation of the population, skewness and kurtosis corrected for bias."""
    returns = skewed(seed)
    moments = (
        len(returns), float(stats.skew(returns, bias=False)), float(stats.kurtosis(returns, bias=False, fisher=False))
    )
    sr = float(returns.mean() / returns.std())
    assert probabilistic_sharpe_ratio(sr, 0.05, *moments) == pytest.approx(
        purgedcv.probabilistic_sharpe_ratio(returns, 0.05), abs=1e-9
    )
    assert deflated_sharpe_ratio(sr, *moments, 25, 0.01) == pytest.approx(
        purgedcv.deflated_sharpe_ratio(returns, 25, 0.01), abs=1e-9
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_psr_and_dsr_by_scipy(seed: int) -> None:
    """Bailey and Lopez de Prado 2014, equations 1 and 2, with another normal distribution."""
    returns = skewed(seed)
    sr, periods = returns.mean() / returns.std(ddof=1), len(returns)
    skew, kurtosis = stats.skew(returns), stats.kurtosis(returns, fisher=False)
    gamma = -float(integrate.quad(lambda x: math.exp(-x) * math.log(x), 0, 60)[0])
    luck = 0.1 * ((1 - gamma) * stats.norm.ppf(1 - 1 / 25) + gamma * stats.norm.ppf(1 - 1 / (25 * math.e)))
    score = (sr - luck) * math.sqrt(periods - 1) / math.sqrt(1 - skew * sr + (kurtosis - 1) / 4 * sr**2)
    found = moments_of(returns)
    assert expected_maximum_sharpe(25, 0.01) == pytest.approx(luck, abs=1e-8)
    assert deflated_sharpe_ratio(found.sharpe, periods, found.skew, found.kurtosis, 25, 0.01) == pytest.approx(
        stats.norm.cdf(score), abs=1e-8
    )


@pytest.mark.parametrize(("sr", "skew", "kurtosis"), [(0.2, 0.0, 3.0), (0.3, -1.0, 6.0), (0.12, 0.5, 4.0)])
def test_lengths(sr: float, skew: float, kurtosis: float) -> None:
    length = minimum_track_record_length(sr, 0.05, skew, kurtosis, 0.95)
    assert math.ceil(length - 1) + 1 == purgedcv.min_track_record_length(sr, 0.05, 0.05, skew, kurtosis)
    for trials in (2, 10, 45, 1000):
        assert minimum_backtest_length_years(trials, 2.0) == pytest.approx(
            purgedcv.minimum_backtest_length(trials, 2.0), rel=1e-6
        )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("trials", "blocks"), [(6, 8), (20, 6)])
def test_pbo(seed: int, trials: int, blocks: int) -> None:
    """An even number of trials: with an odd one the median itself is a rank, which the two count differently."""
    rng = np.random.default_rng(seed)
    returns = rng.standard_normal((120, trials)) / 100 + rng.normal(0, 0.001, trials)
    theirs = purgedcv.probability_of_backtest_overfitting(returns.T, blocks)
    assert probability_of_backtest_overfitting(returns, blocks) == pytest.approx(theirs.pbo, abs=1e-9)
