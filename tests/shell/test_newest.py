"""Newest values: to the last bit what the windows end with, whatever bars are missing and however they arrive."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shell import indicators
from shell.contract import SymbolData
from shell.host.candles import CandleShelf
from shell.indicators import Values
from shell.market.bars import Tier
from tests.shell.test_indicators import T0, by_hand, make_rows

SYMBOLS = [f"S{number}/USD" for number in range(7)]

PAIRS: dict[str, tuple[Callable[[SymbolData], float], Callable[[SymbolData], Values]]] = {
    "ema": (lambda data: indicators.ema_last(data, "5m", 7), lambda data: indicators.ema(data, "5m", 7)),
    "rsi": (lambda data: indicators.rsi_last(data, "5m", 5), lambda data: indicators.rsi(data, "5m", 5)),
    "atr": (lambda data: indicators.atr_last(data, "5m", 5), lambda data: indicators.atr(data, "5m", 5)),
    "mean": (
        lambda data: indicators.rolling_mean_last(data, "5m", 5, "volume"),
        lambda data: indicators.rolling_mean(data, "5m", 5, "volume"),
    ),
    "deviation": (
        lambda data: indicators.rolling_deviation_last(data, "5m", 9),
        lambda data: indicators.rolling_deviation(data, "5m", 9),
    ),
    "highest": (lambda data: indicators.highest_last(data, "5m", 6), lambda data: indicators.highest(data, "5m", 6)),
    "lowest": (lambda data: indicators.lowest_last(data, "5m", 6), lambda data: indicators.lowest(data, "5m", 6)),
    "newest": (lambda data: indicators.newest(data, "5m", "volume"), lambda data: data.candles_5m["volume"].to_numpy()),
}


def facts(count: int) -> list[tuple[float, ...]]:
    return [(float(at), 99.0, 101.0, 100.0, 5.0, 0.0025, 0.004) for at in range(count)]


def same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


def crossing_of(data: SymbolData, fast: int, slow: int) -> int:
    """The definition, from the windows."""
    quick, calm = indicators.ema(data, "5m", fast), indicators.ema(data, "5m", slow)
    if len(quick) < 2:
        return 0
    if quick[-1] > calm[-1]:
        return int(calm[-2] >= quick[-2])
    return -int(quick[-2] > calm[-2])


@pytest.mark.parametrize("name", PAIRS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), warm=st.integers(0, 30), asked=st.lists(st.booleans(), min_size=1, max_size=40))
def test_the_newest_value_is_the_windows_last_however_seldom_it_is_asked(
    name: str, seed: int, warm: int, asked: list[bool]
) -> None:
    quick, window = PAIRS[name]
    rows = make_rows(warm + len(asked), seed)
    shelf, other = (CandleShelf(["A/B"], {("A/B", Tier.M5): rows[:warm]}) for _ in range(2))
    for number, ask in enumerate(asked, start=warm):
        bar = [(0.0, 0.0, *rows[number].tolist())]
        shelf.feed(bar)
        other.feed(bar)
        if ask:
            now_ms = T0 + (number + 1) * Tier.M5.ms
            value = quick(shelf.markets(now_ms, facts(1))["A/B"])
            assert same(value, indicators.last(window(other.markets(now_ms, facts(1))["A/B"])))
            assert same(value, quick(by_hand(rows[: number + 1])))


@settings(max_examples=30, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**32), count=st.integers(1, 7), bars=st.integers(1, 80))
def test_crossings_together_are_those_of_each_symbol(data: st.DataObject, seed: int, count: int, bars: int) -> None:
    rows = [make_rows(bars, seed + at) for at in range(count)]
    symbols = SYMBOLS[:count]
    shelf = CandleShelf(symbols, {})
    there = data.draw(st.lists(st.lists(st.booleans(), min_size=count, max_size=count), min_size=bars, max_size=bars))
    for number in range(bars):
        shelf.feed([(float(at), 0.0, *rows[at][number].tolist()) for at in range(count) if there[number][at]])
        markets = shelf.markets(T0 + (number + 1) * Tier.M5.ms, facts(count))
        expected = {symbol: crossing_of(markets[symbol], 3, 6) for symbol in symbols}
        found = indicators.ema_crossings(markets, "5m", 3, 6)
        assert found == {symbol: crossed for symbol, crossed in expected.items() if crossed}
        assert [indicators.ema_cross(markets[symbol], "5m", 3, 6) for symbol in symbols] == list(expected.values())


def test_a_crossing_is_found_in_data_built_by_hand() -> None:
    rows = make_rows(300, seed=5)
    crossings = [indicators.ema_cross(by_hand(rows[:stop]), "5m", 3, 9) for stop in range(1, 300)]
    assert set(crossings) == {-1, 0, 1}
    assert [each for each in crossings if each] == [1 if at % 2 == crossings_start(crossings) else -1 for at in range(sum(map(abs, crossings)))]
    markets = {"A/B": by_hand(rows)}
    assert indicators.ema_crossings(markets, "5m", 3, 9) == ({"A/B": crossings[-1]} if crossings[-1] else {})


def crossings_start(crossings: list[int]) -> int:
    """0 when the first crossing is upwards: they alternate from there."""
    return 0 if next(each for each in crossings if each) == 1 else 1


def test_across_gives_one_value_a_symbol_in_the_order_of_the_markets() -> None:
    rows = [make_rows(40, seed=at) for at in range(3)]
    shelf = CandleShelf(SYMBOLS[:3], {(symbol, Tier.M5): rows[at] for at, symbol in enumerate(SYMBOLS[:3])})
    markets = shelf.markets(T0 + 40 * Tier.M5.ms, facts(3))
    vector = indicators.across(indicators.ema_last, markets, "5m", 9)
    np.testing.assert_array_equal(vector, [indicators.last(indicators.ema(data, "5m", 9)) for data in markets.values()])


def test_data_kept_from_an_earlier_scan_goes_on_showing_that_scan() -> None:
    rows = make_rows(50, seed=8)
    shelf = CandleShelf(["A/B"], {("A/B", Tier.M5): rows[:40]})
    kept = shelf.markets(T0 + 40 * Tier.M5.ms, [(0.0, 9.0, 11.0, 10.0, 5.0, 0.0, 0.0)])["A/B"]
    before = indicators.ema_last(kept, "5m", 5), indicators.rolling_mean_last(kept, "5m", 5), kept.current_price
    shelf.feed([(0.0, 0.0, *row) for row in rows[40:].tolist()])
    later = shelf.markets(T0 + 50 * Tier.M5.ms, [(0.0, 19.0, 21.0, 20.0, 5.0, 0.0, 0.0)])["A/B"]
    assert later is not kept
    assert (indicators.ema_last(kept, "5m", 5), indicators.rolling_mean_last(kept, "5m", 5), kept.current_price) == before
    assert kept.candles_5m.height == 40
    assert later.candles_5m.height == 50
    assert later.current_price == 20.0


def test_data_that_nobody_kept_is_used_again() -> None:
    rows = make_rows(50, seed=8)
    shelf = CandleShelf(["A/B"], {("A/B", Tier.M5): rows[:40]})
    shelf.markets(T0 + 40 * Tier.M5.ms, facts(1))
    first = id(shelf.markets(T0 + 41 * Tier.M5.ms, facts(1))["A/B"])
    assert id(shelf.markets(T0 + 42 * Tier.M5.ms, facts(1))["A/B"]) == first


@pytest.mark.parametrize(
    "call",
    [
        lambda data: indicators.ema_last(data, "15m", 5),
        lambda data: indicators.ema_last(data, "5m", 0),
        lambda data: indicators.ema_last(data, "5m", 5, "vwap"),
        lambda data: indicators.rolling_deviation_last(data, "5m", 1),
        lambda data: indicators.newest(data, "5m", "vwap"),
        lambda data: indicators.ema_cross(data, "5m", 0, 5),
    ],
)
def test_nonsense_is_refused_with_a_sentence(call: Callable[[SymbolData], float]) -> None:
    rows = make_rows(10, seed=5)
    hosted = CandleShelf(["A/B"], {("A/B", Tier.M5): rows}).markets(T0 + 10 * Tier.M5.ms, facts(1))["A/B"]
    for data in (by_hand(rows), hosted):
        with pytest.raises(ValueError, match="use "):
            call(data)
