"""Marks: days roll, peaks rise, and capital is neither gain nor loss. Views: what a strategy is told of its books."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.contract import ClosedTrade, Intent
from shell.money import NO_MONEY, BaseQty, Price, QuoteAmount
from shell.portfolio.ledger import EquityMarks, Ledger, Position, TradeClosed
from shell.portfolio.valuation import (
    closed_trade,
    daily_loss,
    drawdown,
    mark,
    open_positions,
    portfolio_view,
    unrealised,
    with_capital,
    with_entry,
)

DAY = date(2024, 3, 5)
NEXT = DAY + timedelta(days=1)
OPENED = datetime(2024, 3, 5, 9, 0, tzinfo=UTC)
amounts = st.integers(1, 10**9).map(lambda cents: QuoteAmount(Decimal(cents).scaleb(-2)))


def marks(day_start: str = "10000", peak: str = "12000", trades: int = 0) -> EquityMarks:
    return EquityMarks(day=DAY, day_start=QuoteAmount(day_start), peak=QuoteAmount(peak), trades_today=trades)


def position(**changes: Any) -> Position:
    base = Position(
        symbol="BTC/USD", qty=BaseQty("1.5"), entered_qty=BaseQty(2), cost=QuoteAmount(210), proceeds=QuoteAmount(60),
        fees=QuoteAmount(1), stop_loss=Price(90), take_profit=None, horizon=Intent.SWING, opened_at=OPENED,
        version="v001", tag="t",
    )
    return replace(base, **changes)


# -- marks ----------------------------------------------------------------------------------------------------------


def test_the_first_mark_starts_day_and_peak():
    assert mark(None, QuoteAmount(9), DAY) == EquityMarks(day=DAY, day_start=QuoteAmount(9), peak=QuoteAmount(9))


def test_a_mark_that_changes_nothing_makes_no_new_marks():
    before = marks()
    assert mark(before, QuoteAmount(11_000), DAY) is before
    assert mark(before, QuoteAmount(12_000), DAY) is before


def test_a_new_high_raises_the_peak_and_leaves_the_day():
    assert mark(marks(trades=4), QuoteAmount(12_001), DAY) == marks(peak="12001", trades=4)


@pytest.mark.parametrize(("equity", "peak"), [("9500", "12000"), ("13000", "13000")])
def test_a_new_day_starts_at_its_first_mark_with_no_trades(equity, peak):
    after = mark(marks(trades=4), QuoteAmount(equity), NEXT)
    assert after == EquityMarks(day=NEXT, day_start=QuoteAmount(equity), peak=QuoteAmount(peak), trades_today=0)


def test_a_mark_from_a_day_before_does_not_turn_the_day_back():
    before = mark(marks(), QuoteAmount(9000), NEXT)
    assert mark(before, QuoteAmount(9100), DAY) is before


def test_entries_are_counted():
    assert with_entry(with_entry(marks())).trades_today == 2


def test_losses_are_fractions_of_their_reference_and_never_negative():
    assert drawdown(marks(), QuoteAmount(9000)) == Decimal("0.25")
    assert daily_loss(marks(), QuoteAmount(9000)) == Decimal("0.1")
    assert drawdown(marks(), QuoteAmount(15_000)) == daily_loss(marks(), QuoteAmount(15_000)) == 0
    assert drawdown(marks(peak="0"), QuoteAmount(-5)) == 0


# -- capital --------------------------------------------------------------------------------------------------------


def test_a_deposit_neither_dilutes_a_drawdown_nor_counts_as_gain():
    # 10 % below the peak and 500 below the day's start, before and after.
    after = with_capital(marks(day_start="9500", peak="10000"), QuoteAmount(9000), equity=QuoteAmount(9000))
    assert after.peak == QuoteAmount(20_000)
    assert drawdown(after, QuoteAmount(18_000)) == Decimal("0.1")
    assert QuoteAmount(18_000) - after.day_start == QuoteAmount(-500)


def test_a_withdrawal_raises_no_false_drawdown():
    # Moved by the amount, the peak would stand at 3,000 above an equity of 2,000: a third lost by moving money.
    after = with_capital(marks(peak="10000"), QuoteAmount(-7000), equity=QuoteAmount(9000))
    assert abs(drawdown(after, QuoteAmount(2000)) - Decimal("0.1")) < Decimal("1e-40")


def test_everything_may_be_withdrawn_and_something_paid_in_again():
    empty = with_capital(marks(), QuoteAmount(-9000), equity=QuoteAmount(9000))
    assert empty.peak == NO_MONEY
    again = with_capital(empty, QuoteAmount(5000), equity=NO_MONEY)
    assert drawdown(again, QuoteAmount(5000)) == 0


@given(day_start=amounts, equity=amounts, above=st.integers(0, 10**9), moved=st.integers(-(10**9), 10**9))
def test_capital_moves_neither_the_days_result_nor_the_drawdown(day_start, equity, above, moved):
    before = EquityMarks(day=DAY, day_start=day_start, peak=equity + QuoteAmount(Decimal(above).scaleb(-2)))
    amount = QuoteAmount(max(Decimal(moved).scaleb(-2), Decimal("0.01") - equity.value))
    after = with_capital(before, amount, equity=equity)
    assert (equity + amount) - after.day_start == equity - day_start
    assert abs(drawdown(after, equity + amount) - drawdown(before, equity)) < Decimal("1e-30")
    assert after.peak >= equity + amount


# -- views ----------------------------------------------------------------------------------------------------------


def test_an_open_position_is_shown_with_what_it_has_gained_so_far():
    ledger = Ledger(cash=QuoteAmount(50), positions={"BTC/USD": position()})
    (shown,) = open_positions(ledger, {"BTC/USD": Price(120)})
    # 1.5 left of 2 that cost 210: bought at 105 on average, so 15 gained on each.
    assert (shown.symbol, shown.side, shown.qty) == ("BTC/USD", "long", 1.5)
    assert (shown.avg_entry, shown.current_price, shown.unrealized_pnl) == (105.0, 120.0, 22.5)
    assert shown.unrealized_pnl_pct == pytest.approx(15 / 105)
    assert (shown.stop_loss, shown.take_profit, shown.opened_at, shown.tag) == (90.0, None, OPENED, "t")


def test_what_is_gained_has_no_rounding_of_an_average_in_it():
    thirds = position(qty=BaseQty(3), entered_qty=BaseQty(3), cost=QuoteAmount(100))
    assert unrealised(thirds, Price("33.5")) == QuoteAmount("0.5")


def test_positions_are_shown_in_the_order_of_their_symbols():
    names = ["SOL/USD", "BTC/USD", "ETH/USD"]
    ledger = Ledger(positions={name: position(symbol=name) for name in names})
    shown = open_positions(ledger, {name: Price(120) for name in names})
    assert [each.symbol for each in shown] == sorted(names)


def test_a_flat_book_shows_no_positions_and_needs_no_prices():
    shown = portfolio_view(Ledger(cash=QuoteAmount(7)), marks(), {})
    assert (shown.cash, shown.total_value, shown.positions) == (7, 7, [])


def test_the_portfolio_adds_up():
    ledger = Ledger(
        cash=QuoteAmount(9850), capital=QuoteAmount(10_000), fees_paid=QuoteAmount(3), positions={"BTC/USD": position()}
    )
    shown = portfolio_view(ledger, marks(day_start="10010"), {"BTC/USD": Price(120)})
    # 9,850 and 1.5 x 120.
    assert (shown.cash, shown.total_value, shown.daily_pnl, shown.total_pnl, shown.fees) == (9850, 10030, 20, 30, 3)
    assert [each.symbol for each in shown.positions] == ["BTC/USD"]
    assert shown.recent_trades == []


def test_a_completed_trade_is_shown_net_of_fees():
    trade = TradeClosed(
        trade_id="T-1", book="main", version="v001", symbol="BTC/USD", qty=BaseQty(2), cost=QuoteAmount(200),
        proceeds=QuoteAmount(220), fees=QuoteAmount("1.5"), horizon=Intent.DAY, opened_at=OPENED,
        closed_at=OPENED + timedelta(hours=1), exit_purpose="target", tag="t",
    )
    assert closed_trade(trade) == ClosedTrade(
        symbol="BTC/USD", side="long", qty=2.0, entry_price=100.0, exit_price=110.0, pnl=18.5, pnl_pct=0.0925,
        intent=Intent.DAY, opened_at=OPENED, closed_at=OPENED + timedelta(hours=1), fees=1.5, tag="t",
    )
