"""Lots: first in, first out, and not a unit of quantity or money more or less than the fills."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.errors import Fatal
from shell.money import NO_MONEY, NO_QTY, QuoteAmount
from shell.orders import Fill, Side
from shell.portfolio.lots import Disposal, Lot, first_in_first_out
from tests.shell.store.examples import approved_order, fill_of

QTY = st.decimals("0.00000001", "1000", places=8)
PRICE = st.decimals("0.000001", "100000", places=6)
FEE = st.decimals("0", "50", places=10)
SYMBOL = st.sampled_from(["BTC/USD", "ETH/USD"])


def fill(number: int, side: Side, qty: str | Decimal, price: str | Decimal, fee: str | Decimal = "0", symbol: str = "BTC/USD") -> Fill:
    made = fill_of(approved_order(number, side=side, qty=str(qty), symbol=symbol), price=str(price))
    values = {name: getattr(made, name) for name in made.__dataclass_fields__} | {"fee": QuoteAmount(Decimal(fee))}
    return Fill(**values)


def test_the_oldest_purchase_is_sold_first_and_fees_are_in_cost_and_proceeds() -> None:
    disposals, held = first_in_first_out([
        fill(1, Side.BUY, "1", "100", "1"), fill(2, Side.BUY, "2", "200", "4"), fill(3, Side.SELL, "2", "300", "6"),
    ])
    # 594 of proceeds for 2: half of it for the first lot (cost 101), half for half of the second (cost 404 / 2).
    assert [(str(each.qty), str(each.cost), str(each.proceeds), str(each.gain)) for each in disposals] == [
        ("1", "101", "297", "196"), ("1", "202", "297", "95"),
    ]
    assert [(str(lot.qty), str(lot.cost), lot.fill_id) for lot in held] == [("1", "202", "F-i2")]


def test_a_sale_of_more_than_was_bought_is_a_broken_book() -> None:
    with pytest.raises(Fatal, match="more than the book ever bought"):
        first_in_first_out([fill(1, Side.BUY, "1", "100"), fill(2, Side.SELL, "1.5", "100")])


@st.composite
def books(draw: st.DrawFn) -> list[Fill]:
    """Fills in which no symbol is ever sold below zero."""
    held: dict[str, Decimal] = {}
    made = []
    for number in range(1, draw(st.integers(1, 25)) + 1):
        symbol, price, fee = draw(SYMBOL), draw(PRICE), draw(FEE)
        there = held.get(symbol, Decimal(0))
        selling = there > 0 and draw(st.booleans())
        qty = min(there, draw(QTY)) if selling else draw(QTY)
        held[symbol] = there - qty if selling else there + qty
        made.append(fill(number, Side.SELL if selling else Side.BUY, qty, price, fee, symbol))
    return made


@given(fills=books())
def test_lots_and_disposals_add_up_to_the_fills_to_the_last_unit(fills: list[Fill]) -> None:
    disposals, held = first_in_first_out(fills)
    for symbol in {each.symbol for each in fills}:
        bought = [each for each in fills if each.symbol == symbol and each.side is Side.BUY]
        sold = [each for each in fills if each.symbol == symbol and each.side is Side.SELL]
        gone = [each for each in disposals if each.symbol == symbol]
        left = [each for each in held if each.symbol == symbol]
        pieces: list[Disposal | Lot] = [*gone, *left]
        assert sum((each.qty for each in gone), NO_QTY) == sum((each.qty for each in sold), NO_QTY)
        assert sum((each.qty for each in pieces), NO_QTY) == sum((each.qty for each in bought), NO_QTY)
        assert sum((each.cost for each in pieces), NO_MONEY) == sum((each.cost + each.fee for each in bought), NO_MONEY)
        assert sum((each.proceeds for each in gone), NO_MONEY) == sum((each.cost - each.fee for each in sold), NO_MONEY)
        assert all(each.qty > NO_QTY for each in pieces)
        assert [each.acquired_at for each in pieces] == sorted(each.acquired_at for each in pieces)
        assert all(each.disposed_at - each.acquired_at >= timedelta(0) for each in gone)
