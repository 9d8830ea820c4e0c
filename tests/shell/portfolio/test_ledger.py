"""The ledger's identities: no unit of money appears or vanishes, whatever the order of fills.

Method: a few stories with numbers one can follow, then random sequences of buys, sales, deposits and withdrawals,
judged by sums that are taken over the facts themselves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shell.contract import Intent, OrderType
from shell.errors import Fatal
from shell.money import CONTEXT, NO_MONEY, NO_QTY, BaseQty, Price, QuoteAmount
from shell.orders import Fill, Liquidity, OrderIntent, Purpose, Side
from shell.portfolio.ledger import (
    CapitalEvent,
    Ledger,
    TradeClosed,
    apply_capital,
    apply_fill,
    equity,
    with_protection,
)

START = datetime(2024, 3, 5, 12, 0, tzinfo=UTC)
BTC, ETH = "BTC/USD", "ETH/USD"


def capital(amount: str | Decimal, *, minute: int = 0) -> CapitalEvent:
    return CapitalEvent(amount=QuoteAmount(amount), at=START + timedelta(minutes=minute), reason="test")


def fill(
    side: Side, qty: str | Decimal, price: str | Decimal, fee: str | Decimal = "0", *, symbol: str = BTC,
    number: int = 1, stop: str | None = None, target: str | None = None, purpose: Purpose | None = None,
) -> Fill:
    intent = OrderIntent(
        intent_id=f"I-{number}", book="main", version=f"v{number:03}", symbol=symbol, side=side,
        purpose=purpose or (Purpose.ENTRY if side is Side.BUY else Purpose.EXIT), order_type=OrderType.MARKET,
        qty=BaseQty(qty), limit_price=None, decided_at=START, stop_loss=Price(stop) if stop else None,
        take_profit=Price(target) if target else None, horizon=Intent.DAY, tag="t",
    )
    return Fill(
        fill_id=f"F-{number}", order_id=f"O-{number}", intent=intent, symbol=symbol, side=side, qty=BaseQty(qty),
        price=Price(price), fee=QuoteAmount(fee), liquidity=Liquidity.TAKER,
        filled_at=START + timedelta(minutes=number),
    )


def funded(amount: str = "10000") -> Ledger:
    return apply_capital(Ledger(), capital(amount))


def book(ledger: Ledger, *fills: Fill) -> tuple[Ledger, list[TradeClosed]]:
    trades = []
    for each in fills:
        ledger, trade = apply_fill(ledger, each)
        if trade is not None:
            trades.append(trade)
    return ledger, trades


# -- stories --------------------------------------------------------------------------------------------------------


def test_a_round_trip_ends_in_cash_and_one_trade():
    ledger, trades = book(
        funded(),
        fill(Side.BUY, "2", "100", "0.8", number=1, stop="90", target="130"),
        fill(Side.SELL, "2", "110", "0.88", number=2, purpose=Purpose.TARGET),
    )
    (trade,) = trades
    # 2 x 10 gained, less 0.80 and 0.88 in fees.
    assert trade.pnl == QuoteAmount("18.32")
    assert (trade.entry_price, trade.exit_price) == (Price(100), Price(110))
    assert trade.pnl_pct == pytest.approx(18.32 / 200)
    assert (trade.trade_id, trade.version, trade.exit_purpose) == ("T-F-2", "v001", "target")
    assert (trade.opened_at, trade.closed_at) == (START + timedelta(minutes=1), START + timedelta(minutes=2))
    assert ledger.cash == QuoteAmount("10018.32")
    assert ledger.realised_pnl == QuoteAmount("18.32")
    assert ledger.fees_paid == QuoteAmount("1.68")
    assert (dict(ledger.positions), ledger.trades_closed, ledger.consecutive_losses) == ({}, 1, 0)


def test_a_trade_spans_from_first_entry_to_flat_through_partial_sales():
    ledger, trades = book(
        funded(),
        fill(Side.BUY, "1", "100", number=1),
        fill(Side.SELL, "0.4", "120", number=2),
        fill(Side.BUY, "1", "110", number=3),
    )
    assert trades == []
    position = ledger.positions[BTC]
    assert (position.qty, position.entered_qty) == (BaseQty("1.6"), BaseQty(2))
    assert (position.cost, position.proceeds, position.avg_entry) == (QuoteAmount(210), QuoteAmount(48), Price(105))
    ledger, trades = book(ledger, fill(Side.SELL, "1.6", "100", number=4))
    assert trades[0].qty == BaseQty(2)
    # 48 + 160 received for 210 paid.
    assert trades[0].pnl == QuoteAmount(-2)
    assert ledger.consecutive_losses == 1


def test_losses_in_a_row_are_counted_until_a_trade_does_not_lose():
    ledger = funded()
    for number, exit_price, expected in ((1, "90", 1), (3, "99.99", 2), (5, "100", 0), (7, "80", 1), (9, "101", 0)):
        ledger, _ = book(
            ledger, fill(Side.BUY, "1", "100", number=number), fill(Side.SELL, "1", exit_price, number=number + 1)
        )
        assert ledger.consecutive_losses == expected


def test_an_addition_replaces_only_the_protection_it_names():
    ledger, _ = book(
        funded(),
        fill(Side.BUY, "1", "100", number=1, stop="90", target="130"),
        fill(Side.BUY, "1", "100", number=2, stop="95"),
    )
    position = ledger.positions[BTC]
    assert (position.stop_loss, position.take_profit, position.version) == (Price(95), Price(130), "v001")


def test_protection_is_moved_without_touching_anything_else():
    before, _ = book(funded(), fill(Side.BUY, "1", "100"), fill(Side.BUY, "1", "50", symbol=ETH, number=2))
    after = with_protection(before, BTC, Price(95), None)
    assert after.positions[BTC] == replace(before.positions[BTC], stop_loss=Price(95))
    assert after.positions[ETH] == before.positions[ETH]
    assert before.positions[BTC].stop_loss is None


# -- what is fatal --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        (fill(Side.SELL, "1.00000001", "100", number=9), "holds 1"),
        (fill(Side.SELL, "1", "100", symbol=ETH, number=9), "holds 0"),
        (fill(Side.BUY, "100", "100", number=9), "would leave cash of -100"),
        (fill(Side.BUY, "99", "100", "0.01", number=9), "would leave cash of -0.01"),
        (fill(Side.BUY, "0", "100", number=9), "above zero"),
        (fill(Side.SELL, "-1", "100", number=9), "above zero"),
        (fill(Side.BUY, "1", "0", number=9), "above zero"),
        (fill(Side.SELL, "1", "100", "10001", number=9), "would leave cash of -1"),
        (replace(fill(Side.BUY, "1", "100", number=9), symbol=ETH), "its intent"),
        (replace(fill(Side.BUY, "1", "100", number=9), side=Side.SELL), "its intent"),
    ],
)
def test_a_fill_that_breaks_an_invariant_is_fatal_and_books_nothing(bad, sentence):
    ledger, _ = book(funded(), fill(Side.BUY, "1", "100"))
    before = repr(ledger)
    with pytest.raises(Fatal, match=sentence):
        apply_fill(ledger, bad)
    assert repr(ledger) == before


def test_what_was_sold_before_cannot_be_sold_again():
    ledger, _ = book(funded(), fill(Side.BUY, "1", "100"), fill(Side.SELL, "0.4", "100", number=2))
    with pytest.raises(Fatal, match=r"holds 0\.6"):
        apply_fill(ledger, fill(Side.SELL, "0.60000001", "100", number=3))


def test_the_last_unit_of_cash_may_be_spent():
    ledger, _ = book(funded(), fill(Side.BUY, "99", "100", "100"))
    assert ledger.cash == NO_MONEY


def test_more_than_the_cash_cannot_be_withdrawn():
    ledger, _ = book(funded(), fill(Side.BUY, "60", "100"))
    with pytest.raises(Fatal, match="exceeds the cash of 4000"):
        apply_capital(ledger, capital("-4000.01"))
    assert apply_capital(ledger, capital("-4000")).cash == NO_MONEY


def test_an_unpriced_position_has_no_equity():
    ledger, _ = book(funded(), fill(Side.BUY, "1", "100"))
    with pytest.raises(KeyError):
        equity(ledger, {})
    assert equity(ledger, {BTC: Price(130)}) == QuoteAmount(10030)


# -- random sequences -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Story:
    """Facts that a ledger can book, in order."""

    facts: tuple[Fill | CapitalEvent, ...]

    @property
    def fills(self) -> list[Fill]:
        return [fact for fact in self.facts if isinstance(fact, Fill)]

    @property
    def deposited(self) -> QuoteAmount:
        total = NO_MONEY
        for fact in self.facts:
            if isinstance(fact, CapitalEvent):
                total = total + fact.amount
        return total


def units(lowest: int, highest: int, places: int) -> st.SearchStrategy[Decimal]:
    return st.integers(lowest, highest).map(lambda count: Decimal(count).scaleb(-places))


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Starts with capital; every fact is one that cash and holdings allow, worked out apart from the ledger."""
    facts: list[Fill | CapitalEvent] = [capital("1000000")]
    cash, holdings = Decimal(1_000_000), {BTC: Decimal(0), ETH: Decimal(0)}
    with localcontext(CONTEXT):
        for number in range(1, draw(st.integers(1, 14))):
            symbol = draw(st.sampled_from([BTC, ETH]))
            price, fee_pct = draw(units(1, 10**7, 3)), draw(units(0, 100, 4))
            held = holdings[symbol]
            kind = draw(st.sampled_from(["buy", "sell", "sell all", "capital"]))
            if kind == "capital":
                amount = draw(units(-int(min(cash, Decimal(5000)) * 100), 500_000, 2))
                facts.append(capital(amount, minute=number))
                cash += amount
            elif kind == "buy" or not held:
                affordable = int(cash / (price * (1 + fee_pct)) * 10**8)
                if affordable > 0:
                    qty = draw(units(1, affordable, 8))
                    facts.append(fill(Side.BUY, qty, price, qty * price * fee_pct, symbol=symbol, number=number))
                    holdings[symbol] += qty
                    cash -= qty * price * (1 + fee_pct)
            else:
                qty = held if kind == "sell all" else draw(units(1, int(held * 10**8), 8))
                facts.append(fill(Side.SELL, qty, price, qty * price * fee_pct, symbol=symbol, number=number))
                holdings[symbol] -= qty
                cash += qty * price * (1 - fee_pct)
    return Story(tuple(facts))


def tell(story: Story) -> tuple[list[Ledger], list[TradeClosed]]:
    """Every ledger after each fact, and the trades."""
    ledger, ledgers, trades = Ledger(), [], []
    for fact in story.facts:
        if isinstance(fact, CapitalEvent):
            ledger = apply_capital(ledger, fact)
        else:
            ledger, trade = apply_fill(ledger, fact)
            trades += [trade] if trade is not None else []
        ledgers.append(ledger)
    return ledgers, trades


@settings(max_examples=50, deadline=None)
@given(stories())
def test_cash_is_capital_plus_all_that_came_in_less_all_that_went_out(story):
    ledgers, _ = tell(story)
    expected = story.deposited
    for each in story.fills:
        expected = expected - each.fee + (each.cost if each.side is Side.SELL else -each.cost)
    assert ledgers[-1].cash == expected
    assert all(ledger.cash >= NO_MONEY for ledger in ledgers)


@settings(max_examples=50, deadline=None)
@given(stories())
def test_cash_plus_what_is_sunk_in_positions_is_capital_plus_what_was_realised(story):
    ledgers, trades = tell(story)
    for ledger in ledgers:
        sunk = NO_MONEY
        for position in ledger.positions.values():
            sunk = sunk + position.cost + position.fees - position.proceeds
        assert ledger.cash + sunk == ledger.capital + ledger.realised_pnl
    realised = NO_MONEY
    for trade in trades:
        realised = realised + trade.pnl
    assert ledgers[-1].realised_pnl == realised
    assert ledgers[-1].trades_closed == len(trades)


@settings(max_examples=50, deadline=None)
@given(stories())
def test_holdings_and_fees_are_the_sums_of_the_fills(story):
    ledger = tell(story)[0][-1]
    fees = NO_MONEY
    for symbol in (BTC, ETH):
        held = NO_QTY
        for each in story.fills:
            if each.symbol == symbol:
                held = held + (each.qty if each.side is Side.BUY else -each.qty)
        assert (ledger.positions[symbol].qty if symbol in ledger.positions else NO_QTY) == held
    for each in story.fills:
        fees = fees + each.fee
    assert ledger.fees_paid == fees


@settings(max_examples=30, deadline=None)
@given(stories())
def test_the_same_facts_give_the_same_ledger(story):
    assert repr(tell(story)) == repr(tell(story))


@settings(max_examples=30, deadline=None)
@given(stories(), st.integers(0, 14))
def test_capital_events_change_no_result(story, place):
    """Left out, or moved to another time, they leave every trade and every fee as it was."""
    ledgers, trades = tell(story)
    moved: list[Fill | CapitalEvent] = list(story.fills)
    moved.insert(min(place, len(moved)), capital("12345.67"))
    for facts in (story.fills, moved):
        others, other_trades = tell(Story((capital("10000000"), *facts)))
        assert other_trades == trades
        assert (others[-1].realised_pnl, others[-1].fees_paid) == (ledgers[-1].realised_pnl, ledgers[-1].fees_paid)
        assert dict(others[-1].positions) == dict(ledgers[-1].positions)


def test_a_fee_taken_in_coins_makes_the_holding_smaller_and_the_venues_own_cost_is_booked() -> None:
    bought = replace(fill(Side.BUY, "1", "100"), fee=NO_MONEY, fee_base=BaseQty("0.004"), paid=QuoteAmount("99.9999"))
    ledger, _ = apply_fill(Ledger(cash=QuoteAmount(1_000), capital=QuoteAmount(1_000)), bought)
    assert (ledger.cash, ledger.positions[bought.symbol].qty) == (QuoteAmount("900.0001"), BaseQty("0.996"))
    with pytest.raises(Fatal):
        apply_fill(ledger, replace(fill(Side.SELL, "1", "110"), fill_id="another"))
    sold = replace(fill(Side.SELL, "0.996", "110"), fill_id="another")
    after, trade = apply_fill(ledger, sold)
    assert trade is not None
    assert trade.pnl == after.cash - QuoteAmount(1_000)
