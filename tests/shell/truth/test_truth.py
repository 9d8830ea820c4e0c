"""The truth about a book, beside a second computation that shares nothing with it: plain loops over exact fractions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shell.contract import Intent
from shell.money import BaseQty, QuoteAmount
from shell.portfolio.ledger import CapitalEvent, TradeClosed
from shell.truth.account import DAYS_MIN, growth
from shell.truth.definitions import DEFINITIONS, Unit
from shell.truth.figure import Figure, no_answer
from shell.truth.trades import trade_figures
from shell.truth.truth import BookFacts, truth_of

START = datetime(2024, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
FEW = settings(max_examples=40, deadline=None)


def trade(number: int, result: str = "10", *, hours: float = 5, symbol: str = "BTC/USD", **changes: object) -> TradeClosed:
    """Bought for 100 with fees of 1; sold so that `result` is what is left after them."""
    values: dict[str, object] = {
        "trade_id": f"t{number:05d}", "book": "main", "version": "v001", "symbol": symbol, "qty": BaseQty("1"),
        "cost": QuoteAmount("100"), "proceeds": QuoteAmount(Decimal(101) + Decimal(result)), "fees": QuoteAmount("1"),
        "horizon": Intent.SWING, "opened_at": START + number * DAY, "exit_purpose": "exit",
        "closed_at": START + number * DAY + timedelta(hours=hours),
    }
    return TradeClosed(**{**values, **changes})  # type: ignore[arg-type]


def marks_of(values: Sequence[float | str]) -> list[tuple[datetime, Decimal]]:
    """One mark a day, at noon."""
    return [(START + (number + 0.5) * DAY, Decimal(str(value))) for number, value in enumerate(values)]


def book(values: Sequence[float | str], starting: str = "1000", **facts: object) -> dict[str, Figure]:
    found = truth_of(BookFacts(marks=marks_of(values), starting=QuoteAmount(starting), **{"trades": (), **facts}))  # type: ignore[arg-type]
    return dict(found.book)


# -- trades -------------------------------------------------------------------------------------------------------


@FEW
@given(st.lists(st.tuples(st.integers(-5000, 5000), st.integers(1, 95)), max_size=25))
def test_trade_figures_equal_a_count_by_hand(drawn: list[tuple[int, int]]) -> None:
    trades = [trade(number, str(Decimal(cents) / 100), hours=hours / 4) for number, (cents, hours) in enumerate(drawn)]
    found = trade_figures(list(reversed(trades)))
    results = [Fraction(cents, 100) for cents, _ in drawn]
    assert found["trades"].value == len(drawn)
    assert Fraction(found["pnl"].value or 0) == sum(results)
    wins, losses = [each for each in results if each > 0], [each for each in results if each < 0]
    if not drawn:
        assert found["win_rate"].value is None
        return
    assert found["win_rate"].value == pytest.approx(len(wins) / len(drawn))
    assert found["expectancy"].value == pytest.approx(float(sum(results) / len(drawn) / 100))
    if losses:
        assert found["profit_factor"].value == pytest.approx(float(sum(wins) / -sum(losses)))
    else:
        assert found["profit_factor"].value is None and "lost" in found["profit_factor"].why
    best = worst = now = 0
    for each in results:
        direction = (each > 0) - (each < 0)
        now = now + direction if direction and (now * direction > 0) else direction
        best, worst = max(best, now), min(worst, now)
    assert (found["longest_winning_streak"].value, found["longest_losing_streak"].value) == (best, -worst)
    assert found["streak"].value == now
    hours = [count / 4 for _, count in drawn]
    assert found["mean_hours_held"].value == pytest.approx(sum(hours) / len(hours))
    assert found["longest_hours_held"].value == pytest.approx(max(hours))


def test_groups_hold_each_trade_once_and_add_up_to_the_whole() -> None:
    trades = [
        trade(1, "10"), trade(2, "-4", symbol="ETH/USD"), trade(3, "2", symbol="ETH/USD", version="v002"),
        trade(4, "-1", horizon=Intent.DAY),
    ]
    told = truth_of(BookFacts(marks=(), starting=QuoteAmount("1000"), trades=trades))
    for groups in (told.by_symbol, told.by_intent, told.by_version):
        assert sum(Decimal(str(figures["pnl"].value)) for figures in groups.values()) == told.book["pnl"].value == Decimal(7)
        assert sum(int(figures["trades"].value or 0) for figures in groups.values()) == 4
    assert told.by_symbol["ETH/USD"]["pnl"].value == Decimal(-2)
    assert told.by_intent[Intent.DAY.value]["trades"].value == 1


# -- the account --------------------------------------------------------------------------------------------------


@FEW
@given(st.lists(st.integers(500, 2000), min_size=DAYS_MIN, max_size=40))
def test_account_figures_equal_a_computation_by_plain_loops(values: list[int]) -> None:
    found = book([float(value) for value in values])
    # The first mark opens the curve and closes the first day: nothing yet.
    returns = [0.0] + [after / before - 1 for before, after in zip(values, values[1:], strict=False)]
    assert found["total_return_pct"].value == pytest.approx(values[-1] / 1000 - 1)
    peak, fall = 1000.0, 0.0
    for value in values:
        peak = max(peak, value)
        fall = max(fall, (peak - value) / peak)
    assert found["max_drawdown_pct"].value == pytest.approx(fall)
    assert found["drawdown_pct"].value == pytest.approx(1 - values[-1] / max(1000, *values))
    assert found["days"].value == len(returns)
    mean = math.fsum(returns) / len(returns)
    spread = math.sqrt(math.fsum((each - mean) ** 2 for each in returns) / (len(returns) - 1))
    if spread < 1e-9:
        assert found["sharpe"].value is None and found["sortino"].value is None
        return
    assert found["sharpe"].value == pytest.approx(mean / spread * math.sqrt(365))
    downside = math.sqrt(math.fsum(min(each, 0.0) ** 2 for each in returns) / len(returns))
    if downside:
        assert found["sortino"].value == pytest.approx(mean / downside * math.sqrt(365))
    else:
        assert "none of" in found["sortino"].why


def test_money_put_in_or_taken_out_is_neither_gain_nor_drawdown() -> None:
    flows = [
        CapitalEvent(amount=QuoteAmount("1000"), at=START, reason="starting capital"),
        CapitalEvent(amount=QuoteAmount("500"), at=START + 1.2 * DAY, reason="more"),
        CapitalEvent(amount=QuoteAmount("-900"), at=START + 2.2 * DAY, reason="less"),
    ]
    found = book(["1100", "1600", "700", "770"], capital=flows)
    # +10 %, nothing, nothing, +10 %: 1.1 * 1.1.
    assert found["total_return_pct"].value == pytest.approx(0.21)
    assert found["max_drawdown_pct"].value == 0.0
    assert list(growth(marks_of(["1100", "1600"]), QuoteAmount("1000"), flows[1:2]).values) == pytest.approx([1.1, 1.1])


def test_a_ruined_account_stays_ruined_and_finite() -> None:
    found = book(["500", "0", "0", "300"])
    assert found["total_return_pct"].value == -1.0
    assert found["max_drawdown_pct"].value == 1.0


def test_time_below_a_peak_counts_from_the_peak_to_its_return_or_to_the_end() -> None:
    assert book(["1000", "990", "995", "1001", "1002", "1003"])["days_under_water"].value == 3
    assert book(["1010", "1000", "1005", "1001", "1002"])["days_under_water"].value == 4
    assert book(["1000", "1001", "1002"])["days_under_water"].value == 0


@pytest.mark.parametrize(
    ("figures", "missing"),
    [
        (book([]), {"total_return_pct", "max_drawdown_pct", "sharpe", "sortino", "win_rate", "profit_factor", "expectancy"}),
        (book(["1000"] * 25), {"sharpe", "daily_sharpe", "sortino"}),
        (book([str(1000 + n) for n in range(19)]), {"sharpe", "sortino"}),
        (book(["1000"], starting="0"), {"total_return_pct"}),
        (book([str(1000 + n) for n in range(25)]), {"sortino"}),
    ],
)
def test_what_has_no_answer_says_why_and_is_never_a_zero(figures: dict[str, Figure], missing: set[str]) -> None:
    for name in missing:
        assert figures[name].value is None
        assert len(figures[name].why) > 10, name


def test_every_figure_is_defined_and_every_value_is_finite() -> None:
    found = book(["1000", "900"], trades=[trade(1)])
    assert set(found) <= DEFINITIONS.keys()
    assert {name for name in DEFINITIONS if name not in found} == {"buy_and_hold_return_pct"}
    assert all(definition.label and definition.meaning for definition in DEFINITIONS.values())
    assert DEFINITIONS["win_rate"].unit is Unit.FRACTION
    for value in (math.inf, math.nan):
        with pytest.raises(ValueError, match="no figure"):
            Figure(value)
    with pytest.raises(ValueError, match="either"):
        Figure(None)
    assert no_answer("nothing yet").value is None


def test_the_answer_for_programs_names_what_it_leaves_open() -> None:
    told = truth_of(BookFacts(marks=(), starting=QuoteAmount("1000"), trades=[trade(1)])).as_dict()
    assert told["sharpe"] is None and "marked" in told["unanswered"]["sharpe"]
    assert told["by_symbol"]["BTC/USD"]["trades"] == 1
