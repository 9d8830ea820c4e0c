"""Lo's factor against the closed form of an AR(1), a correlation matrix summed up, a simulation, and inputs without answer."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.backtest.annualise import annual_sharpe_ratio, annualisation_factor, autocorrelations, lags_worth
from shell.errors import BadInput

SEED = 11


def ar1_factor(rho: float, periods: int) -> float:
    """Lo 2002, equation 22, as printed."""
    tail = 1 + 2 * rho / (1 - rho) * (1 - (1 - rho**periods) / (periods * (1 - rho)))
    return math.sqrt(periods) / math.sqrt(tail)


def test_without_autocorrelation_the_factor_is_the_root() -> None:
    assert annualisation_factor([]) == pytest.approx(math.sqrt(365))
    assert round(annualisation_factor([0.0], 12), 2) == 3.46
    assert annualisation_factor([0.5], 1) == 1.0


@given(st.floats(-0.9, 0.9), st.integers(2, 400))
def test_the_factor_of_an_ar1_is_the_closed_form(rho: float, periods: int) -> None:
    given_rho = [rho**lag for lag in range(1, periods)]
    assert annualisation_factor(given_rho, periods) == pytest.approx(ar1_factor(rho, periods), rel=1e-9)


@given(st.lists(st.floats(-0.1, 0.9), max_size=4), st.integers(2, 40))
def test_the_factor_is_the_mean_over_the_deviation_of_a_sum(rho: list[float], periods: int) -> None:
    """q over the root of 1'R1, R the correlation matrix of q periods in a row."""
    column = np.zeros(periods)
    column[0] = 1.0
    column[1 : len(rho) + 1] = rho[: periods - 1]
    matrix = np.array([[column[abs(at - other)] for other in range(periods)] for at in range(periods)])
    variance = float(matrix.sum())
    if variance > 1e-6:
        assert annualisation_factor(rho, periods) == pytest.approx(periods / math.sqrt(variance))


def test_gains_that_follow_gains_make_the_root_promise_too_much() -> None:
    assert annualisation_factor([0.3], 365) < math.sqrt(365) < annualisation_factor([-0.3], 365)


def test_years_of_a_simulated_series_have_the_promised_ratio() -> None:
    """Half of each day's surprise comes back the next: the ratio of sums of 30 days, measured and promised."""
    rng = np.random.default_rng(SEED)
    shocks = rng.standard_normal(30 * 20_000 + 1)
    returns = 0.05 + shocks[1:] + 0.5 * shocks[:-1]
    sums = returns.reshape(-1, 30).sum(axis=1)
    daily = returns.mean() / returns.std()
    assert daily * annualisation_factor([0.4], 30) == pytest.approx(sums.mean() / sums.std(), rel=0.02)
    assert autocorrelations(returns, 2) == pytest.approx([0.4, 0.0], abs=0.01)


def test_a_years_ratio_uses_as_many_lags_as_the_data_can_tell() -> None:
    returns = np.random.default_rng(SEED).standard_normal(84) / 100
    assert (lags_worth(84), lags_worth(100), lags_worth(0)) == (3, 4, 0)
    by_hand = returns.mean() / returns.std(ddof=1) * annualisation_factor(autocorrelations(returns, 3).tolist())
    assert annual_sharpe_ratio(returns) == pytest.approx(by_hand)
    assert annual_sharpe_ratio(returns, lags=0) == pytest.approx(
        returns.mean() / returns.std(ddof=1) * math.sqrt(365)
    )


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: annualisation_factor([], 0), "periods = 0"),
        (lambda: annualisation_factor([1.2], 12), "between -1 and 1"),
        (lambda: annualisation_factor([math.nan], 12), "finite"),
        (lambda: annualisation_factor([-0.9], 12), "without variance"),
        (lambda: autocorrelations(np.full(30, 0.1), 2), "constant"),
        (lambda: autocorrelations(np.zeros(30), 2), "constant"),
        (lambda: autocorrelations(np.arange(3.0), 2), "too few"),
        (lambda: autocorrelations(np.array([1.0, math.nan, 2.0]), 1), "finite"),
        (lambda: autocorrelations(np.arange(3.0), -1), "lags = -1"),
    ],
)
def test_what_has_no_answer_is_refused(call: object, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        call()  # type: ignore[operator]
