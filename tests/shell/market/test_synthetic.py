"""Synthetic markets: plausible, the same for the same seed, and with an edge exactly where one is planted."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pytest
from numpy.typing import NDArray

from shell.errors import BadInput
from shell.market.aggregate import aggregate
from shell.market.bars import Tier
from shell.market.check import check_frame
from shell.market.history import History
from shell.market.synthetic import MarketKind, synthetic_market

START = datetime(2024, 1, 1, tzinfo=UTC)
PAIR = ["BTC/USD", "ETH/USD"]
SEEDS = range(8)
# Taker fee, half the spread and slippage, paid on every change of position.
COST = 0.004 + 0.0002 + 0.0005


def ema(values: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    weight, smooth = 2 / (length + 1), values.copy()
    for at in range(1, len(values)):
        smooth[at] = smooth[at - 1] + weight * (values[at] - smooth[at - 1])
    return smooth


def daily_returns(history: History, follow_trend: bool) -> NDArray[np.float64]:
    """Equal weights, held long: always, or while the hourly EMA(8) is above the EMA(34), after costs."""
    total = np.zeros(0)
    for frame in history.m5.values():
        close = aggregate(frame, Tier.H1)["close"].to_numpy()
        held = (ema(close, 8) > ema(close, 34)).astype(float) if follow_trend else np.ones(len(close))
        turnover = np.abs(np.diff(held, prepend=0.0))[:-1] if follow_trend else 0.0
        earned = held[:-1] * np.diff(close) / close[:-1] - turnover * COST
        total = earned if len(total) == 0 else total + earned
    hours = len(total) // 24 * 24
    return np.asarray(total[:hours].reshape(-1, 24).sum(axis=1) / len(history.m5))


def sharpe(returns: NDArray[np.float64]) -> float:
    return float(returns.mean() / returns.std(ddof=1))


def test_a_trend_rule_earns_after_fees_where_an_edge_is_planted_and_holding_does_not() -> None:
    markets = [synthetic_market(seed, PAIR, START, 240, MarketKind.PLANTED_EDGE) for seed in SEEDS]
    trend = [sharpe(daily_returns(market, follow_trend=True)) for market in markets]
    held = [sharpe(daily_returns(market, follow_trend=False)) for market in markets]
    assert min(trend) > 0.25
    assert 0.4 < np.mean(trend) < 0.7
    assert abs(np.mean(held)) < 0.05
    assert max(held) < min(trend)


def test_the_same_rule_loses_its_fees_where_no_edge_is_planted() -> None:
    markets = [synthetic_market(seed, PAIR, START, 240) for seed in SEEDS]
    trend = [sharpe(daily_returns(market, follow_trend=True)) for market in markets]
    assert max(trend) < 0.0


def test_a_plain_market_is_a_fair_game() -> None:
    """The mean of the final price over many seeds is the first price, within three standard errors."""
    finals = []
    for seed in range(60):
        close = synthetic_market(seed, ["BTC/USD"], START, 20).m5["BTC/USD"]["close"].to_numpy()
        finals.append(close[-1] / close[0])
    error = np.std(finals, ddof=1) / math.sqrt(len(finals))
    assert abs(np.mean(finals) - 1) < 3 * error


@pytest.mark.parametrize("kind", list(MarketKind))
def test_bars_are_plausible(kind: MarketKind) -> None:
    history = synthetic_market(3, [*PAIR, "SOL/USD"], START, 120, kind)
    returns = {}
    for symbol, frame in history.m5.items():
        checked = check_frame(symbol, Tier.M5, frame)
        assert checked.report.ok
        assert (checked.report.gaps, checked.report.zero_volume, checked.report.wide_wicks) == ((), 0, 0)
        assert frame.height == 120 * 288
        assert frame["timestamp"][0] == START
        close = frame["close"].to_numpy()
        assert np.array_equal(frame["open"].to_numpy()[1:], close[:-1])
        returns[symbol] = np.diff(np.log(close))
        annual = returns[symbol].std() * math.sqrt(365 * 288)
        assert 0.4 < annual < 0.85
        by_hour = frame.group_by(frame["timestamp"].dt.hour()).mean().sort("timestamp")["volume"]
        assert by_hour[15] > 1.5 * by_hour[4]
    assert 0.4 < np.corrcoef(returns["BTC/USD"], returns["ETH/USD"])[0, 1] < 0.8
    assert (history.m5["BTC/USD"]["close"] * 10 % 1 < 1e-6).mean() > 0.4


def test_the_label_says_that_it_is_invented() -> None:
    plain, planted = (synthetic_market(5, PAIR, START, 1, kind) for kind in MarketKind)
    assert (plain.source, plain.real) == ("synthetic (seed 5)", False)
    assert (planted.source, planted.real) == ("planted-edge synthetic (seed 5)", False)


@pytest.mark.parametrize("kind", list(MarketKind))
def test_a_seed_always_makes_the_same_bars_and_more_days_only_add_to_them(kind: MarketKind) -> None:
    short, long = (synthetic_market(7, PAIR, START, days, kind) for days in (5, 30))
    for symbol in PAIR:
        assert long.m5[symbol].head(5 * 288).equals(short.m5[symbol])
    alone = synthetic_market(7, ["ETH/USD"], START, 5, kind)
    assert alone.m5["ETH/USD"].equals(short.m5["ETH/USD"])
    other = synthetic_market(8, PAIR, START, 5, kind)
    assert not other.m5["BTC/USD"].equals(short.m5["BTC/USD"])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"days": 0}, "1 to 3650"),
        ({"symbols": []}, "at least one symbol"),
        ({"symbols": ["bitcoin"]}, "not a symbol"),
        ({"kind": "bull"}, "plain or planted-edge"),
        ({"seed": -1}, "out of range"),
        ({"start": datetime(2024, 1, 1, 0, 3, tzinfo=UTC)}, "5-minute mark"),
    ],
)
def test_impossible_markets_get_a_sentence(options: dict[str, object], told: str) -> None:
    arguments = {"seed": 1, "symbols": PAIR, "start": START, "days": 2, "kind": "plain"} | options
    with pytest.raises(BadInput, match=told):
        synthetic_market(**arguments)
