"""A paper trial that does what its backtest said passes, with prices off by what a bar explains and not by more."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.market.synthetic import synthetic_market
from shell.money import BaseQty, Price
from shell.orders import Fill, Side
from shell.promotion.band import bar_moves, fill_band, mean_cost
from shell.promotion.conformance import Judgement, compare, judge
from tests.shell.store.examples import answer, approved_order, fill_of

STARTED = datetime(2023, 3, 1, tzinfo=UTC)
DUE = STARTED + timedelta(days=1)
# Five minutes of a market with 60 % of yearly volatility.
MOVES = np.random.default_rng(3).standard_normal(2_000) * 0.0018


def backtest_fills(count: int = 8) -> list[Fill]:
    return [
        fill_of(approved_order(number * 30, side=Side.BUY if number % 2 else Side.SELL), price="20000")
        for number in range(1, count + 1)
    ]


def at_prices(fills: list[Fill], *factors: str) -> list[Fill]:
    """The same fills, each at its price times a factor; the last factor holds for the rest."""
    told = [*factors, *[factors[-1]] * len(fills)]
    return [
        replace(fill, price=Price(fill.price.value * Decimal(factor)))
        for fill, factor in zip(fills, told, strict=False)
    ]


def dearer(fills: list[Fill], part: str) -> list[Fill]:
    """Purchases above and sales below their price, all by the same part."""
    return [
        replace(fill, price=Price(fill.price.value * (1 + Decimal(part) * (1 if fill.side is Side.BUY else -1))))
        for fill in fills
    ]


def judged(paper: list[Fill], backtest: list[Fill], moves: object = MOVES, faults: int = 0) -> Judgement:
    signals = [answer(number) for number in range(1, 5)]
    comparison = compare(288, (signals, paper), (signals, backtest))
    return judge(
        comparison, started_at=STARTED, now=DUE, faults=faults, band=fill_band(np.asarray(moves), comparison.fills_equal)
    )


def test_the_same_fills_pass_whatever_the_market_and_say_so() -> None:
    fills = backtest_fills()
    for moves in (MOVES, np.empty(0), np.zeros(10)):
        verdict = judged(fills, fills, moves)
        assert verdict.passed
        assert verdict.reasons == ("all 4 signals of 288 scans and 8 fills equal the backtest's",)


def test_prices_off_by_what_a_bar_explains_pass() -> None:
    fills = backtest_fills()
    verdict = judged(at_prices(fills, "1.001", "0.999", "0.9995", "1.0005", "1"), fills)
    assert verdict.passed
    assert "within what a bar explains" in verdict.reasons[0]


@pytest.mark.parametrize("part", ["0.003", "-0.003"])
def test_fills_that_are_dearer_or_cheaper_than_a_bar_explains_fail(part: str) -> None:
    fills = backtest_fills()
    verdict = judged(dearer(fills, part), fills)
    assert not verdict.passed
    assert verdict.extended_until is None
    assert "dearer than the backtest's on average; prices within a bar explain" in verdict.reasons[0]


def test_where_prices_stood_still_every_difference_is_too_much() -> None:
    fills = backtest_fills()
    assert not judged(dearer(fills, "0.0001"), fills, np.zeros(100)).passed
    assert not judged(dearer(fills, "0.0001"), fills, np.empty(0)).passed


def test_a_fill_of_another_order_is_not_equal() -> None:
    fills = backtest_fills()
    late = [replace(fills[0], filled_at=fills[0].filled_at + timedelta(minutes=6)), *fills[1:]]
    larger = [replace(fills[0], qty=BaseQty("0.51")), *fills[1:]]
    other = [replace(fills[0], symbol="ETH/USD"), *fills[1:]]
    for paper in (late, larger, other, fills[1:], [*fills, fills[0]]):
        verdict = judged(paper, fills)
        assert not verdict.passed
        assert "backtest fills agree" in verdict.reasons[0]


def test_a_minute_later_and_a_little_less_is_the_same_order() -> None:
    fills = backtest_fills()
    close = [replace(fill, filled_at=fill.filled_at + timedelta(minutes=1), qty=BaseQty("0.499")) for fill in fills]
    assert judged(close, fills).passed


def test_too_few_fills_extend_once_and_faults_or_other_signals_fail() -> None:
    fills = backtest_fills(4)
    assert judged(fills, fills).extended_until == STARTED + timedelta(days=7)
    assert "failed 2 times" in judged(fills, fills, faults=2).reasons[0]
    comparison = compare(288, ([answer(1)], []), ([answer(2)], []))
    assert "0 of 1 paper and 1 backtest signals agree" in judge(comparison, started_at=STARTED, now=DUE, faults=0).reasons[0]


@given(st.integers(1, 40), st.floats(0.0001, 0.02))
def test_the_band_holds_nothing_narrows_with_fills_and_widens_with_moves(fills: int, size: float) -> None:
    moves = np.random.default_rng(1).standard_normal(500) * size
    band, more = fill_band(moves, fills), fill_band(moves, fills * 4)
    assert band.low < 0 < band.high
    assert more.high < band.high
    assert fill_band(moves * 2, fills).high == pytest.approx(2 * band.high)
    assert band == fill_band(moves, fills)


def test_one_honest_trial_in_twenty_is_outside_by_chance() -> None:
    chance = np.random.default_rng(5)
    band = fill_band(MOVES, 8)
    means = chance.choice(MOVES, size=(4_000, 8)).mean(axis=1)
    outside = np.mean([not band.holds(float(mean)) for mean in means])
    assert outside == pytest.approx(0.05, abs=0.015)


def test_moves_are_those_of_the_trials_bars_alone() -> None:
    history = synthetic_market(3, ["BTC/USD", "ETH/USD"], STARTED, 3)
    moves = bar_moves(history, STARTED + timedelta(days=1), STARTED + timedelta(days=2))
    assert len(moves) == 2 * 288
    frame = history.m5["BTC/USD"][288:576]
    assert moves[:288] == pytest.approx((frame["close"] / frame["open"] - 1).to_numpy())


def test_the_mean_cost_counts_purchases_above_and_sales_below_as_dearer() -> None:
    fills = backtest_fills(2)
    assert mean_cost(list(zip(dearer(fills, "0.01"), fills, strict=True))) == pytest.approx(0.01)
    assert mean_cost([]) == 0.0
