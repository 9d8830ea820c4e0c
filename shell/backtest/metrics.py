"""Figures of an equity curve and its trades: returns, drawdown, Sharpe, Sortino, trade statistics.

Floats throughout: nothing here goes back into an order. Every `_pct` is a fraction. Ratios use daily UTC returns,
because five-minute returns of a mostly flat strategy would pretend to hundreds of thousands of observations; a crypto
year has 365 days. Every figure is finite, so it can be stored as JSON: what has no defined value is 0.0, what has no
upper bound is `RATIO_MAX`, and each docstring says which.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from shell.backtest.result import EquityCurve, Metrics
from shell.clock import to_ms
from shell.market.bars import DAY_MS
from shell.portfolio.ledger import TradeClosed

DAYS_PER_YEAR = 365
RATIO_MAX = 100.0
# Below this, the deviation of daily returns is rounding noise of a curve that does not move.
_DEVIATION_MIN = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnMoments:
    """What the overfitting statistics need of a return series, per period: Sharpe, skewness, non-excess kurtosis.

    Skewness and kurtosis are the population moments (a normal distribution has 0 and 3). A series without deviation,
    or shorter than two, has sharpe 0.0, skew 0.0, kurtosis 3.0.
    """

    n_obs: int
    sharpe: float
    skew: float
    kurtosis: float


def compute_metrics(
    curve: EquityCurve,
    trades: Sequence[TradeClosed],
    fees_paid: float,
    starting_cash: float,
    buy_and_hold_return_pct: float,
    open_since: Sequence[datetime] = (),
) -> Metrics:
    """All figures of one run. Fees and cash in quote units; `open_since` holds the entry times of what is still open.

    - `total_return_pct`: last mark / starting cash - 1. An empty curve: 0.0.
    - `max_drawdown_pct`: largest fall from a running peak as a fraction of that peak, positive; the starting cash is
      the first peak.
    - `sharpe`, `sortino`, `daily_sharpe`: see `sharpe_ratio` and `sortino_ratio`, risk-free rate 0.
    - `trades`: completed trades, entry to flat. `win_rate`: share of them with a net profit above zero; 0.0 without
      trades.
    - `profit_factor`: sum of net profits / sum of net losses, at most `RATIO_MAX` (also when nothing lost); 0.0
      without trades or without any profit.
    - `expectancy`: mean net result of a trade as a fraction of its entry cost; 0.0 without trades.
    - `exposure_pct`: share of the time from the first mark to the last during which any position was open.
    - `days`: UTC days from the first mark to the last; the number of daily returns.
    """
    returns = daily_returns(curve)
    daily_sharpe = sharpe_ratio(returns)
    results = np.array([float(trade.pnl) for trade in trades])
    gained, lost = float(results[results > 0].sum()), float(-results[results < 0].sum())
    final = float(curve.values[-1]) if len(curve.values) else starting_cash
    return Metrics(
        total_return_pct=final / starting_cash - 1 if starting_cash > 0 else 0.0,
        max_drawdown_pct=max_drawdown(np.concatenate(([starting_cash], curve.values))),
        sharpe=daily_sharpe * math.sqrt(DAYS_PER_YEAR),
        sortino=_capped(sortino_ratio(returns) * math.sqrt(DAYS_PER_YEAR)),
        trades=len(trades),
        win_rate=float((results > 0).mean()) if len(results) else 0.0,
        profit_factor=_ratio(gained, lost),
        expectancy=math.fsum(trade.pnl_pct for trade in trades) / len(trades) if trades else 0.0,
        fees=fees_paid,
        exposure_pct=exposure(curve, trades, open_since),
        buy_and_hold_return_pct=buy_and_hold_return_pct,
        days=len(returns),
        daily_sharpe=daily_sharpe,
    )


def daily_closes(curve: EquityCurve) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The last mark of each UTC day: day numbers since the epoch and values.

    The first mark opens the first day. Later marks carry the time at which a bar closed, so one at midnight exactly is
    the close of the day that ends there. A day without a mark repeats the previous value: its return is zero and the
    day after carries the move.
    """
    if not len(curve.values):
        return np.empty(0, np.int64), np.empty(0, np.float64)
    first_day = curve.times_ms[0] // DAY_MS
    marked = np.maximum((curve.times_ms - 1) // DAY_MS, first_day)
    days = np.arange(first_day, marked[-1] + 1, dtype=np.int64)
    last_of_day = np.searchsorted(marked, days, side="right") - 1
    return days, curve.values[last_of_day]


def daily_returns(curve: EquityCurve) -> NDArray[np.float64]:
    """Simple returns between the last marks of consecutive UTC days; the first day's is measured from the first mark.

    The first mark comes before any fill (an order decided at a close fills no earlier than the next open), so it equals
    the starting cash. After a total loss returns are 0.0.
    """
    _, closes = daily_closes(curve)
    if not len(closes):
        return np.empty(0, np.float64)
    before = np.concatenate((curve.values[:1], closes[:-1]))
    ruined = before <= 0
    return np.where(ruined, 0.0, closes / np.where(ruined, 1.0, before) - 1)


def sharpe_ratio(returns: NDArray[np.float64]) -> float:
    """Mean / sample deviation (T-1) of the returns, per period, not annualised. Fewer than two, or constant: 0.0."""
    if len(returns) < 2:
        return 0.0
    deviation = float(returns.std(ddof=1))
    return float(returns.mean()) / deviation if deviation > _DEVIATION_MIN else 0.0


def sortino_ratio(returns: NDArray[np.float64]) -> float:
    """Mean / downside deviation, per period; the downside deviation is the root mean square of min(return, 0) over
    all T periods (Sortino and Price 1994, target 0). No losing period: `RATIO_MAX` with a gain, 0.0 without; fewer
    than two: 0.0.
    """
    if len(returns) < 2:
        return 0.0
    mean = float(returns.mean())
    downside = math.sqrt(float(np.square(np.minimum(returns, 0.0)).mean()))
    if downside > _DEVIATION_MIN:
        return mean / downside
    return RATIO_MAX if mean > _DEVIATION_MIN else 0.0


def max_drawdown(values: NDArray[np.float64]) -> float:
    """Largest fall from a running peak, as a positive fraction of that peak. Empty or never falling: 0.0."""
    if not len(values):
        return 0.0
    peaks = np.maximum.accumulate(values)
    falls = np.where(peaks > 0, 1 - values / np.where(peaks > 0, peaks, 1.0), 0.0)
    return float(falls.max())


def moments_of(returns: NDArray[np.float64]) -> ReturnMoments:
    """Length, per-period Sharpe, skewness and non-excess kurtosis of a return series."""
    sharpe = sharpe_ratio(returns)
    spread = float(returns.std()) if len(returns) >= 2 else 0.0
    if spread <= _DEVIATION_MIN:
        return ReturnMoments(n_obs=len(returns), sharpe=0.0, skew=0.0, kurtosis=3.0)
    scaled = (returns - returns.mean()) / spread
    return ReturnMoments(
        n_obs=len(returns), sharpe=sharpe, skew=float((scaled**3).mean()), kurtosis=float((scaled**4).mean())
    )


def exposure(curve: EquityCurve, trades: Sequence[TradeClosed], open_since: Sequence[datetime]) -> float:
    """Length of the union of all holding periods over the length of the curve. 0.0 for a curve without a length."""
    first, last = (int(curve.times_ms[0]), int(curve.times_ms[-1])) if len(curve.times_ms) else (0, 0)
    if last == first:
        return 0.0
    periods = sorted(
        [(to_ms(trade.opened_at), to_ms(trade.closed_at)) for trade in trades]
        + [(to_ms(opened), last) for opened in open_since]
    )
    held, reached = 0, first
    for begins, ends in periods:
        held += max(0, min(ends, last) - max(begins, reached))
        reached = max(reached, ends)
    return held / (last - first)


def _ratio(gained: float, lost: float) -> float:
    if gained <= 0:
        return 0.0
    return _capped(gained / lost) if lost > 0 else RATIO_MAX


def _capped(value: float) -> float:
    return max(-RATIO_MAX, min(RATIO_MAX, value))
