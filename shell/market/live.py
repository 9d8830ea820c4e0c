"""The market book of a live feed: bars as they close, quotes and prices as they are seen, and what came too late.

What a strategy sees at a slot is made of closed bars alone, so that the stored bars give it again; live quotes are for risk,
live prices for matching, protection and the loss limits. Hours and days are closed only as far as the feed has told every bar,
so a gap that is filled later comes in order. A bar that comes after all that is kept for the store and told, never shown.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from shell.clock import to_ms
from shell.market.bars import Bar, Quote, Tier
from shell.market.book import MarketBook
from shell.market.history import History
from shell.market.live_inbox import Delivery, Tick
from shell.money import Price

# Ranges of prices seen are forgotten this long after their bar ended, should it never come.
SEEN_KEPT_MS = 6 * Tier.H1.ms
# The exchange's word on itself; as long as it has said nothing, the orders themselves find out.
UNKNOWN = "unknown"
TAKES_ORDERS = (UNKNOWN, "online")


class _Waiting:
    """The feed of a live book: bars that are told and not revealed yet."""

    def __init__(self, symbols: Sequence[str]) -> None:
        self._order = {symbol: at for at, symbol in enumerate(symbols)}
        self._bars: dict[tuple[int, int], Bar] = {}

    def add(self, bar: Bar) -> None:
        self._bars[bar.open_ms, self._order[bar.symbol]] = bar

    def any_until(self, now_ms: int) -> bool:
        return any(bar.close_ms <= now_ms for bar in self._bars.values())

    def closed_until(self, now_ms: int) -> Sequence[Bar]:
        ready = sorted(key for key, bar in self._bars.items() if bar.close_ms <= now_ms)
        return [self._bars.pop(key) for key in ready]


class LiveBook(MarketBook):
    """A market book that is told by `take` and revealed by `advance`. `watched` symbols have prices and no bars."""

    def __init__(self, symbols: Sequence[str], *, watched: Sequence[str] = (), spread_pct: float = 0.0) -> None:
        self._waiting = _Waiting(symbols)
        super().__init__(symbols, self._waiting, spread_pct=spread_pct)
        self.watched = tuple(symbol for symbol in watched if symbol not in self.symbols)
        self._complete: dict[str, int] = {}
        self._live_quotes: dict[str, Quote] = {}
        self._live_prices: dict[str, Tick] = {}
        self._seen: dict[str, dict[int, tuple[float, float]]] = {symbol: {} for symbol in self.symbols}
        self._corrections: list[Bar] = []
        self._system = UNKNOWN
        self.late = self.revised = 0
        """Bars that came after their hour was handed out, and bars that came again with other values."""

    @property
    def closed(self) -> str:
        return "" if self._system in TAKES_ORDERS else self._system

    def preload(self, history: History, until: datetime) -> None:
        super().preload(history, until)
        self._complete = dict.fromkeys(self.symbols, to_ms(until))

    # -- what the feed tells --------------------------------------------------------------------------------------

    def take(self, delivery: Delivery) -> None:
        """Take what came. Bars are revealed by the next `advance` past their close."""
        self._system = delivery.system or self._system
        for quote in delivery.quotes.values():
            self._live_quotes[quote.symbol] = quote
        for tick in delivery.ticks:
            self._see(tick)
        for bar in delivery.bars:
            if bar.symbol in self._seen:
                self._admit(bar)
        for symbol, until_ms in delivery.complete.items():
            self._complete[symbol] = max(until_ms, self._complete.get(symbol, 0))

    def complete_until(self) -> int:
        """Until when every bar of every symbol has been told, in ms."""
        return min((self._complete.get(symbol, 0) for symbol in self.symbols), default=0)

    def has_waiting(self, now_ms: int) -> bool:
        """True when there are bars, closed by `now_ms`, that nobody has seen."""
        return self._waiting.any_until(now_ms)

    def _see(self, tick: Tick) -> None:
        newest = self._live_prices.get(tick.symbol)
        if newest is None or tick.at_ms >= newest.at_ms:
            self._live_prices[tick.symbol] = tick
        ranges = self._seen.get(tick.symbol)
        if ranges is None:
            return
        price, open_ms = float(tick.price), tick.at_ms // Tier.M5.ms * Tier.M5.ms
        low, high = ranges.get(open_ms, (price, price))
        if open_ms not in ranges:
            for old in [at for at in ranges if at < open_ms - SEEN_KEPT_MS]:
                del ranges[old]
        ranges[open_ms] = (min(low, price), max(high, price))

    def _admit(self, bar: Bar) -> None:
        """Into the waiting bars, or among the corrections where it can no longer be shown."""
        columns = self._columns[bar.symbol, Tier.M5]
        last_ms = columns.last_ms
        if last_ms is None or bar.open_ms > last_ms:
            if self._builders[bar.symbol].takes(bar):
                self._waiting.add(bar)
            else:
                self.late += 1
                self._corrections.append(bar)
            return
        at = int(columns.times().searchsorted(bar.open_ms))
        if columns.row(at) == (bar.open_ms, bar.open, bar.high, bar.low, bar.close, bar.volume):
            return
        if columns.row(at)[0] == bar.open_ms:
            self.revised += 1
        else:
            self.late += 1
        self._corrections.append(bar)

    # -- what engines read ----------------------------------------------------------------------------------------

    def _close_buckets(self, now_ms: int) -> None:
        hour_ms = now_ms // Tier.H1.ms * Tier.H1.ms
        lagging = False
        for symbol in self.symbols:
            until_ms = min(now_ms, self._complete.get(symbol, 0))
            lagging = lagging or until_ms < hour_ms
            for bar in self._builders[symbol].close_until(until_ms):
                self._columns[symbol, bar.tier].append(
                    bar.open_ms, bar.open, bar.high, bar.low, bar.close, bar.volume
                )
                self._log.append(bar)
        # While a symbol lags behind, every advance tries again.
        self._next_hour_ms = hour_ms if lagging else hour_ms + Tier.H1.ms

    def unseen_since(self, cursor: int, symbols: Collection[str]) -> list[Bar]:
        """Bars of which no price was seen, whole; of others only how far they went beyond the prices seen.

        A bar's path is never walked again where live prices led before, and what happened in a gap is not lost.
        """
        found = []
        for bar in self.m5_since(cursor, symbols):
            seen = self._seen[bar.symbol].get(bar.open_ms)
            if seen is None:
                found.append(bar)
            elif bar.low < seen[0] or bar.high > seen[1]:
                low, high = min(bar.low, bar.close), max(bar.high, bar.close)
                low = low if bar.low < seen[0] else bar.close
                high = high if bar.high > seen[1] else bar.close
                found.append(bar._replace(open=bar.close, low=low, high=high))
        return found

    def take_corrections(self) -> Sequence[Bar]:
        taken, self._corrections = self._corrections, []
        return taken

    def live_quote(self, symbol: str) -> Quote | None:
        """The newest quote the feed told, or that of the newest bar where this one is newer by more than a bar."""
        live, closed = self._live_quotes.get(symbol), self.quote(symbol)
        if live is None or (closed is not None and closed.at_ms > live.at_ms + Tier.M5.ms):
            return closed
        return live

    def live_price(self, symbol: str) -> Price | None:
        """The newest price seen, or the newest close where this one is newer."""
        tick, bar = self._live_prices.get(symbol), self._last.get(symbol)
        # A bar's close is the last trade before its end: no older than a price seen before that.
        if tick is None or (bar is not None and bar.close_ms > tick.at_ms):
            return self.price(symbol)
        return tick.price

    def price(self, symbol: str) -> Price | None:
        """The newest close; of a watched symbol, which has no bars, the newest price seen."""
        if symbol in self._seen:
            return super().price(symbol)
        tick = self._live_prices.get(symbol)
        return None if tick is None else tick.price

    def last_seen(self) -> Mapping[str, int]:
        """When the newest price of each symbol was made, in ms."""
        return {symbol: tick.at_ms for symbol, tick in self._live_prices.items()}
