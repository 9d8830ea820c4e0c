"""Metrics: every figure on curves small enough to compute by hand."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.backtest.metrics import (
    RATIO_MAX,
    compute_metrics,
    daily_returns,
    max_drawdown,
    moments_of,
    sharpe_ratio,
    sortino_ratio,
)
from shell.backtest.result import EquityCurve, Metrics
from shell.clock import to_ms
from shell.contract import Intent
from shell.market.bars import DAY_MS
from shell.money import BaseQty, QuoteAmount
from shell.portfolio.ledger import TradeClosed

MIDNIGHT = datetime(2023, 3, 1, tzinfo=UTC)
STEP_MS = 300_000


def curve_of(values_by_day: list[list[float]], start: datetime = MIDNIGHT, cash: float = 100.0) -> EquityCurve:
    """The starting cash at midnight, then marks spread over each day, the last one at the midnight that ends it."""
    times: list[int] = [to_ms(start)]
    values: list[float] = [cash]
    for day, marks in enumerate(values_by_day):
        for position, value in enumerate(marks, start=1):
            times.append(to_ms(start) + day * DAY_MS + position * DAY_MS // len(marks))
            values.append(value)
    return EquityCurve(times_ms=np.array(times, np.int64), values=np.array(values))


def trade(pnl: str) -> TradeClosed:
    """A trade of 100 quote units that ended with `pnl` after a fee of 1."""
    return TradeClosed(
        trade_id=f"T{pnl}", book="main", version="v001", symbol="BTC/USD", qty=BaseQty(1), cost=QuoteAmount(100),
        proceeds=QuoteAmount(Decimal(101) + Decimal(pnl)), fees=QuoteAmount(1), horizon=Intent.SWING,
        opened_at=MIDNIGHT, closed_at=MIDNIGHT + timedelta(days=1), exit_purpose="exit",
    )


def metrics_of(curve: EquityCurve, trades: list[TradeClosed]) -> Metrics:
    return compute_metrics(curve, trades, fees_paid=3.0, starting_cash=100.0, buy_and_hold_return_pct=0.1)


def test_a_day_ends_with_the_mark_at_midnight() -> None:
    # Day one closes at 110 (marked at 24:00), day two at 99.
    curve = curve_of([[100.0, 105.0, 110.0], [120.0, 99.0]])
    assert daily_returns(curve) == pytest.approx([0.10, -0.10])


def test_a_day_without_marks_has_a_return_of_zero_and_the_next_carries_the_move() -> None:
    curve = EquityCurve(
        times_ms=np.array([to_ms(MIDNIGHT) + STEP_MS, to_ms(MIDNIGHT) + 2 * DAY_MS + STEP_MS], np.int64),
        values=np.array([100.0, 120.0]),
    )
    assert daily_returns(curve) == pytest.approx([0.0, 0.0, 0.2])


def test_figures_of_a_small_run() -> None:
    curve = curve_of([[100.0, 110.0], [88.0], [99.0]])
    returns = np.array([0.10, -0.20, 0.125])
    metrics = metrics_of(curve, [trade("5"), trade("-2"), trade("-3"), trade("8")])
    assert metrics.total_return_pct == pytest.approx(-0.01)
    assert metrics.max_drawdown_pct == pytest.approx(0.2)  # 110 -> 88
    assert metrics.daily_sharpe == pytest.approx(returns.mean() / returns.std(ddof=1))
    assert metrics.sharpe == pytest.approx(metrics.daily_sharpe * math.sqrt(365))
    assert metrics.sortino == pytest.approx(returns.mean() / math.sqrt(0.04 / 3) * math.sqrt(365))
    assert metrics.trades == 4
    assert metrics.win_rate == 0.5
    assert metrics.profit_factor == pytest.approx(13 / 5)
    assert metrics.expectancy == pytest.approx(0.02)  # mean of 5, -2, -3, 8 per 100
    assert metrics.exposure_pct == pytest.approx(1 / 3)  # four trades, all on the first of three days
    assert (metrics.fees, metrics.buy_and_hold_return_pct, metrics.days) == (3.0, 0.1, 3)


def test_overlapping_trades_count_once_in_exposure_and_open_positions_count_to_the_end() -> None:
    curve = curve_of([[100.0]] * 4)
    metrics = compute_metrics(
        curve, [trade("5"), trade("1")], fees_paid=0.0, starting_cash=100.0, buy_and_hold_return_pct=0.0,
        open_since=[MIDNIGHT + timedelta(days=3)],
    )
    assert metrics.exposure_pct == pytest.approx(0.5)


def test_a_fall_from_the_starting_cash_is_a_drawdown() -> None:
    assert metrics_of(curve_of([[90.0]]), []).max_drawdown_pct == pytest.approx(0.1)


@pytest.mark.parametrize(
    "curve",
    [
        EquityCurve(times_ms=np.empty(0, np.int64), values=np.empty(0)),
        curve_of([[100.0]]),
        curve_of([[100.0, 100.0]] * 40),
        curve_of([[100.3], [100.3], [100.3]], cash=100.3),
    ],
)
def test_empty_and_constant_curves_give_zeros(curve: EquityCurve) -> None:
    metrics = metrics_of(curve, [])
    assert metrics.sharpe == metrics.sortino == metrics.daily_sharpe == metrics.max_drawdown_pct == 0.0
    assert metrics.win_rate == metrics.profit_factor == metrics.expectancy == 0.0


def test_without_losses_the_unbounded_ratios_stop_at_their_maximum() -> None:
    metrics = metrics_of(curve_of([[100.0], [101.0], [103.0]]), [trade("5")])
    assert metrics.profit_factor == RATIO_MAX
    assert metrics.sortino == RATIO_MAX
    json.dumps(metrics.as_dict(), allow_nan=False)


def test_a_total_loss_stays_finite() -> None:
    assert daily_returns(curve_of([[100.0], [0.0], [0.0]])) == pytest.approx([0.0, -1.0, 0.0])
    assert max_drawdown(np.array([100.0, 0.0])) == 1.0


@given(st.lists(st.lists(st.just(0.0) | st.floats(0.01, 1e9), min_size=1, max_size=4), max_size=12))
def test_every_figure_is_finite_whatever_the_curve(values: list[list[float]]) -> None:
    metrics = metrics_of(curve_of(values), [])
    json.dumps(metrics.as_dict(), allow_nan=False)
    assert 0 <= metrics.max_drawdown_pct <= 1
    assert metrics.days == max(1, len(values))


@given(st.lists(st.floats(-0.5, 0.5), min_size=3, max_size=60), st.floats(0.1, 10))
def test_ratios_do_not_depend_on_the_scale_of_returns(values: list[float], scale: float) -> None:
    returns = np.array(values)
    if returns.std() < 1e-6:
        return
    assert sharpe_ratio(returns * scale) == pytest.approx(sharpe_ratio(returns), rel=1e-6)
    moments, scaled = moments_of(returns), moments_of(returns * scale)
    assert (scaled.skew, scaled.kurtosis) == pytest.approx((moments.skew, moments.kurtosis), rel=1e-4, abs=1e-9)
    assert moments.kurtosis >= 1 + moments.skew**2 - 1e-6


def test_moments_of_a_known_series() -> None:
    # Two values, equally often: skewness 0, kurtosis 1, the smallest there is.
    moments = moments_of(np.array([0.01, 0.03] * 10))
    assert (moments.n_obs, moments.skew, moments.kurtosis) == (20, pytest.approx(0, abs=1e-9), pytest.approx(1.0))
    assert moments.sharpe == pytest.approx(0.02 / (0.01 * math.sqrt(20 / 19)))


def test_sortino_is_zero_when_nothing_moved() -> None:
    assert sortino_ratio(np.zeros(5)) == 0.0


def test_no_trades_and_no_fees_is_a_valid_run() -> None:
    metrics = compute_metrics(
        curve_of([[100.0]]), [], fees_paid=0.0, starting_cash=100.0, buy_and_hold_return_pct=0.0
    )
    assert (metrics.trades, metrics.fees, metrics.total_return_pct) == (0, 0.0, 0.0)
