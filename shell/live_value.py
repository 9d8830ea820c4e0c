"""What a book is worth at the newest prices seen, also between bars; marks are made where bars close, as in a backtest."""

from __future__ import annotations

from shell.market.book import MarketBook
from shell.market.recorded import RecordedBook
from shell.money import Price, QuoteAmount
from shell.portfolio.ledger import Ledger


def live_prices(ledger: Ledger, market: MarketBook | RecordedBook) -> dict[str, Price]:
    """The newest price seen of every holding, its entry price where none was."""
    return {
        symbol: market.live_price(symbol) or position.avg_entry for symbol, position in ledger.positions.items()
    }


def live_equity(ledger: Ledger, market: MarketBook | RecordedBook) -> QuoteAmount:
    """Cash and positions at these prices."""
    total = ledger.cash
    for symbol, price in live_prices(ledger, market).items():
        total = total + ledger.positions[symbol].qty.times(price)
    return total
