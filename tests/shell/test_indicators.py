"""Indicators: grown equals recomputed, against definitions written another way, at a cost that ignores history."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shell import indicators
from shell.clock import monotonic
from shell.contract import SymbolData
from shell.host.candles import CandleShelf
from shell.indicators import Values
from shell.market.bars import TIERS, Tier
from shell.market.frames import empty_frame, to_frame

T0 = 1_700_000_000_000 // Tier.D1.ms * Tier.D1.ms
FACTS = (0.0, 99.0, 101.0, 100.0, 5.0, 0.0025, 0.004)

FORMS: dict[str, tuple[Callable[[SymbolData], Values], Callable[[dict[str, Values]], Values]]] = {
    "ema": (lambda data: indicators.ema(data, "5m", 7), lambda c: indicators.ema_of(c["close"], 7)),
    "sma": (lambda data: indicators.sma(data, "5m", 7), lambda c: indicators.sma_of(c["close"], 7)),
    "mean of volume": (
        lambda data: indicators.rolling_mean(data, "5m", 5, "volume"),
        lambda c: indicators.rolling_mean_of(c["volume"], 5),
    ),
    "deviation": (
        lambda data: indicators.rolling_deviation(data, "5m", 9),
        lambda c: indicators.rolling_deviation_of(c["close"], 9),
    ),
    "highest": (lambda data: indicators.highest(data, "5m", 6), lambda c: indicators.highest_of(c["high"], 6)),
    "lowest": (lambda data: indicators.lowest(data, "5m", 6), lambda c: indicators.lowest_of(c["low"], 6)),
    "change": (
        lambda data: indicators.rate_of_change(data, "5m", 4),
        lambda c: indicators.rate_of_change_of(c["close"], 4),
    ),
    "rsi": (lambda data: indicators.rsi(data, "5m", 5), lambda c: indicators.rsi_of(c["close"], 5)),
    "atr": (
        lambda data: indicators.atr(data, "5m", 5),
        lambda c: indicators.atr_of(c["high"], c["low"], c["close"], 5),
    ),
}


def make_rows(count: int, seed: int) -> Values:
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(0.01 * rng.standard_normal(count)))
    open_ = np.concatenate(([100.0], close[:-1])) if count else close
    high, low = np.maximum(open_, close) + rng.random(count), np.minimum(open_, close) - rng.random(count)
    return np.column_stack((T0 + Tier.M5.ms * np.arange(count), open_, high, low, close, rng.random(count)))


def columns_of(rows: Values) -> dict[str, Values]:
    return dict(zip(("open_ms", "open", "high", "low", "close", "volume"), rows.T, strict=True))


def by_hand(rows: Values) -> SymbolData:
    frames = {"candles_5m": to_frame(rows), "candles_1h": empty_frame(), "candles_1d": empty_frame()}
    return SymbolData(symbol="A/B", current_price=1.0, spread=0.1, volume_24h=1.0, **frames)


def shelf_of(rows: Values) -> CandleShelf:
    return CandleShelf(["A/B"], {("A/B", Tier.M5): rows})


def hosted(shelf: CandleShelf, rows_known: int) -> SymbolData:
    return shelf.markets(T0 + rows_known * Tier.M5.ms, [FACTS])["A/B"]


@pytest.mark.parametrize("name", FORMS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), chunks=st.lists(st.integers(0, 40), min_size=1, max_size=12))
def test_grown_in_any_chunks_equals_recomputed(name: str, seed: int, chunks: list[int]) -> None:
    grown, recomputed = FORMS[name]
    rows = make_rows(sum(chunks), seed)
    shelf = shelf_of(rows[: chunks[0]])
    known = chunks[0]
    grown(hosted(shelf, known))
    for size in chunks[1:]:
        shelf.feed([(0.0, 0.0, *row) for row in rows[known : known + size].tolist()])
        known += size
        np.testing.assert_allclose(grown(hosted(shelf, known)), recomputed(columns_of(rows[:known])), rtol=1e-9, equal_nan=True)


@pytest.mark.parametrize("name", FORMS)
def test_data_built_by_hand_gives_what_the_host_gives(name: str) -> None:
    grown, _ = FORMS[name]
    rows = make_rows(200, seed=1)
    np.testing.assert_array_equal(grown(by_hand(rows)), grown(hosted(shelf_of(rows), 200)))


def test_averages_agree_with_polars() -> None:
    close = pl.Series(make_rows(300, seed=2)[:, 4])
    expected = close.ewm_mean(span=21, adjust=False, min_samples=21).fill_null(math.nan)
    np.testing.assert_allclose(indicators.ema_of(close, 21), expected, rtol=1e-12)
    np.testing.assert_allclose(indicators.sma_of(close, 20), close.rolling_mean(20).fill_null(math.nan), rtol=1e-12)
    np.testing.assert_allclose(indicators.rolling_deviation_of(close, 20), close.rolling_std(20).fill_null(math.nan), rtol=1e-9)


def test_wilders_strength_index_by_the_book() -> None:
    closes = [10.0, 11.0, 10.5, 11.5, 12.0, 11.0]
    # Changes +1, -0.5, +1 start the averages: gain 2/3, loss 1/6, so 80. Then +0.5: gain 11/18, loss 1/9.
    gain, loss = (2 / 3 * 2 + 0.5) / 3, (1 / 6 * 2) / 3
    strength = indicators.rsi_of(closes, 3)
    assert np.isnan(strength[:3]).all()
    assert strength[3] == pytest.approx(80.0)
    assert strength[4] == pytest.approx(100 - 100 / (1 + gain / loss))
    assert indicators.rsi_of([5.0] * 9, 3)[-1] == 50.0


def test_true_range_counts_the_gap_from_the_previous_close() -> None:
    average = indicators.atr_of(high=[11.0, 21.0, 21.0], low=[9.0, 20.0, 19.0], close=[10.0, 20.5, 20.0], period=2)
    # Ranges: 2, then 21 - 10 = 11, then 2; average (2 + 11) / 2, then (6.5 + 2) / 2.
    assert average[1:].tolist() == [6.5, 4.25]


def test_deviation_of_a_constant_after_a_jump_is_exactly_zero() -> None:
    values = indicators.rolling_deviation_of([1e9] * 30 + [1e-8] * 30, 10)
    assert values[-1] == 0.0
    assert indicators.rolling_deviation_of([1.0, 2.0, 4.0], 3)[-1] == pytest.approx(statistics.stdev([1, 2, 4]))


def test_values_align_with_a_window_that_has_begun_to_slide() -> None:
    count = Tier.M5.window_bars + 100
    rows = make_rows(count, seed=3)
    data = hosted(shelf_of(rows), count)
    values = indicators.highest(data, "5m", 3)
    assert len(values) == data.candles_5m.height == Tier.M5.window_bars
    # The window's first bar has its three highs: the two before it have left the window, not the series.
    assert values[0] == rows[98:101, 2].max()


def test_no_value_can_be_changed_and_earlier_values_stay() -> None:
    rows = make_rows(100, seed=4)
    shelf = shelf_of(rows[:60])
    before = indicators.ema(hosted(shelf, 60), "5m", 5)
    copy = before.copy()
    with pytest.raises(ValueError):
        before[-1] = 0.0
    with pytest.raises(ValueError):
        indicators.sma(by_hand(rows), "5m", 5)[-1] = 0.0
    shelf.feed([(0.0, 0.0, *row) for row in rows[60:].tolist()])
    indicators.ema(hosted(shelf, 100), "5m", 5)
    np.testing.assert_array_equal(before, copy)


def test_empty_windows_give_no_value() -> None:
    for tier in TIERS:
        data = hosted(CandleShelf(["A/B"], {}), 0)
        assert len(indicators.ema(data, tier.value, 5)) == 0
        assert math.isnan(indicators.last(indicators.ema(data, tier, 5)))
    assert indicators.last(indicators.sma_of([1.0, 3.0], 2)) == 2.0


@pytest.mark.parametrize(
    "call",
    [
        lambda data: indicators.ema(data, "15m", 5),
        lambda data: indicators.ema(data, "5m", 0),
        lambda data: indicators.ema(data, "5m", 2.5),
        lambda data: indicators.ema(data, "5m", 5, "vwap"),
        lambda data: indicators.rolling_deviation(data, "5m", 1),
        lambda data: indicators.atr_of([1.0], [1.0], [1.0, 2.0], 1),
    ],
)
def test_nonsense_is_refused_with_a_sentence(call: Callable[[SymbolData], Values]) -> None:
    for data in (by_hand(make_rows(10, seed=5)), hosted(shelf_of(make_rows(10, seed=5)), 10)):
        with pytest.raises(ValueError, match=r"use |differ"):
            call(data)


@pytest.mark.parametrize("name", FORMS)
def test_a_new_bar_costs_the_same_whatever_the_history(name: str) -> None:
    grown, _ = FORMS[name]

    def seconds_per_bar(history: int) -> float:
        rows = make_rows(history + 200, seed=6)
        shelf = shelf_of(rows[:history])
        grown(hosted(shelf, history))
        later = [(0.0, 0.0, *row) for row in rows[history:].tolist()]
        began = monotonic()
        for number, row in enumerate(later, start=1):
            shelf.feed([row])
            grown(hosted(shelf, history + number))
        return (monotonic() - began) / len(later)

    short, long = min(seconds_per_bar(300) for _ in range(3)), min(seconds_per_bar(30_000) for _ in range(3))
    # A recomputation would be a hundred times dearer; the factor leaves room for a busy machine.
    assert long < 5.0 * short + 50e-6
