"""The strategy's seat behind an engine: its host, its state, and what it has not been told yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from shell.contract import ClosedTrade, RiskLimits, Signal
from shell.errors import StrategyFault
from shell.exchange.gateway import FeeSchedule
from shell.host.faults import ATTEMPT
from shell.host.port import (
    NO_VENUE_VOLUME,
    ClosedNotice,
    FillNotice,
    LateTrade,
    Replay,
    ReplayHost,
    Rolled,
    ScanRequest,
    StrategyHost,
    SymbolFacts,
    Tidings,
)
from shell.market.bars import Bar
from shell.market.book import MarketBook
from shell.market.recorded import RecordedBook
from shell.money import QuoteAmount
from shell.portfolio.ledger import EquityMarks, Ledger, TradeClosed
from shell.portfolio.valuation import Accounts, closed_trade, portfolio_view

TRADES_KEPT = 100
Untold = tuple[tuple[FillNotice | ClosedNotice, ...], tuple[TradeClosed, ...]]


class Seat:
    """One strategy at a time behind one book. After a fault the host is closed, and started again at the next scan."""

    def __init__(
        self, host: StrategyHost, market: MarketBook | RecordedBook, fees: Mapping[str, FeeSchedule]
    ) -> None:
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
        self._told: tuple[Ledger, QuoteAmount] | None = None
        self._accounts = Accounts()
        self._rolled: Rolled | None = None
        self._replayed = _replayed(host, market)

    def replace(self, host: StrategyHost, state: Mapping[str, Any] | None) -> None:
        """Seat another strategy, which is owed none of the notices meant for the one before."""
        self.close()
        self._host, self._state = host, state
        self._replayed = _replayed(host, self._market)
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
        trades = [closed_trade(trade) for trade in self._trades]
        windows = self._market.windows()
        self._told = self._rolled = None
        replayed = self._replayed
        if replayed is not None:
            host, book = replayed
            interval = host.start_replay(
                Replay(book, tuple(self._fees[symbol] for symbol in book.symbols)), limits=limits, windows=windows,
                state=self._state, recent_trades=trades,
            )
        else:
            interval = self._host.start(
                symbols=list(self._market.symbols), limits=limits, windows=windows, state=self._state, recent_trades=trades
            )
        self._up = True
        # The windows and trades just sent are everything there is so far.
        self._bars.clear()
        self._fresh.clear()
        return interval

    def see(self, cursor: int) -> None:
        """Pass on bars that closed after `cursor` with the next scan, unless the host shows them itself."""
        if self._replayed is None:
            self._bars.extend(self._market.bars_since(cursor))

    def can_roll(self, ledger: Ledger, marks: EquityMarks | None) -> bool:
        """True when the strategy could be asked with nothing to tell it but bars."""
        return (
            self._up
            and self._replayed is not None
            and self._told is not None
            and marks is not None
            and self._told[0] is ledger
            and self._told[1] == marks.day_start
            and not self._notices
        )

    def roll(self, first: int, stop: int, every: int) -> Rolled:
        """Ask at slots first, first + every ... below `stop`, until there are signals or a fault: `scan` at that slot gives
        them again."""
        replayed = self._replayed
        assert replayed is not None
        rolled = replayed[0].roll(first, stop, every)
        self._rolled = rolled if rolled.signals or rolled.fault is not None else None
        return rolled

    def hear(self, notice: FillNotice | ClosedNotice) -> None:
        """A fill or a closed position, to be passed on before the next scan."""
        self._notices.append(notice)

    @property
    def owed(self) -> Sequence[FillNotice | ClosedNotice]:
        """What the strategy is to hear before the next scan; the state it keeps now does not know it."""
        return tuple(self._notices)

    def remember(self, trade: TradeClosed) -> None:
        """A completed trade, for the strategy's recent trades."""
        self._fresh.append(trade)

    def untold(self) -> Untold:
        """Everything the strategy has not been told yet, to `forget_since` if it turns out not to have happened."""
        return tuple(self._notices), tuple(self._fresh)

    def unhear(self, fills: int, trades: int) -> None:
        """Take back the newest so many fills and closed positions, as far as the strategy was not told of them yet."""
        del self._notices[max(0, len(self._notices) - fills - trades):]
        del self._fresh[max(0, len(self._fresh) - trades):]

    def forget_since(self, untold: Untold) -> None:
        """Take back what was heard after `untold` was asked for."""
        self._notices[:], self._fresh[:] = untold

    def scan(self, now: datetime, ledger: Ledger, marks: EquityMarks) -> list[Signal]:
        """Ask the strategy. Raises StrategyFault, after which it is not running."""
        try:
            signals = self._ask(now, ledger, marks)
        except StrategyFault:
            # What it was to hear stays on the table: the next process starts from a state that does not know it.
            self.close()
            raise
        self._notices.clear()
        return signals

    def _ask(self, now: datetime, ledger: Ledger, marks: EquityMarks) -> list[Signal]:
        replayed = self._replayed
        rolled, self._rolled = self._rolled, None
        if replayed is not None and rolled is not None and rolled.slot == replayed[1].slot:
            if rolled.fault is not None:
                raise rolled.fault
            return rolled.signals
        fresh: tuple[TradeClosed, ...] = ()
        if self._fresh:
            fresh = tuple(self._fresh)
            self._trades = (self._trades + self._fresh)[-TRADES_KEPT:]
            self._fresh.clear()
        if replayed is None:
            return self._host.analyze(self._request(now, ledger, marks, tuple(map(closed_trade, fresh))))
        told = ledger, marks.day_start
        changed = self._told is None or self._told[0] is not ledger or self._told[1] != marks.day_start
        account = self._accounts.of(ledger, marks) if changed else None
        trades = tuple([LateTrade(partial(closed_trade, trade)) for trade in fresh])
        signals = replayed[0].step(replayed[1].slot, Tidings(account, tuple(self._notices), trades))
        self._told = told
        return signals

    def _request(
        self, now: datetime, ledger: Ledger, marks: EquityMarks, trades: tuple[ClosedTrade, ...]
    ) -> ScanRequest:
        facts = {}
        for symbol, (maker_pct, taker_pct) in self._fees.items():
            quote = self._market.quote(symbol)
            if quote is not None:
                facts[symbol] = SymbolFacts(quote, NO_VENUE_VOLUME, maker_pct, taker_pct)
        prices = {
            symbol: self._market.price(symbol) or position.avg_entry for symbol, position in ledger.positions.items()
        }
        request = ScanRequest(
            now=now, new_bars=tuple(self._bars), facts=facts, portfolio=portfolio_view(ledger, marks, prices),
            notices=tuple(self._notices), new_trades=trades,
        )
        self._bars.clear()
        return request

    def keep_state(self) -> Mapping[str, Any] | None:
        """The strategy's state, asked now; the last known one when it cannot answer. Raises StrategyFault for an attempt
        alone, which is no failure to answer."""
        if self._up:
            try:
                self._state = self._host.get_state()
            except StrategyFault as fault:
                self.close()
                if fault.kind == ATTEMPT:
                    raise
        return self._state

    def close(self) -> None:
        """Leave no process behind."""
        self._host.close()
        self._up = False


def _replayed(host: StrategyHost, market: MarketBook | RecordedBook) -> tuple[ReplayHost, RecordedBook] | None:
    """The host and the book, where the host itself shows its strategy a recorded market."""
    if isinstance(market, RecordedBook) and isinstance(host, ReplayHost):
        return host, market
    return None
