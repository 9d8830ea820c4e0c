"""The strategy's seat behind an engine: its host, its state, and what it has not been told yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from shell.contract import Portfolio, RiskLimits, Signal
from shell.errors import StrategyFault
from shell.exchange.gateway import FeeSchedule
from shell.host.port import NO_VENUE_VOLUME, ClosedNotice, FillNotice, ScanRequest, StrategyHost, SymbolFacts
from shell.market.bars import Bar
from shell.market.book import MarketBook
from shell.portfolio.ledger import TradeClosed
from shell.portfolio.valuation import closed_trade

TRADES_KEPT = 100


class Seat:
    """One strategy at a time behind one book. After a fault the host is closed, and started again at the next scan."""

    def __init__(self, host: StrategyHost, market: MarketBook, fees: Mapping[str, FeeSchedule]) -> None:
        self._host = host
        self._market = market
        self._fees = {
            symbol: (float(fees[symbol].maker_pct), float(fees[symbol].taker_pct)) for symbol in market.symbols
        }
        self._up = False
        self._state: Mapping[str, Any] | None = None
        self._bars: list[Bar] = []
        self._notices: list[FillNotice | ClosedNotice] = []
        self._trades: list[TradeClosed] = []
        self._fresh: list[TradeClosed] = []

    def replace(self, host: StrategyHost, state: Mapping[str, Any] | None) -> None:
        """Seat another strategy, which is owed none of the notices meant for the one before."""
        self.close()
        self._host, self._state = host, state
        self._notices.clear()

    def restore(self, state: Mapping[str, Any] | None, trades: Sequence[TradeClosed]) -> None:
        """Give back what was known before a restart."""
        self._state, self._trades = state, list(trades)[-TRADES_KEPT:]

    @property
    def up(self) -> bool:
        """True while the strategy runs."""
        return self._up

    def start(self, limits: RiskLimits) -> int:
        """Start the strategy; returns its scan interval in minutes. Raises StrategyFault."""
        self._trades = (self._trades + self._fresh)[-TRADES_KEPT:]
        interval = self._host.start(
            symbols=list(self._market.symbols), limits=limits, windows=self._market.windows(), state=self._state,
            recent_trades=[closed_trade(trade) for trade in self._trades],
        )
        self._up = True
        # The windows and trades just sent are everything there is so far.
        self._bars.clear()
        self._fresh.clear()
        return interval

    def see(self, bars: Sequence[Bar]) -> None:
        """Bars that closed, to be passed on with the next scan."""
        self._bars.extend(bars)

    def hear(self, notice: FillNotice | ClosedNotice) -> None:
        """A fill or a closed position, to be passed on before the next scan."""
        self._notices.append(notice)

    def remember(self, trade: TradeClosed) -> None:
        """A completed trade, for the strategy's recent trades."""
        self._fresh.append(trade)

    def scan(self, now: datetime, portfolio: Portfolio) -> list[Signal]:
        """Ask the strategy. Raises StrategyFault, after which it is not running."""
        facts = {}
        for symbol, (maker_pct, taker_pct) in self._fees.items():
            quote = self._market.quote(symbol)
            if quote is not None:
                facts[symbol] = SymbolFacts(quote, NO_VENUE_VOLUME, maker_pct, taker_pct)
        request = ScanRequest(
            now=now, new_bars=tuple(self._bars), facts=facts, portfolio=portfolio, notices=tuple(self._notices),
            new_trades=tuple(closed_trade(trade) for trade in self._fresh),
        )
        self._bars.clear()
        self._trades = (self._trades + self._fresh)[-TRADES_KEPT:]
        self._fresh.clear()
        try:
            signals = self._host.analyze(request)
        except StrategyFault:
            # What it was to hear stays on the table: the next process starts from a state that does not know it.
            self.close()
            raise
        self._notices.clear()
        return signals

    def keep_state(self) -> Mapping[str, Any] | None:
        """The strategy's state, asked now; the last known one when it cannot answer."""
        if self._up:
            try:
                self._state = self._host.get_state()
            except StrategyFault:
                self.close()
        return self._state

    def close(self) -> None:
        """Leave no process behind."""
        self._host.close()
        self._up = False
