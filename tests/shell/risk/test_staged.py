"""Goal: a new version can never have more of the account in the market than the part it has earned.

Method: hypothesis draws accounts, holdings, resting entries, parts and sizes; an oracle adds up the market value by itself.
"""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shell.config import RiskConfig
from shell.money import BaseQty, Price
from shell.orders import Purpose
from shell.risk.staged import WHOLE, earned_share
from tests.shell.risk.cases import (
    AT_100,
    BTC,
    ETH,
    Approved,
    approved_order,
    buy,
    code_of,
    decide,
    held,
    holding,
    sell,
    view,
    working,
)

LIMITS = RiskConfig(max_trade_pct="0.5", default_trade_pct="0.05", max_position_pct="1", max_positions=10)
shares = st.integers(1, 100).map(lambda number: Decimal(number) / 100)


@given(shares, st.integers(0, 60), st.integers(1, 60))
def test_the_part_grows_by_days_from_the_first_to_the_whole_and_never_beyond(first: Decimal, days: int, needed: int) -> None:
    part = earned_share(first, days, needed)
    assert first <= part <= earned_share(first, days + 1, needed) <= WHOLE
    assert (part == WHOLE) == (days >= needed or first == WHOLE)
    assert earned_share(first, 0, needed) == first


@pytest.mark.parametrize(("first", "days", "needed"), [("0", 1, 5), ("1.1", 1, 5), ("0.5", -1, 5), ("0.5", 1, 0)])
def test_no_part_is_made_of_numbers_that_make_no_line(first: str, days: int, needed: int) -> None:
    with pytest.raises(ValueError, match="no share is earned"):
        earned_share(Decimal(first), days, needed)


@settings(max_examples=200)
@given(
    share=shares, btc=st.integers(0, 60), eth=st.integers(0, 60), resting=st.integers(0, 4_000),
    size=st.floats(0, 1.5), cash=st.integers(0, 10_000),
)
def test_what_is_in_the_market_never_passes_the_part_that_was_earned(
    share: Decimal, btc: int, eth: int, resting: int, size: float, cash: int
) -> None:
    positions = holding(*(held(str(qty), symbol) for symbol, qty in ((BTC, btc), (ETH, eth)) if qty))
    entries = [working(Purpose.ENTRY, symbol=ETH, reserved=str(resting))] if resting else []
    account = view(
        str(cash), positions=positions, working=entries, prices={BTC: Price(100), ETH: Price(100)}, capital_share=share,
    )
    decision = decide(buy(size), account, config=LIMITS)
    if not isinstance(decision, Approved):
        return
    order = approved_order(decision)
    before = Decimal(100 * (btc + eth) + resting)
    assert before + order.intent.qty.value * 100 <= share * 10_000
    whole = decide(buy(size), view(str(cash), positions=positions, working=entries, prices=account.prices), config=LIMITS)
    assert order.intent.qty <= approved_order(whole).intent.qty


def test_sizes_are_fractions_of_the_part_and_the_sentence_says_so() -> None:
    decision = decide(buy(0.05), view(capital_share=Decimal("0.25")))
    assert approved_order(decision).intent.qty == BaseQty("1.25")
    cut = decide(buy(0.9), view(capital_share=Decimal("0.25")))
    assert "10 % of the equity of 2,500.00, the 25 % of all that this version has earned" in cut.sentence


def test_what_an_earlier_version_left_counts_and_is_not_sold_for_it() -> None:
    account = view(positions=holding(held("30", ETH)), prices={ETH: Price(100)}, capital_share=Decimal("0.25"))
    refused = decide(buy(0.05), account)
    assert code_of(refused) == "STAGED_CAPITAL"
    assert "3,000.00 are in the market, and a new version may use 25 % of 10,000.00 by now" in refused.sentence
    out = decide(sell(0.05), view(positions=holding(held("30")), prices={BTC: Price(100)}, capital_share=Decimal("0.01")))
    assert approved_order(out).intent.qty == BaseQty(5)
    assert AT_100.last == 100
