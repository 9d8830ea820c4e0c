"""What a book is worth at the newest prices seen, also between bars; marks are made where bars close, as in a backtest."""

from __future__ import annotations

from shell.market.book import MarketBook
from shell.market.recorded import RecordedBook
from shell.money import CONTEXT, Price, QuoteAmount
from shell.portfolio.ledger import Ledger

_add, _multiply = CONTEXT.add, CONTEXT.multiply


def live_prices(ledger: Ledger, market: MarketBook | RecordedBook) -> dict[str, Price]:
    """The newest price seen of every holding, its entry price where none was."""
    return {
        symbol: market.live_price(symbol) or position.avg_entry for symbol, position in ledger.positions.items()
    }


def live_equity(ledger: Ledger, market: MarketBook | RecordedBook) -> QuoteAmount:
    """Cash and positions at these prices."""
    # Exact like a sum of amounts, without one made of every term: asked for twice at each price that is seen.
    total = ledger.cash.value
    for symbol, held in ledger.positions.items():
        total = _add(total, _multiply(held.qty.value, (market.live_price(symbol) or held.avg_entry).value))
    return QuoteAmount.of(total)
