"""What a book is worth at the newest prices seen, also between bars; marks are made where bars close, as in a backtest."""

from __future__ import annotations

from shell.market.book import MarketBook
from shell.market.recorded import RecordedBook
from shell.money import CONTEXT, Price, QuoteAmount
from shell.portfolio.ledger import Ledger, Position

_add, _multiply = CONTEXT.add, CONTEXT.multiply


def live_prices(ledger: Ledger, market: MarketBook | RecordedBook) -> dict[str, Price]:
    """The newest price seen of every holding, its entry price where none was."""
    return {symbol: _price_of(held, market) for symbol, held in ledger.positions.items()}


def live_equity(ledger: Ledger, market: MarketBook | RecordedBook) -> QuoteAmount:
    """Cash and positions at these prices."""
    # The digits of a sum of amounts, without an amount for each term: asked for twice at each price that is seen.
    total = ledger.cash.value
    for held in ledger.positions.values():
        total = _add(total, _multiply(held.qty.value, _price_of(held, market).value))
    return QuoteAmount.of(total)


def _price_of(held: Position, market: MarketBook | RecordedBook) -> Price:
    return market.live_price(held.symbol) or held.avg_entry
