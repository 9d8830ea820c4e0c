"""A Sharpe ratio over a longer time: Lo's factor, which knows that returns of days in a row may depend on one another.

Multiplying by the root of the number of periods holds for returns without autocorrelation only. Where a gain tends to follow
a gain, the root promises too much.

Source: Lo 2002, "The Statistics of Sharpe Ratios", Financial Analysts Journal 58(4), equations 19 to 22.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shell.backtest.metrics import DAYS_PER_YEAR, sharpe_ratio
from shell.errors import BadInput

PERIODS_MAX = 1_000_000
# A deviation below this part of the largest value is rounding.
_DEVIATION_MIN = 1e-12


def annualisation_factor(autocorrelations: Sequence[float], periods: int = DAYS_PER_YEAR) -> float:
    """eta(q) = q / sqrt(q + 2 sum_{k=1}^{q-1} (q-k) rho_k): what a Sharpe ratio per period is multiplied by for `periods`.

    `autocorrelations` begin with lag 1; later ones than are given count as 0, those from lag q on are without effect. None
    given: the root of q. Crypto trades every day, so a year has 365. Raises BadInput for a number of periods out of range,
    a correlation outside -1..1, and correlations that no series can have, which leave no variance.
    """
    if not isinstance(periods, int | np.integer) or not 1 <= periods <= PERIODS_MAX:
        raise BadInput(f"periods = {periods!r}: write a whole number from 1 to {PERIODS_MAX:,}")
    rho = np.asarray(autocorrelations, dtype=np.float64)[: periods - 1]
    if not (np.isfinite(rho).all() and (np.abs(rho) <= 1).all()):
        raise BadInput("autocorrelations must be finite and lie between -1 and 1")
    lags = np.arange(1, len(rho) + 1)
    variance = periods + 2 * float(((periods - lags) * rho).sum())
    if variance <= periods * _DEVIATION_MIN:
        raise BadInput(f"these autocorrelations leave {periods} periods without variance, so no factor exists")
    return periods / math.sqrt(variance)


def autocorrelations(returns: NDArray[np.float64], lags: int) -> NDArray[np.float64]:
    """Sample autocorrelations of lags 1 to `lags`, about the mean of the whole series and divided by its variance.

    Raises BadInput for fewer than `lags` + 2 returns, values that are not finite, and constant returns.
    """
    values = np.asarray(returns, dtype=np.float64)
    if lags < 0:
        raise BadInput(f"lags = {lags}: write 0 or more")
    if values.ndim != 1 or len(values) < lags + 2:
        raise BadInput(f"{values.size} returns are too few for {lags} lags: {lags + 2} are needed")
    if not np.isfinite(values).all():
        raise BadInput("every return must be finite")
    # By a power of two, which changes no digit: squares of what is huge or tiny have no double.
    values = np.ldexp(values, -np.frexp(np.abs(values).max())[1])
    centred = values - values.mean()
    power = float((centred * centred).sum())
    if power <= len(values) * (_DEVIATION_MIN * max(1e-300, float(np.abs(values).max()))) ** 2:
        raise BadInput("the returns are constant, so they have no autocorrelation")
    return np.array([float((centred[lag:] * centred[:-lag]).sum()) / power for lag in range(1, lags + 1)])


def lags_worth(n_obs: int) -> int:
    """How many autocorrelations so many returns can tell: 4 (T/100)^(2/9), as Newey and West (1994) choose it."""
    return int(4 * (n_obs / 100) ** (2 / 9)) if n_obs > 0 else 0


def annual_sharpe_ratio(returns: NDArray[np.float64], lags: int | None = None, periods: int = DAYS_PER_YEAR) -> float:
    """The Sharpe ratio of daily `returns` over a year; `lags` None: as many as `lags_worth` says. Raises as its parts do."""
    values = np.asarray(returns, dtype=np.float64)
    rho = autocorrelations(values, lags_worth(len(values)) if lags is None else lags)
    return sharpe_ratio(values) * annualisation_factor(rho.tolist(), periods)
