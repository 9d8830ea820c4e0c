"""What a book is worth between bars: cash and each holding at its newest price, to the last digit."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from shell.contract import Intent
from shell.live_value import live_equity, live_prices
from shell.money import NO_MONEY, BaseQty, Price, QuoteAmount
from shell.portfolio.ledger import Ledger, Position

OPENED = datetime(2024, 3, 5, 9, 0, tzinfo=UTC)


class Prices:
    """The newest prices seen."""

    def __init__(self, **prices: str) -> None:
        self._prices = {symbol.replace("_", "/"): Price(Decimal(price)) for symbol, price in prices.items()}

    def live_price(self, symbol: str) -> Price | None:
        return self._prices.get(symbol)


def position(symbol: str, qty: str, cost: str) -> Position:
    return Position(
        symbol=symbol, qty=BaseQty(Decimal(qty)), entered_qty=BaseQty(Decimal(qty)), cost=QuoteAmount(Decimal(cost)),
        proceeds=NO_MONEY, fees=NO_MONEY, stop_loss=None, take_profit=None, horizon=Intent.DAY, opened_at=OPENED,
        version="v001",
    )


def test_holdings_count_at_the_newest_price_and_at_their_entry_where_none_was_seen() -> None:
    held = {each.symbol: each for each in (
        position("A/USD", "0.1", "10"), position("B/USD", "3", "6.3"), position("C/USD", "2", "5"),
    )}
    ledger = replace(Ledger(), cash=QuoteAmount(Decimal("1000.01")), positions=MappingProxyType(held))
    # Nothing was seen of B, and a price of nothing is none: both stand at what they cost, 6.3 and 5.
    market: Any = Prices(A_USD="123.4567", C_USD="0")
    assert live_equity(ledger, market).value == Decimal("1000.01") + Decimal("12.34567") + Decimal("6.3") + Decimal("5")
    summed = ledger.cash
    for symbol, price in live_prices(ledger, market).items():
        summed = summed + held[symbol].qty.times(price)
    assert str(live_equity(ledger, market)) == str(summed)
