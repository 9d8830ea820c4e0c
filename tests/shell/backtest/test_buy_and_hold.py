"""Buying and holding: one fee, equal parts, and only bars of the window."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from shell.backtest.buy_and_hold import buy_and_hold_curve, buy_and_hold_return
from shell.clock import to_ms
from shell.errors import DataError
from shell.market.history import History

MIDNIGHT = datetime(2023, 3, 1, tzinfo=UTC)


def bars(opens: list[float], closes: list[float], start: datetime = MIDNIGHT) -> pl.DataFrame:
    times = [start + timedelta(minutes=5 * number) for number in range(len(opens))]
    highs = [max(pair) for pair in zip(opens, closes, strict=True)]
    return pl.DataFrame(
        {"timestamp": times, "open": opens, "high": highs, "low": opens, "close": closes, "volume": [1.0] * len(opens)},
        schema_overrides={"timestamp": pl.Datetime("ms", "UTC")},
    )


def test_buy_and_hold_pays_one_fee_and_weighs_symbols_equally() -> None:
    history = History(m5={"A/USD": bars([10, 11, 12], [11, 12, 20]), "B/USD": bars([4, 4, 4], [4, 4, 2])})
    end = MIDNIGHT + timedelta(minutes=15)
    # A doubles, B halves, one taker fee of 25 % each: (2 / 1.25 + 0.5 / 1.25) / 2 = 1.
    assert buy_and_hold_return(history, MIDNIGHT, end, 0.25) == pytest.approx(0.0)
    curve = buy_and_hold_curve(history, MIDNIGHT, end, 1000.0, 0.25)
    assert curve.values[-1] == pytest.approx(1000.0)
    assert curve.values[0] == pytest.approx(500 * 1.1 / 1.25 + 500 / 1.25)
    assert curve.times_ms[-1] == to_ms(end)


def test_buy_and_hold_takes_only_bars_that_opened_and_closed_inside_the_window() -> None:
    history = History(m5={"A/USD": bars([10, 20, 30], [1, 25, 1])})
    start, end = MIDNIGHT + timedelta(minutes=5), MIDNIGHT + timedelta(minutes=14)
    assert buy_and_hold_return(history, start, end, 0.0) == pytest.approx(0.25)


def test_a_symbol_that_lists_later_stays_cash_until_then() -> None:
    late = bars([5, 5], [5, 10], MIDNIGHT + timedelta(minutes=5))
    history = History(m5={"A/USD": bars([10, 10, 10], [10, 10, 10]), "B/USD": late})
    curve = buy_and_hold_curve(history, MIDNIGHT, MIDNIGHT + timedelta(minutes=15), 100.0, 0.0)
    assert curve.values.tolist() == pytest.approx([100.0, 100.0, 150.0])


def test_a_window_without_bars_is_refused_with_its_dates() -> None:
    history = History(m5={"A/USD": bars([10], [10])})
    with pytest.raises(DataError, match="2024-01-01"):
        buy_and_hold_return(history, datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC), 0.0)
