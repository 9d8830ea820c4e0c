"""Kraken's public side in a thread of its own: one event loop, one socket, one REST client, told to an inbox.

The trading thread never waits for the network: it empties the inbox. Everything here may fail and is tried again for as long as
the link is open.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar, assert_never

from shell.clock import Clock, to_ms
from shell.errors import NotNow, Rejected, Transient
from shell.exchange.kraken.addresses import Addresses
from shell.exchange.kraken.events import (
    BookLost,
    BookSeen,
    CandleClosed,
    CandleForming,
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
from shell.exchange.kraken.feed import FeedWants, PublicFeed
from shell.exchange.kraken.limiter import Limiter
from shell.exchange.kraken.limits import LIMITS, Verification
from shell.exchange.kraken.pace import Pace
from shell.exchange.kraken.pairs import Names
from shell.exchange.kraken.public import PublicApi
from shell.exchange.kraken.rest import RestClient
from shell.log import get_logger
from shell.market.bars import Bar, Quote, Tier
from shell.market.live_inbox import LiveInbox, Tick
from shell.money import Price

T = TypeVar("T")
RETRY_FIRST_SECONDS = 1.0
RETRY_MOST_SECONDS = 30.0
STOP_SECONDS = 5.0
# Kraken's times are compared with ours over this long; a later message is no sign of an earlier skew.
SKEW_WINDOW = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkState:
    """How the link stands. `lag_seconds` is how far our clock is ahead of Kraken's times at best in the last minute:
    the way here, and the difference of the clocks; None while nothing has come."""

    up: bool
    connections: int
    system: str
    reason: str
    lag_seconds: float | None
    refused: tuple[str, ...]


class MarketLink:
    """`open()` starts the thread, `follow()` the feed; `close()` ends both."""

    def __init__(
        self, addresses: Addresses, inbox: LiveInbox, *, clock: Clock, pace: Pace, verification: str = "starter"
    ) -> None:
        self._addresses = addresses
        self._inbox = inbox
        self._clock = clock
        self._pace = pace
        self._verification = verification
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._rest: RestClient | None = None
        self._feed: PublicFeed | None = None
        self._quotes: dict[str, Quote] = {}
        self._up = False
        self._reason = "not connected yet"
        self._system = "unknown"
        self._refused: list[str] = []
        self._lags: list[tuple[datetime, float]] = []

    # -- from the trading thread ----------------------------------------------------------------------------------

    def open(self) -> None:
        """Start the thread. Nothing is asked of Kraken yet."""
        ready = threading.Event()

        def run() -> None:
            loop = asyncio.new_event_loop()
            self._loop = loop
            loop.call_soon(ready.set)
            try:
                loop.run_forever()
            finally:
                loop.run_until_complete(self._finish())
                loop.close()

        self._thread = threading.Thread(target=run, name="market link", daemon=True)
        self._thread.start()
        ready.wait()

    def close(self) -> None:
        """End within a few seconds; closing twice is harmless."""
        loop, thread = self._loop, self._thread
        self._loop = self._thread = None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(STOP_SECONDS)

    def ask(self, question: Callable[[PublicApi], Coroutine[Any, Any, T]]) -> Future[T]:
        """Put a question to Kraken's public REST side; the future is the caller's to wait for. Raises NotNow when closed."""
        loop = self._loop
        if loop is None:
            raise NotNow("the link to Kraken is closed")

        async def put() -> T:
            return await question(self._api())

        return asyncio.run_coroutine_threadsafe(put(), loop)

    def follow(self, names: Names, symbols: Sequence[str]) -> None:
        """Follow `symbols` from now on. Raises DataError for one that Kraken does not trade."""
        for symbol in symbols:
            names.pair(symbol)
        loop = self._loop
        if loop is None:
            raise NotNow("the link to Kraken is closed")
        loop.call_soon_threadsafe(self._start_feed, names, tuple(symbols))

    def state(self) -> LinkState:
        """How the link stands, for status."""
        oldest = self._clock.now() - SKEW_WINDOW
        lags = [lag for at, lag in list(self._lags) if at >= oldest]
        feed = self._feed
        return LinkState(
            up=self._up, connections=feed.socket.connections if feed is not None else 0, system=self._system,
            reason="" if self._up else self._reason, lag_seconds=min(lags, default=None), refused=tuple(self._refused),
        )

    # -- in the link's thread -------------------------------------------------------------------------------------

    def _api(self) -> PublicApi:
        if self._rest is None:
            limiter = Limiter(LIMITS[Verification(self._verification)], self._pace)
            self._rest = RestClient(self._addresses, clock=self._clock, pace=self._pace, limiter=limiter)
        return PublicApi(self._rest)

    def _start_feed(self, names: Names, symbols: tuple[str, ...]) -> None:
        self._feed = PublicFeed(
            self._addresses, self._api(), names, FeedWants(symbols=symbols, trades=True), self._tell, clock=self._clock,
            pace=self._pace,
        )
        task = asyncio.ensure_future(self._run_feed(self._feed))
        self._tasks.add(task)

    async def _run_feed(self, feed: PublicFeed) -> None:
        """The feed comes back by itself; should it end all the same, it is told and begun again."""
        while True:
            try:
                await feed.run()
            except ExceptionGroup as group:
                self._up, self._reason = False, str(group.exceptions[0])
                get_logger().error("market feed ended", exc_info=group)
                self._inbox.put_news(f"the market feed failed and is begun again: {self._reason}")
            await self._pace.sleep(RETRY_FIRST_SECONDS)

    async def _finish(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._rest is not None:
            await self._rest.close()

    def _tell(self, event: MarketEvent) -> None:
        match event:
            case TickerSeen():
                self._ticker(event)
            case TradeSeen():
                self._trade(event)
            case CandleClosed():
                self._inbox.put_bar(_bar(event))
            case CandleForming():
                # A bar of a later time: everything before it has been told.
                self._inbox.put_complete(event.symbol, to_ms(event.candle.opened_at))
            case CandlesComplete():
                until_ms = to_ms(event.until)
                for symbol in event.symbols:
                    self._inbox.put_complete(symbol, until_ms)
            case CandlesMissed():
                self._news(f"{event.symbol}: no bars from {event.first:%Y-%m-%d %H:%M} to {event.last:%H:%M} UTC; recorded")
            case FeedUp():
                self._up = True
                self._news("connected to Kraken's market data")
            case FeedDown():
                if self._up:
                    self._news(f"Kraken's market data were cut ({event.reason}); prices are polled")
                self._up, self._reason = False, event.reason
            case SystemSeen():
                if event.state.value != self._system and self._system != "unknown":
                    self._news(f"Kraken is {event.state.value}")
                self._system = event.state.value
                self._inbox.put_system(self._system)
            case SymbolRefused():
                told = f"{event.symbol}: Kraken gives no {event.channel}: {event.reason}"
                self._refused.append(told)
                self._news(told)
            case MessageRefused():
                get_logger().warning("kraken message refused", channel=event.channel, reason=event.reason)
            case InstrumentSeen() | TradesMissed() | BookSeen() | BookLost():
                # Pairs are read at start-up, missed trades are in the bars, and no book is followed.
                pass
            case _:
                assert_never(event)

    def _ticker(self, event: TickerSeen) -> None:
        at_ms = to_ms(event.at)
        quote = Quote(event.symbol, float(event.bid), float(event.ask), float(event.last), at_ms)
        self._quotes[event.symbol] = quote
        self._inbox.put_quote(quote)
        if event.polled:
            # Of a ticker of the socket the trade itself is told.
            self._inbox.put_tick(Tick(event.symbol, Price(event.last), at_ms))
        else:
            self._note_lag(event.at)

    def _trade(self, event: TradeSeen) -> None:
        at_ms = to_ms(event.at)
        self._inbox.put_tick(Tick(event.symbol, Price(event.price), at_ms))
        quote = self._quotes.get(event.symbol)
        if quote is not None and at_ms >= quote.at_ms:
            quote = quote._replace(last=float(event.price), at_ms=at_ms)
            self._quotes[event.symbol] = quote
            self._inbox.put_quote(quote)

    def _note_lag(self, told: datetime) -> None:
        now = self._clock.now()
        self._lags = [each for each in self._lags if each[0] >= now - SKEW_WINDOW][-500:]
        self._lags.append((now, (now - told).total_seconds()))

    def _news(self, sentence: str) -> None:
        self._inbox.put_news(sentence)


def _bar(event: CandleClosed) -> Bar:
    candle = event.candle
    prices = (float(value) for value in (candle.open, candle.high, candle.low, candle.close, candle.volume))
    return Bar(event.symbol, Tier.M5, to_ms(candle.opened_at), *prices)


def reached(asked: Future[T], seconds: float) -> T | None:
    """The answer within `seconds`, None while there is none. Raises what the question raised, but for what may pass."""
    try:
        return asked.result(seconds)
    except TimeoutError:
        if asked.done() and asked.exception() is not None:
            raise NotNow(str(asked.exception())) from None
        return None
    except (Transient, Rejected) as error:
        raise NotNow(str(error)) from None
