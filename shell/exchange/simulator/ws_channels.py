"""The channels of one WebSocket connection: who is subscribed to what, snapshots, and the messages that events make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from shell.exchange.simulator.book import BUY, SELL, Level, checksum
from shell.exchange.simulator.moments import rfc3339
from shell.exchange.simulator.names import Listing
from shell.exchange.simulator.ohlc import INTERVALS
from shell.exchange.simulator.precision import ZERO
from shell.exchange.simulator.refusal import Refusal
from shell.exchange.simulator.system import SystemState
from shell.exchange.simulator.tape import Print
from shell.exchange.simulator.venue import Booked, Event, Executed, Market, Requoted, StateChanged, Traded, Venue
from shell.exchange.simulator.ws_view import (
    balance_row,
    balance_snapshot,
    candle_row,
    execution_row,
    instruments,
    level_rows,
    order_row,
    past_trade_row,
    ticker_row,
    trade_row,
)

BY_SYMBOL = ("ticker", "trade", "ohlc", "book")
PRIVATE = ("executions", "balances")
CHANNELS = (*BY_SYMBOL, "instrument", "status", *PRIVATE)
DEPTHS = (10, 25, 100, 500, 1000)
SNAPSHOT_TRADES = 50
OPEN_AND_CLOSE = {"new", "filled", "canceled", "expired", "trade"}


@dataclass(slots=True, kw_only=True)
class Subscription:
    """One channel, of one symbol if it is one of those, with its parameters and what it sent last."""

    channel: str
    symbol: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    sequence: int = 0
    sides: tuple[Sequence[Level], Sequence[Level]] = ((), ())
    quote: tuple[Decimal, ...] = ()


Message = dict[str, Any]


def read_subscription(venue: Venue, channel: str, symbol: str, given: Mapping[str, Any]) -> Subscription:
    """A checked subscription with Kraken's defaults filled in. Raises Refusal."""
    params: dict[str, Any] = {"channel": channel}
    if symbol:
        params["symbol"] = symbol
        if symbol not in venue.directory.by_symbol:
            raise Refusal(f"Currency pair not supported {symbol}")
    match channel:
        case "ticker":
            params["event_trigger"] = given.get("event_trigger", "trades")
            if params["event_trigger"] not in ("trades", "bbo"):
                raise Refusal("Event trigger not supported")
        case "ohlc":
            params["interval"] = given.get("interval", 1)
            if isinstance(params["interval"], bool) or params["interval"] not in INTERVALS:
                raise Refusal("Subscription ohlc interval not supported")
        case "book":
            params["depth"] = given.get("depth", 10)
            if isinstance(params["depth"], bool) or params["depth"] not in DEPTHS:
                raise Refusal("Subscription depth not supported")
        case "executions":
            for name, usual in {"snap_orders": True, "snap_trades": False, "order_status": True, "ratecounter": False}.items():
                params[name] = bool(given.get(name, usual))
        case _:
            pass
    # A trade subscription is quiet at first unless asked otherwise.
    params["snapshot"] = bool(given.get("snapshot", channel != "trade"))
    return Subscription(channel=channel, symbol=symbol, params=params)


def snapshot(venue: Venue, sub: Subscription) -> Message | None:
    """The first message of a subscription; None when it has none."""
    if not sub.params["snapshot"]:
        return None
    data: Any
    if sub.channel in BY_SYMBOL:
        return _market_snapshot(venue, sub, venue.market(venue.directory.by_symbol[sub.symbol]))
    match sub.channel:
        case "instrument":
            data = instruments(venue)
        case "balances":
            data = balance_snapshot(venue)
        case "executions":
            data = []
            if sub.params["snap_orders"]:
                data += [order_row(venue, order) for order in venue.open.values()]
            if sub.params["snap_trades"]:
                data += [past_trade_row(venue, trade) for trade in list(venue.trades.values())[-SNAPSHOT_TRADES:]]
        case _:
            return None
    return numbered(sub, {"channel": sub.channel, "type": "snapshot", "data": data})


def updates(venue: Venue, sub: Subscription, event: Event) -> Message | None:
    """What an event means to one subscription, if anything."""
    match event:
        case Traded(listing, trade) if listing.symbol == sub.symbol:
            return _traded(venue, sub, venue.market(listing), trade)
        case Requoted(listing) if listing.symbol == sub.symbol:
            return _requoted(venue, sub, venue.market(listing))
        case Executed() if sub.channel == "executions":
            if not sub.params["order_status"] and event.kind not in OPEN_AND_CLOSE:
                return None
            row = execution_row(venue, event)
            if sub.params["ratecounter"]:
                row["ratecount"] = int(venue.engine_counter(event.order.pair).value(venue.now_ns))
            return numbered(sub, {"channel": "executions", "type": "update", "data": [row]})
        case Booked(rows) if sub.channel == "balances":
            data = [balance_row(venue, row) for row in rows]
            return numbered(sub, {"channel": "balances", "type": "update", "data": data})
        case StateChanged() if sub.channel == "instrument":
            return {"channel": "instrument", "type": "update", "data": instruments(venue)}
        case _:
            return None


def numbered(sub: Subscription, message: Message) -> Message:
    """Private messages carry a sequence, one up for each message of the subscription."""
    if sub.channel in PRIVATE:
        sub.sequence += 1
        message["sequence"] = sub.sequence
    return message


def _market_snapshot(venue: Venue, sub: Subscription, market: Market) -> Message:
    pair = market.listing
    message: Message = {"channel": sub.channel, "type": "snapshot"}
    match sub.channel:
        case "ticker":
            message["data"] = [ticker_row(venue, market)]
        case "trade":
            newest = list(market.recent)[-SNAPSHOT_TRADES:]
            message["data"] = [trade_row(venue, pair, trade) for trade in newest]
        case "ohlc":
            interval = sub.params["interval"]
            rows = market.candles.rows(interval, venue.now_ns)
            message |= {
                "timestamp": rfc3339(venue.told_ns),
                "data": [candle_row(pair, row, interval) for row in rows if row.count or row is rows[0]],
            }
        case _:
            sub.sides = _ladders(venue, market, sub.params["depth"])
            message["data"] = [_book_row(venue, pair, *sub.sides, sub.sides)]
    return message


def _traded(venue: Venue, sub: Subscription, market: Market, trade: Print) -> Message | None:
    pair = market.listing
    match sub.channel:
        case "ticker":
            return {"channel": "ticker", "type": "update", "data": [ticker_row(venue, market)]}
        case "trade":
            return {"channel": "trade", "type": "update", "data": [trade_row(venue, pair, trade)]}
        case "ohlc":
            interval = sub.params["interval"]
            row = candle_row(pair, market.candles.forming(interval), interval)
            return {"channel": "ohlc", "type": "update", "timestamp": rfc3339(venue.told_ns), "data": [row]}
        case _:
            return _book_update(venue, sub, market)


def _requoted(venue: Venue, sub: Subscription, market: Market) -> Message | None:
    if sub.channel == "book":
        return _book_update(venue, sub, market)
    if sub.channel == "ticker" and sub.params["event_trigger"] == "bbo":
        bid, ask = market.quote()
        quote = (bid.price, bid.qty, ask.price, ask.qty)
        if quote != sub.quote:
            sub.quote = quote
            return {"channel": "ticker", "type": "update", "data": [ticker_row(venue, market)]}
    return None


def _ladders(venue: Venue, market: Market, depth: int) -> tuple[Sequence[Level], Sequence[Level]]:
    own = venue.state is SystemState.ONLINE
    return market.ladder(BUY, depth, with_own=own), market.ladder(SELL, depth, with_own=own)


def _book_update(venue: Venue, sub: Subscription, market: Market) -> Message | None:
    sides = _ladders(venue, market, sub.params["depth"])
    asks, bids = (_changes(old, new) for old, new in zip(sub.sides, sides, strict=True))
    sub.sides = sides
    if not asks and not bids:
        return None
    return {"channel": "book", "type": "update", "data": [_book_row(venue, market.listing, asks, bids, sides)]}


def _changes(old: Sequence[Level], new: Sequence[Level]) -> list[Level]:
    """What turns one ladder into the other: new and changed levels, and zero for those that are gone.

    A level that was pushed out at the far end is not told: whoever follows the book cuts it to depth.
    """
    before, after = dict(old), dict(new)
    far = new[-1].price if new else ZERO
    rising = bool(new) and new[0].price <= far
    gone = [
        Level(price, ZERO) for price in before
        if price not in after and (len(new) < len(old) or (price < far if rising else price > far))
    ]
    return gone + [level for level in new if before.get(level.price) != level.qty]


def _book_row(
    venue: Venue, pair: Listing, asks: Sequence[Level], bids: Sequence[Level],
    whole: tuple[Sequence[Level], Sequence[Level]],
) -> dict[str, Any]:
    return {
        "symbol": pair.symbol, "bids": level_rows(pair, bids), "asks": level_rows(pair, asks),
        "checksum": checksum(*whole, pair.price_decimals, pair.lot_decimals), "timestamp": rfc3339(venue.told_ns),
    }
