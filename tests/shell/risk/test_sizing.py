"""How much is bought and sold: each bound alone, then together, and what happens near the venue's minimum."""

from __future__ import annotations

from decimal import Decimal

import pytest

from shell.config import RiskConfig
from shell.money import BaseQty, Price, QuoteAmount
from shell.orders import Purpose
from tests.shell.risk.cases import (
    AT_100,
    BTC,
    ETH,
    approved_order,
    buy,
    close,
    code_of,
    decide,
    held,
    holding,
    limit_at,
    quote,
    sell,
    view,
    working,
)

LIMITS = RiskConfig(max_trade_pct="0.10", default_trade_pct="0.05", max_position_pct="0.25")


def bought(signal, account=None, *, price=AT_100, config=LIMITS) -> BaseQty:
    return approved_order(decide(signal, account, price=price, config=config)).intent.qty


def sold(signal, account, *, price=AT_100) -> BaseQty:
    return approved_order(decide(signal, account, price=price)).intent.qty


@pytest.mark.parametrize(
    ("size", "qty"),
    [(0.0, "5"), (0.03, "3"), (0.10, "10"), (0.11, "10"), (5.0, "10"), (1e300, "10"), (0.0123456, "1.23")],
)
def test_the_size_is_a_fraction_of_equity_cut_at_max_trade_pct(size, qty):
    assert bought(buy(size)) == BaseQty(qty)


def test_a_cut_says_what_cut_it_and_an_uncut_order_does_not():
    assert "cut because 10 % of the equity of 10,000.00 is the most of one trade" in decide(buy(0.5)).sentence
    assert "cut" not in decide(buy(0.10), config=LIMITS).sentence
    assert "the free cash is 300.00" in decide(buy(0.10), view(cash="300")).sentence


def test_the_position_limit_leaves_room_for_what_is_missing():
    # 25 % of 10,000 less 22 at 100 leaves 300.
    assert bought(buy(0.10), view(positions=holding(held("22")))) == BaseQty(3)


def test_holdings_count_at_the_dearer_of_the_ask_and_the_price_of_the_equity():
    holdings = holding(held("22"))
    # The ask of 105 makes 22 worth 2310: 190 is left, 1.80 at 105.
    assert bought(buy(0.10), view(positions=holdings), price=quote(100.0, spread=10.0)) == BaseQty("1.80")
    # Equity was taken at 110, so the same 22 count for 2420: 80 is left.
    assert bought(buy(0.10), view(positions=holdings, prices={BTC: Price(110)})) == BaseQty("0.8")


def test_a_full_position_refuses_and_another_coin_does_not_care():
    assert code_of(decide(buy(), view(positions=holding(held("25"))))) == "MAX_POSITION_PCT"
    assert bought(buy(0.10), view(positions=holding(held("25", ETH)))) == BaseQty(10)


def test_room_below_the_smallest_order_is_no_room():
    # 4 units of room buy 0.04, and the smallest order is 0.05.
    assert code_of(decide(buy(), view(positions=holding(held("24.96"))))) == "MAX_POSITION_PCT"


def test_free_cash_cuts_and_its_absence_refuses():
    assert bought(buy(0.10), view(cash="300")) == BaseQty(3)
    assert code_of(decide(buy(), view(cash="3"))) == "NO_CASH"
    assert code_of(decide(buy(), view(cash="0"))) == "NO_CASH"
    assert code_of(decide(buy(), view(cash="-5"))) == "NO_CASH"
    assert code_of(decide(buy(), view(equity="0"))) == "NO_CASH"
    assert code_of(decide(buy(), view(equity="-10"))) == "NO_CASH"


def test_a_size_below_the_venues_minimum_is_refused_not_raised():
    # 0.0004 of 10,000 is 4: 0.04 at 100, below 0.05.
    assert code_of(decide(buy(0.0004))) == "MIN_ORDER"
    # At 50, 0.07 is 3.5, below the smallest cost of 4.
    assert code_of(decide(buy(0.00037), price=quote(50.0))) == "MIN_COST"
    assert bought(buy(0.0005)) == BaseQty("0.05")


def test_the_smallest_cost_is_judged_where_the_order_may_really_fill():
    # 0.05 at the last price of 80 costs 4.00, but at the bid only 3.98.
    tiny = buy(0.000403)
    assert bought(tiny, price=quote(80.0)) == BaseQty("0.05")
    assert code_of(decide(tiny, price=quote(80.0, spread=0.8))) == "MIN_COST"
    assert bought(buy(0.0004, **limit_at(80.0)), price=quote(80.0, spread=0.8)) == BaseQty("0.05")


@pytest.mark.parametrize(
    ("size", "qty"),
    [(0.0, "2"), (0.01, "1"), (0.0123456, "1.23"), (0.04, "4"), (0.5, "4"), (1.0, "4"), (7.0, "4"), (1e300, "4")],
)
def test_a_sale_is_a_fraction_of_equity_or_half_and_never_more_than_is_held(size, qty):
    assert sold(sell(size), view(positions=holding(held("4")))) == BaseQty(qty)


def test_half_means_half_of_the_position_even_where_a_part_is_being_sold():
    account = view(positions=holding(held("4")), working=[working(Purpose.EXIT, "1")])
    assert sold(sell(), account) == BaseQty(2)
    account = view(positions=holding(held("4")), working=[working(Purpose.EXIT, "3")])
    assert sold(sell(), account) == BaseQty(1)


def test_what_would_remain_as_dust_is_sold_with_the_rest():
    # Selling 3.96 of 4 leaves 0.04, below the smallest order of 0.05; leaving 0.05 is allowed (it costs 5).
    assert sold(sell(0.0396), view(positions=holding(held("4")))) == BaseQty(4)
    assert sold(sell(0.0395), view(positions=holding(held("4")))) == BaseQty("3.95")
    # At 50, what remains costs 2.5, below the smallest cost of 4.
    assert sold(sell(0.01975), view(positions=holding(held("4"))), price=quote(50.0)) == BaseQty(4)


def test_half_of_a_very_small_position_is_all_of_it():
    # Half of 0.08 leaves 0.04, below the smallest order of 0.05.
    assert sold(sell(), view(positions=holding(held("0.08")))) == BaseQty("0.08")


def test_a_sale_below_the_venues_minimum_is_refused():
    assert code_of(decide(sell(0.0004), view(positions=holding(held("4"))))) == "MIN_ORDER"


def test_a_book_without_equity_can_still_sell():
    account = view(cash="-500", equity="-100", positions=holding(held("4")))
    assert sold(close(), account) == BaseQty(4)
    assert sold(sell(), account) == BaseQty(2)


def test_the_reservation_is_what_the_order_costs_at_worst():
    order = approved_order(decide(buy(0.10), view(allowance_pct=Decimal("0.01"))))
    # 1000 / 101 = 9.90, which costs 999.9 at 101.
    assert (order.intent.qty, order.reserved) == (BaseQty("9.90"), QuoteAmount("999.9"))
