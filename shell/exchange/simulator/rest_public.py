"""Kraken's public REST endpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

from shell.exchange.simulator.book import BUY, SELL, Level
from shell.exchange.simulator.fees import MAKER, TAKER, FeeSchedule
from shell.exchange.simulator.fields import Params, flag_of, int_of, names_of, text_of
from shell.exchange.simulator.moments import SECOND_NS, moment_of, rfc3339, seconds
from shell.exchange.simulator.names import Asset, Listing
from shell.exchange.simulator.ohlc import INTERVALS
from shell.exchange.simulator.precision import fixed, number
from shell.exchange.simulator.refusal import argument
from shell.exchange.simulator.system import SystemState
from shell.exchange.simulator.tape import Print
from shell.exchange.simulator.ticker import Stretch
from shell.exchange.simulator.venue import Market, Venue

TRADES_MAX = 1000
DEPTH_MAX, DEPTH_DEFAULT = 500, 100
PAIRS_MAX = 1000
WHOLE_LOTS = 3


def time(venue: Venue, params: Params) -> Any:
    now = moment_of(venue.told_ns).astimezone(UTC)
    text = format_datetime(now)
    return {"unixtime": venue.told_ns // SECOND_NS, "rfc1123": f"{text[:12]}{now:%y %H:%M:%S} +0000"}


def system_status(venue: Venue, params: Params) -> Any:
    return {"status": venue.state.value, "timestamp": rfc3339(venue.told_ns)[:19] + "Z"}


def assets(venue: Venue, params: Params) -> Any:
    named = names_of(params, "asset", PAIRS_MAX)
    found = [venue.directory.asset(name) for name in named] if named else list(venue.directory.assets.values())
    shown = flag_of(params, "assetVersion")
    return {(asset.display if shown else asset.code): _asset(asset) for asset in found}


def asset_pairs(venue: Venue, params: Params) -> Any:
    info = text_of(params, "info") or "info"
    views: Mapping[str, Callable[[Venue, Listing], Any]] = {
        "info": _pair_info,
        "fees": lambda _, pair: {"fees": _tiers(TAKER), "fees_maker": _tiers(MAKER), "fee_volume_currency": "ZUSD"},
        "leverage": lambda _, pair: {"leverage_buy": [], "leverage_sell": []},
        "margin": lambda _, pair: {"margin_call": 80, "margin_stop": 40},
    }
    if info not in views:
        raise argument("info")
    return {_key(market.listing, params): views[info](venue, market.listing) for market in _markets(venue, params)}


def ticker(venue: Venue, params: Params) -> Any:
    return {_key(market.listing, params): _ticker(venue, market) for market in _markets(venue, params)}


def ohlc(venue: Venue, params: Params) -> Any:
    market = _market(venue, params)
    interval = int_of(params, "interval", 1)
    if interval not in INTERVALS:
        raise argument("interval")
    since = _since(params, "since") // SECOND_NS if text_of(params, "since") else -1
    pair, rows = market.listing, market.candles.rows(interval, venue.now_ns)
    price = pair.price_decimals
    shown = [
        [
            row.begin_s, fixed(row.open, price), fixed(row.high, price), fixed(row.low, price), fixed(row.close, price),
            fixed(row.vwap, price), fixed(row.volume, pair.lot_decimals), row.count,
        ]
        for row in rows if row.begin_s > since or row is rows[-1]
    ]
    last = rows[-2].begin_s if len(rows) > 1 else rows[-1].begin_s
    return {_key(pair, params): shown, "last": last}


def depth(venue: Venue, params: Params) -> Any:
    market = _market(venue, params)
    count = int_of(params, "count", DEPTH_DEFAULT, 1, DEPTH_MAX)
    own = venue.state is SystemState.ONLINE
    at = venue.told_ns // SECOND_NS

    def shown(level: Level) -> list[Any]:
        return [fixed(level.price, market.listing.price_decimals), fixed(level.qty, WHOLE_LOTS), at]

    return {
        _key(market.listing, params): {
            "asks": [shown(level) for level in market.ladder(BUY, count, with_own=own)],
            "bids": [shown(level) for level in market.ladder(SELL, count, with_own=own)],
        }
    }


def trades(venue: Venue, params: Params) -> Any:
    market = _market(venue, params)
    count = int_of(params, "count", TRADES_MAX, 1, TRADES_MAX)
    found: list[Print] = []
    if text_of(params, "since") is None:
        found = [trade for trade in market.recent if trade.at_ns <= venue.now_ns][-count:]
        since_ns = 0
    else:
        since_ns = _since(params, "since")
        for trade in market.trades_after(since_ns, venue.now_ns):
            found.append(trade)
            if len(found) == count:
                break
    pair = market.listing
    rows = [
        [
            fixed(trade.price, pair.price_decimals), fixed(trade.qty, pair.lot_decimals), seconds(trade.at_ns, 7),
            trade.side, "m", "", trade.trade_id,
        ]
        for trade in found
    ]
    return {_key(pair, params): rows, "last": str(found[-1].at_ns if found else since_ns)}


def spread(venue: Venue, params: Params) -> Any:
    market = _market(venue, params)
    bid, ask = market.quote()
    decimals, at = market.listing.price_decimals, venue.told_ns // SECOND_NS
    return {_key(market.listing, params): [[at, fixed(bid.price, decimals), fixed(ask.price, decimals)]], "last": at}


ENDPOINTS: Mapping[str, Callable[[Venue, Params], Any]] = {
    "Time": time,
    "SystemStatus": system_status,
    "Assets": assets,
    "AssetPairs": asset_pairs,
    "Ticker": ticker,
    "OHLC": ohlc,
    "Depth": depth,
    "Trades": trades,
    "Spread": spread,
}


def _key(pair: Listing, params: Params) -> str:
    return pair.symbol if flag_of(params, "assetVersion") else pair.key


def _market(venue: Venue, params: Params) -> Market:
    if text_of(params, "pair") is None:
        raise argument("pair")
    return venue.market(venue.directory.pair(params["pair"]))


def _markets(venue: Venue, params: Params) -> list[Market]:
    """The pairs asked for; all when none is named."""
    named = names_of(params, "pair", PAIRS_MAX)
    if not named:
        return list(venue.markets.values())
    return [venue.market(venue.directory.pair(name)) for name in named]


def _since(params: Params, name: str) -> int:
    """A moment in nanoseconds, given in seconds, or in the nanoseconds of an earlier `last`."""
    value = number(text_of(params, name) or "")
    if value is None or value < 0:
        raise argument(name)
    return int(value) if value >= 10**14 else int(value * SECOND_NS)


def _asset(asset: Asset) -> dict[str, Any]:
    return {
        "aclass": "currency", "altname": asset.altname, "decimals": asset.decimals,
        "display_decimals": asset.display_decimals, "collateral_value": Decimal("1.0"), "status": "enabled",
    }


def _pair_info(venue: Venue, pair: Listing) -> dict[str, Any]:
    status = venue.state.value if venue.state in (SystemState.CANCEL_ONLY, SystemState.POST_ONLY) else "online"
    return {
        "altname": pair.altname, "wsname": pair.wsname, "aclass_base": "currency", "base": pair.base.code,
        "aclass_quote": "currency", "quote": pair.quote.code, "lot": "unit", "cost_decimals": pair.cost_decimals,
        "pair_decimals": pair.price_decimals, "lot_decimals": pair.lot_decimals, "lot_multiplier": 1, "leverage_buy": [],
        "leverage_sell": [], "fees": _tiers(TAKER), "fees_maker": _tiers(MAKER), "fee_volume_currency": "ZUSD",
        "margin_call": 80, "margin_stop": 40, "ordermin": f"{pair.order_min:f}", "costmin": f"{pair.cost_min:f}",
        "tick_size": f"{pair.tick:f}", "status": status, "execution_venue": "international",
    }


def _tiers(schedule: FeeSchedule) -> list[list[Any]]:
    return [[tier.volume, tier.percent] for tier in schedule.tiers]


def _ticker(venue: Venue, market: Market) -> dict[str, Any]:
    pair, (bid, ask) = market.listing, market.quote()
    today, day = market.ticker.today(venue.now_ns), market.ticker.last_day(venue.now_ns)
    price = pair.price_decimals + 4

    def both(of: Callable[[Stretch], str]) -> list[str]:
        return [of(today), of(day)]

    def side(level: Level) -> list[str]:
        return [fixed(level.price, price), str(max(1, int(level.qty))), fixed(level.qty, WHOLE_LOTS)]

    return {
        "a": side(ask), "b": side(bid),
        "c": [fixed(market.last.price, price), fixed(market.last.qty, pair.lot_decimals)],
        "v": both(lambda each: fixed(each.volume, pair.lot_decimals)), "p": both(lambda each: fixed(each.vwap, price)),
        "t": [today.count, day.count], "l": both(lambda each: fixed(each.low, price)),
        "h": both(lambda each: fixed(each.high, price)), "o": fixed(today.open, price),
    }

