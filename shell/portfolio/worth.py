"""What a book is worth at the newest closes, worked out once for a ledger and a position of the market."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from shell.money import Price, QuoteAmount
from shell.portfolio.ledger import Ledger


class Closes(Protocol):
    """The newest close of each symbol; none changes while `cursor` stays."""

    @property
    def cursor(self) -> int: ...

    def price(self, symbol: str) -> Price | None: ...


class Worth:
    """Prices and equity of one book. A ledger never changes, so the same one at the same cursor is worth the same."""

    def __init__(self, market: Closes) -> None:
        self._market = market
        self._ledger: Ledger | None = None
        self._cursor = -1
        self._prices: Mapping[str, Price] = {}
        self._equity: QuoteAmount | None = None

    def prices(self, ledger: Ledger) -> Mapping[str, Price]:
        """The newest close of every holding; the entry price of one that has none."""
        cursor = self._market.cursor
        if ledger is not self._ledger or (cursor != self._cursor and ledger.positions):
            price = self._market.price
            self._prices = {symbol: price(symbol) or held.avg_entry for symbol, held in ledger.positions.items()}
            self._ledger, self._cursor, self._equity = ledger, cursor, None
        return self._prices

    def equity(self, ledger: Ledger) -> QuoteAmount:
        """Cash and positions at these prices."""
        prices = self.prices(ledger)
        total = self._equity
        if total is None:
            total = ledger.cash
            for symbol, held in ledger.positions.items():
                total = total + held.qty.times(prices[symbol])
            self._equity = total
        return total
