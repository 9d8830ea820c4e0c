"""The public market feed: everything the shell needs to know of the market, from one socket, and from REST without it.

Subscribed are `instrument`, `ticker`, `ohlc` and, where wanted, `trade` and `book`; `status` comes unasked. While the socket
is down prices are polled; when it is back, closed bars that were missed are fetched. Events are handed to `tell` at once,
one after the other, in the event loop's thread.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from shell.clock import Clock
from shell.errors import Rejected, Transient
from shell.exchange.kraken.addresses import Addresses
from shell.exchange.kraken.book import DEPTHS, OrderBook
from shell.exchange.kraken.errors import MalformedAnswer
from shell.exchange.kraken.events import (
    BookLost,
    BookSeen,
    CandlesComplete,
    CandlesMissed,
    FeedDown,
    FeedUp,
    InstrumentSeen,
    MarketEvent,
    MessageRefused,
    SymbolRefused,
    SystemSeen,
    TickerSeen,
    TradeSeen,
    TradesMissed,
)
from shell.exchange.kraken.feed_read import read_candle, read_instrument, read_levels, read_trade_row
from shell.exchange.kraken.forming import MARGIN, FormingCandle
from shell.exchange.kraken.pace import Pace
from shell.exchange.kraken.pairs import Names
from shell.exchange.kraken.public import PublicApi
from shell.exchange.kraken.public_types import SystemState
from shell.exchange.kraken.wire import Fields
from shell.exchange.kraken.ws import SILENCE_SECONDS, Socket, Want
from shell.log import get_logger

POLL_SECONDS = 5.0
TICK_SECONDS = 1.0
GAP_RETRY_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedWants:
    """What to follow. `book_depth` 0 follows no book; a depth is one of Kraken's (10, 25, 100, 500, 1000)."""

    symbols: tuple[str, ...]
    candle_minutes: int = 5
    trades: bool = False
    book_depth: int = 0

    def __post_init__(self) -> None:
        if self.book_depth and self.book_depth not in DEPTHS:
            raise ValueError(f"Kraken keeps books of {', '.join(map(str, DEPTHS))} levels, not {self.book_depth}")


class PublicFeed:
    """Follows the market for as long as `run()` runs. A `Listener` of its own socket."""

    def __init__(
        self,
        addresses: Addresses,
        api: PublicApi,
        names: Names,
        wants: FeedWants,
        tell: Callable[[MarketEvent], None],
        *,
        clock: Clock,
        pace: Pace,
        chance: random.Random | None = None,
        silence_seconds: float = SILENCE_SECONDS,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        """Raises DataError for a symbol that Kraken does not trade."""
        self._api = api
        self._pairs = {symbol: names.pair(symbol) for symbol in wants.symbols}
        self._wanted = wants
        self._tell = tell
        self._clock = clock
        self._pace = pace
        self._poll_seconds = poll_seconds
        self._candles = {symbol: FormingCandle(symbol, wants.candle_minutes) for symbol in wants.symbols}
        self._books: dict[str, OrderBook] = {}
        self._trusted: set[str] = set()
        self._last_trade: dict[str, int] = {}
        self._is_up = False
        self._came_up = asyncio.Event()
        self._decimals = {symbol: (pair.price_decimals, pair.qty_decimals) for symbol, pair in self._pairs.items()}
        self.state: SystemState | None = None
        self.socket = Socket(
            addresses.ws, self, pace=pace, chance=chance, silence_seconds=silence_seconds, local=addresses.local
        )

    async def run(self) -> None:
        """For ever; cancel it to end."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.socket.run())
            tasks.create_task(self._poll_while_down())
            tasks.create_task(self._close_candles())
            tasks.create_task(self._fill_gaps())

    @property
    def is_up(self) -> bool:
        """True while the socket tells prices."""
        return self._is_up

    def book(self, symbol: str) -> OrderBook | None:
        """The book, while its checksum agrees."""
        return self._books.get(symbol) if symbol in self._trusted else None

    # What the socket asks of its listener.

    def wants(self) -> Sequence[Want]:
        symbols = self._wanted.symbols
        wanted = [
            Want(channel="instrument", params={"snapshot": True}),
            Want(channel="ticker", symbols=symbols, params={"event_trigger": "bbo", "snapshot": True}),
            Want(channel="ohlc", symbols=symbols, params={"interval": self._wanted.candle_minutes, "snapshot": True}),
        ]
        if self._wanted.trades:
            wanted.append(Want(channel="trade", symbols=symbols, params={"snapshot": True}))
        if self._wanted.book_depth:
            wanted.append(self._book_want(symbols))
        return wanted

    async def greet(self) -> Mapping[str, Any]:
        return {}

    def up(self) -> None:
        self._is_up = True
        self._tell(FeedUp())
        self._came_up.set()

    def down(self, reason: str) -> None:
        self._is_up = False
        self._came_up.clear()
        self._trusted.clear()
        for forming in self._candles.values():
            forming.pause()
        self._tell(FeedDown(reason=reason))

    def refused(self, channel: str, symbol: str, reason: str) -> None:
        self._tell(SymbolRefused(channel=channel, symbol=symbol, reason=reason))

    def message(self, message: Fields) -> None:
        """One message; what is wrong in it is told and left out, and a book it was about is fetched anew."""
        channel = message.text("channel")
        read = self._readers.get(channel)
        if read is None:
            return
        try:
            read(self, message)
        except MalformedAnswer as error:
            self._tell(MessageRefused(channel=channel, reason=str(error)))
            if channel == "book":
                for symbol in list(self._trusted):
                    self._lose_book(symbol, "a message of the book could not be read")

    def _on_status(self, message: Fields) -> None:
        for row in message.objects("data"):
            self.state = SystemState.of(row.text("system"))
            self._tell(SystemSeen(state=self.state))

    def _on_ticker(self, message: Fields) -> None:
        for row in message.objects("data"):
            at = row.stamp("timestamp") if "timestamp" in row else self._clock.now()
            seen = TickerSeen(
                symbol=row.text("symbol"),
                bid=row.number("bid"), bid_qty=row.number("bid_qty"),
                ask=row.number("ask"), ask_qty=row.number("ask_qty"),
                last=row.number("last"), at=at,
            )  # fmt: skip
            self._tell(seen)

    def _on_candles(self, message: Fields) -> None:
        rows: dict[str, list[Any]] = {}
        for row in message.objects("data"):
            if row.integer("interval", self._wanted.candle_minutes) == self._wanted.candle_minutes:
                rows.setdefault(row.text("symbol"), []).append(read_candle(row))
        for symbol, candles in rows.items():
            if symbol in self._candles:
                for event in self._candles[symbol].see(candles):
                    self._tell(event)

    def _on_trades(self, message: Fields) -> None:
        trades = sorted((read_trade_row(row) for row in message.objects("data")), key=lambda each: each.trade_id)
        snapshot = message.text("type") == "snapshot"
        for trade in trades:
            self._on_trade(trade, snapshot)

    def _on_trade(self, trade: TradeSeen, snapshot: bool) -> None:
        last = self._last_trade.get(trade.symbol)
        if last is not None and trade.trade_id <= last:
            return
        if last is not None and trade.trade_id > last + 1:
            self._tell(TradesMissed(symbol=trade.symbol, first_id=last + 1, last_id=trade.trade_id - 1))
        self._last_trade[trade.symbol] = trade.trade_id
        # The first snapshot is the past; after a reconnect it holds what was missed.
        if last is not None or not snapshot:
            self._tell(trade)

    def _on_book(self, message: Fields) -> None:
        snapshot = message.text("type") == "snapshot"
        for row in message.objects("data"):
            symbol = row.text("symbol")
            if symbol not in self._pairs:
                continue
            asks, bids, told = read_levels(row, "asks"), read_levels(row, "bids"), row.integer("checksum")
            if snapshot:
                price_decimals, qty_decimals = self._decimals[symbol]
                self._books[symbol] = OrderBook(
                    symbol, self._wanted.book_depth, price_decimals=price_decimals, qty_decimals=qty_decimals
                )
                self._books[symbol].replace(asks, bids)
            elif symbol not in self._trusted:
                continue  # between a loss and the next snapshot
            else:
                self._books[symbol].update(asks, bids)
            if self._books[symbol].checksum() != told:
                self._lose_book(symbol, "its checksum does not agree")
                continue
            self._trusted.add(symbol)
            self._tell_book(symbol, row)

    def _tell_book(self, symbol: str, row: Fields) -> None:
        asks, bids = self._books[symbol].asks(1), self._books[symbol].bids(1)
        if asks and bids:
            at = row.stamp("timestamp") if "timestamp" in row else self._clock.now()
            bid, ask = bids[0], asks[0]
            self._tell(BookSeen(symbol=symbol, bid=bid.price, bid_qty=bid.qty, ask=ask.price, ask_qty=ask.qty, at=at))

    def _on_instrument(self, message: Fields) -> None:
        data = message.object("data")
        if "pairs" not in data:
            return
        for row in data.objects("pairs"):
            if row.values.get("symbol") in self._pairs:
                seen: InstrumentSeen = read_instrument(row)
                self._decimals[seen.symbol] = (seen.price_decimals, seen.qty_decimals)
                self._tell(seen)

    _readers: Mapping[str, Callable[[PublicFeed, Fields], None]] = {
        "status": _on_status,
        "ticker": _on_ticker,
        "ohlc": _on_candles,
        "trade": _on_trades,
        "book": _on_book,
        "instrument": _on_instrument,
    }

    def _lose_book(self, symbol: str, reason: str) -> None:
        self._trusted.discard(symbol)
        self._tell(BookLost(symbol=symbol, reason=reason))
        self.socket.renew(self._book_want((symbol,)))

    def _book_want(self, symbols: tuple[str, ...]) -> Want:
        return Want(channel="book", symbols=symbols, params={"depth": self._wanted.book_depth, "snapshot": True})

    # What time asks.

    async def _poll_while_down(self) -> None:
        """Prices by REST while the socket is silent."""
        while True:
            await self._pace.sleep(self._poll_seconds)
            if self._is_up:
                continue
            try:
                tickers = await self._api.tickers(list(self._pairs.values()))
            except (Transient, Rejected) as error:
                get_logger().warning("kraken poll failed", reason=str(error), at=self._clock.now())
                continue
            for ticker in tickers.values():
                # Down still: the socket's word would be the newer one.
                if not self._is_up:
                    self._tell(
                        TickerSeen(
                            symbol=ticker.symbol, bid=ticker.bid, bid_qty=Decimal(0), ask=ticker.ask, ask_qty=Decimal(0),
                            last=ticker.last, at=self._clock.now(), polled=True,
                        )
                    )  # fmt: skip

    async def _close_candles(self) -> None:
        """Bars whose end has passed. Only while the socket is up: else a late trade may be missing in them."""
        while True:
            await self._pace.sleep(TICK_SECONDS)
            if self._is_up:
                now = self._clock.now()
                for forming in self._candles.values():
                    for event in forming.tick(now):
                        self._tell(event)
                following = tuple(symbol for symbol, forming in self._candles.items() if not forming.paused)
                if following:
                    minutes = self._wanted.candle_minutes
                    self._tell(CandlesComplete(symbols=following, minutes=minutes, until=now - MARGIN))

    async def _fill_gaps(self) -> None:
        """After every connection: the bars that closed without us, then the feed's own again."""
        while True:
            await self._came_up.wait()
            for symbol, forming in self._candles.items():
                if forming.paused and self._is_up:
                    try:
                        await self._fetch_missed(symbol, forming)
                    except (Transient, Rejected) as error:
                        get_logger().warning("kraken gap not filled", symbol=symbol, reason=str(error), at=self._clock.now())
            if all(not forming.paused for forming in self._candles.values()):
                self._came_up.clear()
            else:
                await self._pace.sleep(GAP_RETRY_SECONDS)

    async def _fetch_missed(self, symbol: str, forming: FormingCandle) -> None:
        """Closed bars since the newest known one. Bars older than REST's newest 720 are told as missed."""
        connections = self.socket.connections
        known = forming.closed_until
        since = None if known is None else int(known.timestamp()) - 1
        page = await self._api.candles(self._pairs[symbol], self._wanted.candle_minutes, since)
        if connections != self.socket.connections or not self._is_up:
            return  # lost again meanwhile: the next connection asks anew
        if page.closed and known is not None and page.closed[0].opened_at > known:
            last = page.closed[0].opened_at - timedelta(minutes=self._wanted.candle_minutes)
            self._tell(CandlesMissed(symbol=symbol, minutes=self._wanted.candle_minutes, first=known, last=last))
        # REST writes a bar without trades as one flat row; the socket leaves it out, and so do we.
        for event in forming.resume([candle for candle in page.closed if candle.trades > 0]):
            self._tell(event)
