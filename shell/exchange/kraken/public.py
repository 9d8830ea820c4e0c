"""Kraken's public REST endpoints, typed. Nothing here needs a key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Protocol

from shell.errors import BadInput
from shell.exchange.kraken.errors import KrakenRefused, MalformedAnswer
from shell.exchange.kraken.pairs import KrakenPair, Names, read_names
from shell.exchange.kraken.public_types import (
    Candle,
    CandlePage,
    Depth,
    Level,
    PublicTrade,
    SystemState,
    Ticker,
    TradePage,
)
from shell.exchange.kraken.wire import Fields, integer_of, list_of, moment_of, number_of
from shell.orders import Side

OHLC_MINUTES: Final = (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)
TRADES_MAX = 1000
DEPTH_MAX = 500


class PublicSource(Protocol):
    """What asks: `RestClient`."""

    async def public(self, endpoint: str, fields: Mapping[str, Any] | None = None, *, pair: str = "") -> Any: ...


class PublicApi:
    """Every public endpoint that trading needs."""

    def __init__(self, rest: PublicSource) -> None:
        self._rest = rest

    async def time(self) -> datetime:
        """Kraken's clock, to the second."""
        return moment_of(Fields(await self._rest.public("Time"), "Time").number("unixtime"), "Time.unixtime")

    async def system_status(self) -> SystemState:
        return SystemState.of(Fields(await self._rest.public("SystemStatus"), "SystemStatus").text("status"))

    async def names(self) -> Names:
        """Every pair and coin of the venue: ask at each start, and again when the instrument feed says so."""
        assets = await self._rest.public("Assets")
        try:
            displayed = await self._rest.public("Assets", {"assetVersion": 1})
        except KrakenRefused:
            displayed = None
        return read_names(await self._rest.public("AssetPairs"), assets, displayed)

    async def tickers(self, pairs: Sequence[KrakenPair]) -> dict[str, Ticker]:
        """By symbol. One call for all of them."""
        if not pairs:
            return {}
        asked = ",".join(pair.altname for pair in pairs)
        result = Fields(await self._rest.public("Ticker", {"pair": asked}), "Ticker")
        return {pair.symbol: read_ticker(pair.symbol, result_of(result, pair)) for pair in pairs}

    async def candles(self, pair: KrakenPair, minutes: int, since: int | None = None) -> CandlePage:
        """The newest 720 closed bars at most, whatever `since` (seconds) says, and the forming one.

        Raises BadInput for a length that Kraken does not keep.
        """
        if minutes not in OHLC_MINUTES:
            raise BadInput(f"Kraken has no candles of {minutes} minutes, but of {', '.join(map(str, OHLC_MINUTES))}")
        fields = {"pair": pair.altname, "interval": minutes, "since": since}
        return read_candles(pair, minutes, await self._rest.public("OHLC", fields, pair=pair.altname))

    async def trades(self, pair: KrakenPair, since: int = 0, count: int = TRADES_MAX) -> TradePage:
        """Trades from `since` (nanoseconds) on, oldest first. Drop repeated trade_ids: equal times straddle pages."""
        fields = {"pair": pair.altname, "since": since, "count": count}
        return read_trades(pair, await self._rest.public("Trades", fields, pair=pair.altname))

    async def depth(self, pair: KrakenPair, count: int = 100) -> Depth:
        """The order book, `count` levels a side (500 at most)."""
        fields = {"pair": pair.altname, "count": min(count, DEPTH_MAX)}
        result = Fields(await self._rest.public("Depth", fields, pair=pair.altname), "Depth")
        book = Fields(result_of(result, pair), f"Depth.{pair.key}")
        return Depth(symbol=pair.symbol, asks=_levels(book, "asks"), bids=_levels(book, "bids"))


def result_of(result: Fields, pair: KrakenPair) -> Any:
    """A pair's part of a result, whichever of its names keys it."""
    for name in pair.names:
        if name in result:
            return result.value(name)
    raise MalformedAnswer(f"{result.where} tells nothing of {pair.symbol}")


def read_ticker(symbol: str, value: Any) -> Ticker:
    ticker = Fields(value, f"Ticker.{symbol}")
    return Ticker(
        symbol=symbol,
        ask=_at(ticker, "a", 0),
        bid=_at(ticker, "b", 0),
        last=_at(ticker, "c", 0),
        last_qty=_at(ticker, "c", 1),
        high_24h=_at(ticker, "h", 1),
        low_24h=_at(ticker, "l", 1),
        volume_24h=_at(ticker, "v", 1),
        vwap_24h=_at(ticker, "p", 1),
        trades_24h=int(_at(ticker, "t", 1)),
        open_today=ticker.number("o"),
    )


def read_candles(pair: KrakenPair, minutes: int, value: Any) -> CandlePage:
    """Split by `last`, the time of the newest closed bar: every later row is still forming."""
    result = Fields(value, "OHLC")
    last = result.integer("last")
    rows = [_candle(row, f"OHLC.{pair.key}[{at}]") for at, row in enumerate(_rows(result_of(result, pair), "OHLC"))]
    limit = moment_of(Decimal(last), "OHLC.last")
    closed = tuple(row for row in rows if row.opened_at <= limit)
    later = [row for row in rows if row.opened_at > limit]
    if len(later) > 1:
        raise MalformedAnswer(f"OHLC: {len(later)} bars of {pair.symbol} lie after the last closed one")
    return CandlePage(symbol=pair.symbol, minutes=minutes, closed=closed, forming=later[0] if later else None, last=last)


def read_trades(pair: KrakenPair, value: Any) -> TradePage:
    result = Fields(value, "Trades")
    rows = _rows(result_of(result, pair), "Trades")
    trades = tuple(_trade(row, f"Trades.{pair.key}[{at}]") for at, row in enumerate(rows))
    return TradePage(symbol=pair.symbol, trades=trades, last=result.integer("last"))


def _candle(row: Any, where: str) -> Candle:
    values = list_of(row, where)
    if len(values) < 8:
        raise MalformedAnswer(f"{where} has {len(values)} values instead of 8")
    opened, *prices, trades = values[:8]
    first, high, low, close, vwap, volume = (number_of(value, where) for value in prices)
    return Candle(
        opened_at=moment_of(number_of(opened, where), where),
        open=first, high=high, low=low, close=close, vwap=vwap, volume=volume, trades=integer_of(trades, where),
    )  # fmt: skip


def _trade(row: Any, where: str) -> PublicTrade:
    values = list_of(row, where)
    if len(values) < 4:
        raise MalformedAnswer(f"{where} has {len(values)} values instead of 7")
    price, qty, time = (number_of(value, where) for value in values[:3])
    return PublicTrade(
        trade_id=integer_of(values[6], where) if len(values) > 6 else 0,
        price=price,
        qty=qty,
        side=Side.SELL if values[3] == "s" else Side.BUY,
        traded_at=moment_of(time, where),
    )


def _levels(book: Fields, side: str) -> tuple[Level, ...]:
    levels = []
    for at, row in enumerate(book.values_of(side)):
        where = f"{book.where}.{side}[{at}]"
        price, qty, *_ = list_of(row, where)
        levels.append(Level(price=number_of(price, where), qty=number_of(qty, where)))
    return tuple(levels)


def _rows(value: Any, where: str) -> Sequence[Any]:
    return list_of(value, where)


def _at(ticker: Fields, key: str, place: int) -> Decimal:
    values = ticker.values_of(key)
    if place >= len(values):
        raise MalformedAnswer(f"{ticker.where}.{key} has {len(values)} values")
    return number_of(values[place], f"{ticker.where}.{key}")
