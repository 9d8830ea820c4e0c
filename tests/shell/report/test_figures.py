"""Numbers as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from shell.report import figures, ticks


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (figures.money(Decimal("1234567.891")), "1,234,567.89"),
        (figures.money(-0.004), "0.00"),
        (figures.money(-3.5, sign=True), "−3.50"),
        (figures.money(3.5, sign=True), "+3.50"),
        (figures.percent(0.0123), "1.23\u00a0%"),
        (figures.percent(Decimal("0.004"), 2), "0.40\u00a0%"),
        (figures.price(Decimal("84000.1")), "84,000.10"),
        (figures.price(0.201234), "0.201234"),
        (figures.price(0.00001234), "0.0000123400"),
        (figures.price(0), "0.00"),
        (figures.quantity(Decimal("0.12345678")), "0.12345678"),
        (figures.quantity(Decimal("120.50000000")), "120.5"),
        (figures.figure("max_drawdown_pct", 0.25), "25.00\u00a0%"),
        (figures.figure("sharpe", float("nan")), "–"),
        (figures.figure("profit_factor", float("inf")), "∞"),
        (figures.figure("trades", 31), "31"),
        (figures.figure("daily_sharpe", 0.0963), "0.0963"),
        (figures.figure("deflated_sharpe", 0.9874), "0.987"),
        (figures.figure("anything", None), "–"),
        (figures.span(timedelta(days=1, hours=2, minutes=3)), "1 d 2 h"),
        (figures.span(timedelta(minutes=65)), "1 h 5 min"),
        (figures.plural(1, "trade"), "1 trade"),
        (figures.plural(1200, "trade"), "1,200 trades"),
    ],
)
def test_numbers_are_written_for_people(text: str, expected: str) -> None:
    assert text == expected


def test_value_ticks_are_round_and_within_the_range() -> None:
    assert ticks.values(9_870, 10_640, 5) == (10_000, 10_200, 10_400, 10_600)
    assert ticks.values(-0.021, 0.0, 5) == pytest.approx((-0.02, -0.015, -0.01, -0.005, 0.0))


@pytest.mark.parametrize("days", [0.05, 0.5, 1, 3, 14, 31, 92, 400, 2600, 40_000])
def test_time_ticks_are_few_and_within_the_span_at_every_scale(days: float) -> None:
    start = datetime(2023, 2, 27, 13, 37, tzinfo=UTC)
    found = ticks.times(start, start + timedelta(days=days))
    assert 1 <= len(found) <= 10
    assert all(0 <= tick.position <= 100 for tick in found)
    assert [tick.position for tick in found] == sorted({tick.position for tick in found})
