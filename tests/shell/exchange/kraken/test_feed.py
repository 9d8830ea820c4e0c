"""The public feed over real sockets: right books, polled prices while it is down, missed bars fetched."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

import pytest

from shell.errors import DataError
from shell.exchange.kraken.addresses import Addresses
from shell.exchange.kraken.errors import KrakenUnavailable
from shell.exchange.kraken.events import (
    BookLost,
    BookSeen,
    CandleClosed,
    CandleForming,
    CandlesMissed,
    FeedDown,
    FeedUp,
    InstrumentSeen,
    MarketEvent,
    MessageRefused,
    SystemSeen,
    TickerSeen,
    TradeSeen,
    TradesMissed,
)
from shell.exchange.kraken.feed import FeedWants, PublicFeed
from shell.exchange.kraken.pairs import PairStatus
from shell.exchange.kraken.public import PublicApi
from shell.exchange.kraken.public_types import SystemState
from tests.shell.exchange.kraken.payloads_of import FOLDER, names, payload, result
from tests.shell.exchange.kraken.socket_stand_in import FastPace, Line, running, serving_sockets, until
from tests.shell.exchange.kraken.times import START, HandClock

E = TypeVar("E")
FIVE = timedelta(minutes=5)
OPENED = int(START.timestamp())


def ohlc_row(at: int, close: str = "10.0", trades: int = 2) -> list[Any]:
    return [OPENED + 300 * at, "10.0", "11.0", "9.0", close, "10.0", "1.5", trades]


@dataclass
class Rest:
    """REST as a table: `bars` are closed, one more is forming."""

    bars: list[list[Any]] = field(default_factory=list)
    fail: bool = False
    asked: list[str] = field(default_factory=list)

    async def public(self, endpoint: str, fields: Mapping[str, Any] | None = None, *, pair: str = "") -> Any:
        self.asked.append(endpoint)
        if self.fail:
            raise KrakenUnavailable("down")
        if endpoint == "Ticker":
            return {"XXBTZUSD": result("http_ticker")["XBTUSDT"]}
        since = (fields or {}).get("since") or 0
        bars = [row for row in self.bars if row[0] > since]
        return {"XXBTZUSD": [*bars, ohlc_row(900)], "last": bars[-1][0] if bars else OPENED}


@dataclass
class Scene:
    feed: PublicFeed
    rest: Rest
    events: list[MarketEvent]
    clock: HandClock

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]


def scene_of(url: str, *, rest: Rest | None = None, **wants: Any) -> Scene:
    events: list[MarketEvent] = []
    rest, clock = rest or Rest(), HandClock()
    feed = PublicFeed(
        Addresses(rest="http://127.0.0.1:1", ws=url), PublicApi(rest), names(), FeedWants(symbols=("BTC/USD",), **wants),
        events.append, clock=clock, pace=FastPace(), chance=random.Random(7), silence_seconds=1.0,
    )  # fmt: skip
    return Scene(feed, rest, events, clock)


def ws_candle(at: int, close: float = 10.0, trades: int = 1) -> dict[str, Any]:
    begins = (START + at * FIVE).strftime("%Y-%m-%dT%H:%M:%S.000000000Z")
    return {"symbol": "BTC/USD", "interval": 5, "interval_begin": begins, "open": 10.0, "high": 11.0, "low": 9.0,
            "close": close, "volume": 1.5, "vwap": 10.0, "trades": trades}


def test_each_channel_becomes_events() -> None:
    async def run() -> None:
        async with serving_sockets() as here:
            scene = scene_of(here.url, trades=True)
            async with running(scene.feed.run()):
                await until(lambda: scene.of(FeedUp) and "OHLC" in scene.rest.asked)
                await asyncio.sleep(0.05)
                channels = [each["params"]["channel"] for each in here.last.got]
                assert channels == ["instrument", "ticker", "ohlc", "trade"]
                assert here.last.asked("subscribe", "ohlc")[0]["params"]["interval"] == 5
                tell = here.last.tell
                await tell({"channel": "status", "type": "update", "data": [{"system": "cancel_only", "version": "2.0.9"}]})
                await tell((FOLDER / "ws_ticker_snapshot.json").read_text())
                pairs = [{"symbol": "BTC/USD", "status": "post_only", "price_precision": 1, "qty_precision": 8, "qty_min": 0.00005,
                          "qty_increment": 1e-08, "price_increment": 0.1, "cost_min": 0.5}, {"symbol": "OTHER/USD"}]
                await tell({"channel": "instrument", "type": "snapshot", "data": {"assets": [], "pairs": pairs}})
                await tell({"channel": "ohlc", "type": "update", "timestamp": "x", "data": [ws_candle(7)]})
                for number in (5, 6, 6, 9):
                    row = {"symbol": "BTC/USD", "side": "sell", "price": 10.5, "qty": 0.1, "ord_type": "limit", "trade_id": number,
                           "timestamp": "2026-11-22T12:00:00.123456Z"}
                    await tell({"channel": "trade", "type": "update", "data": [row]})
                await until(lambda: len(scene.of(TradeSeen)) == 3)
            assert scene.feed.state is SystemState.CANCEL_ONLY and scene.of(SystemSeen)
            (ticker,) = scene.of(TickerSeen)
            assert (ticker.bid, ticker.last, ticker.polled) == (Decimal("105944.20"), Decimal("105899.40"), False)
            (instrument,) = scene.of(InstrumentSeen)
            assert instrument.status is PairStatus.POST_ONLY and instrument.lot == Decimal("1E-8")
            assert [event.candle.opened_at for event in scene.of(CandleForming)] == [START + 7 * FIVE]
            assert [trade.trade_id for trade in scene.of(TradeSeen)] == [5, 6, 9]
            assert scene.of(TradesMissed) == [TradesMissed(symbol="BTC/USD", first_id=7, last_id=8)]

    asyncio.run(run())


def test_prices_are_polled_while_the_socket_is_down_and_not_after() -> None:
    async def run() -> None:
        up = asyncio.Event()

        async def hook(line: Line, request: dict[str, Any]) -> bool:
            await up.wait()
            return False

        async with serving_sockets(hook) as here:
            scene = scene_of(here.url)
            async with running(scene.feed.run()):
                await until(lambda: len(scene.of(TickerSeen)) >= 3)
                assert all(seen.polled and seen.ask == Decimal("105944.3") for seen in scene.of(TickerSeen))
                scene.rest.fail = True
                await asyncio.sleep(0.2)
                scene.rest.fail = False
                up.set()
                await until(lambda: scene.feed.is_up)
                await asyncio.sleep(0.1)
                polled = scene.rest.asked.count("Ticker")
                await asyncio.sleep(0.3)
                assert scene.rest.asked.count("Ticker") == polled

    asyncio.run(run())


def test_bars_missed_in_an_outage_are_fetched_and_come_in_order() -> None:
    async def run() -> None:
        rest = Rest(bars=[ohlc_row(at) for at in range(3)])
        async with serving_sockets() as here:
            scene = scene_of(here.url, rest=rest)
            async with running(scene.feed.run()):
                await until(lambda: len(scene.of(CandleClosed)) == 3)
                await here.last.tell({"channel": "ohlc", "type": "update", "data": [ws_candle(3, 10.7)]})
                await until(lambda: scene.of(CandleForming))
                rest.bars = [ohlc_row(at, trades=0 if at == 4 else 2) for at in range(7)]
                rest.fail = True
                await here.last.connection.close()
                await until(lambda: len(scene.of(FeedUp)) == 2)
                await here.last.tell({"channel": "ohlc", "type": "snapshot", "data": [ws_candle(7)]})
                await asyncio.sleep(0.1)
                assert len(scene.of(CandleClosed)) == 3, "nothing is closed before the gap is filled"
                rest.fail = False
                await until(lambda: len(scene.of(CandleClosed)) == 6)
                await until(lambda: len(scene.of(CandleForming)) == 2)
        closed = [event.candle for event in scene.of(CandleClosed)]
        assert [each.opened_at for each in closed] == [START + at * FIVE for at in (0, 1, 2, 3, 5, 6)]
        assert closed[3].close == 10, "the bar that was forming at the fall is REST's, not the half one"
        assert not scene.of(CandlesMissed)

    asyncio.run(run())


def test_bars_that_rest_no_longer_has_are_told_as_missed() -> None:
    async def run() -> None:
        rest = Rest(bars=[ohlc_row(0)])
        async with serving_sockets() as here:
            scene = scene_of(here.url, rest=rest)
            async with running(scene.feed.run()):
                await until(lambda: scene.of(CandleClosed))
                rest.bars = [ohlc_row(at) for at in range(50, 52)]
                await here.last.connection.close()
                await until(lambda: scene.of(CandlesMissed))
        assert scene.of(CandlesMissed) == [CandlesMissed(symbol="BTC/USD", minutes=5, first=START + FIVE, last=START + 49 * FIVE)]

    asyncio.run(run())


def test_a_book_is_right_or_lost_and_comes_back() -> None:
    recorded = payload("book_btc_usd")
    # As text, so that every digit reaches the client as it was recorded.
    parts = (FOLDER / "book_btc_usd.json").read_text().split('{"channel": "book"')[1:]
    messages = ['{"channel": "book"' + part.partition("}]}")[0] + "}]}" for part in parts]

    async def run() -> None:
        async with serving_sockets() as here:
            scene = scene_of(here.url, book_depth=10)
            async with running(scene.feed.run()):
                await until(lambda: scene.feed.is_up)
                assert scene.feed.book("BTC/USD") is None
                for message in messages[:20]:
                    await here.last.tell(message)
                await until(lambda: len(scene.of(BookSeen)) == 20)
                book = scene.feed.book("BTC/USD")
                assert book is not None and not book.crossed
                await here.last.tell(messages[25])
                await until(lambda: scene.of(BookLost))
                assert scene.feed.book("BTC/USD") is None
                await here.last.tell(messages[21])
                await until(lambda: len(here.last.asked("subscribe", "book")) == 2)
                assert len(here.last.asked("unsubscribe", "book")) == 1 and len(scene.of(BookSeen)) == 20
                await here.last.tell(messages[0])
                await until(lambda: len(scene.of(BookSeen)) == 21)
                assert scene.feed.book("BTC/USD") is not None and len(here.lines) == 1
                await here.last.tell('{"channel": "book", "type": "update", "data": [{"symbol": "BTC/USD", "asks": 5}]}')
                await until(lambda: scene.of(MessageRefused))
                assert len(scene.of(BookLost)) == 2
                await here.last.connection.close()
                await until(lambda: len(scene.of(FeedDown)) == 1)
                assert scene.feed.book("BTC/USD") is None

    assert len(messages) == 1 + len(recorded["updates"])
    asyncio.run(run())


def test_a_symbol_that_is_not_traded_is_refused_at_once() -> None:
    with pytest.raises(DataError, match="Kraken does not trade"):
        PublicFeed(
            Addresses(), PublicApi(Rest()), names(), FeedWants(symbols=("BTC/XYZ",)), print, clock=HandClock(), pace=FastPace()
        )
    with pytest.raises(ValueError, match="levels"):
        FeedWants(symbols=("BTC/USD",), book_depth=11)
