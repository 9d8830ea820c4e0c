"""What a book is worth at the newest closes, worked out once for a ledger and a position of the market."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from shell.money import CONTEXT, Price, QuoteAmount
from shell.portfolio.ledger import Ledger

_add, _multiply = CONTEXT.add, CONTEXT.multiply


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
        """The newest close of every holding; the entry price of one that has none, or a close of nothing."""
        cursor = self._market.cursor
        if ledger is not self._ledger or (cursor != self._cursor and ledger.positions):
            price, prices = self._market.price, {}
            for symbol, held in ledger.positions.items():
                close = price(symbol)
                prices[symbol] = held.avg_entry if close is None or not close.value else close
            self._prices, self._ledger, self._cursor, self._equity = prices, ledger, cursor, None
        return self._prices

    def equity(self, ledger: Ledger) -> QuoteAmount:
        """Cash and positions at these prices."""
        prices = self.prices(ledger)
        if self._equity is None:
            # Exact like `ledger.equity`, without an amount made of every term: at each step of each book.
            total = ledger.cash.value
            for symbol, held in ledger.positions.items():
                total = _add(total, _multiply(held.qty.value, prices[symbol].value))
            self._equity = QuoteAmount.of(total)
        return self._equity
