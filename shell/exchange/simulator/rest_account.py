"""Kraken's private REST endpoints that read: balances, orders, trades, ledgers, fees."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from itertools import takewhile
from typing import Any, TypeVar

from shell.exchange.simulator.book import SELL
from shell.exchange.simulator.exchange import Exchange
from shell.exchange.simulator.fees import MAKER, TAKER, FeeSchedule
from shell.exchange.simulator.fields import INT32, Params, flag_of, int_of, names_of, text_of
from shell.exchange.simulator.moments import SECOND_NS
from shell.exchange.simulator.order_view import ledger_view, order_view, trade_view
from shell.exchange.simulator.orders import Order
from shell.exchange.simulator.precision import ZERO, fixed, number, times
from shell.exchange.simulator.refusal import INVALID_ORDER, UNKNOWN_ORDER, Refusal, argument
from shell.exchange.simulator.rest_orders import looks_like_order
from shell.exchange.simulator.venue import Venue

PAGE = 50
QUERY_ORDERS_MAX, QUERY_TRADES_MAX = 50, 20
PERCENT_DECIMALS = 4
USD = "ZUSD"
T = TypeVar("T")


def balance(exchange: Exchange, params: Params) -> Any:
    venue = exchange.venue
    return {
        _asset_key(venue, asset, params): fixed(venue.accounts.balance(asset), _decimals(venue, asset))
        for asset in venue.accounts.assets()
    }


def balance_ex(exchange: Exchange, params: Params) -> Any:
    venue, shown = exchange.venue, {}
    for asset in venue.accounts.assets():
        decimals = _decimals(venue, asset)
        shown[_asset_key(venue, asset, params)] = {
            "balance": fixed(venue.accounts.balance(asset), decimals),
            "hold_trade": fixed(venue.accounts.held(asset), decimals),
        }
    return shown


def trade_balance(exchange: Exchange, params: Params) -> Any:
    venue = exchange.venue
    asset = venue.directory.asset(text_of(params, "asset") or USD)
    total = sum((_worth(venue, each, asset.display) for each in venue.accounts.assets()), ZERO)
    shown, nothing = fixed(total, 4), fixed(ZERO, 4)
    return {"eb": shown, "tb": shown, "m": nothing, "n": nothing, "c": nothing, "v": nothing, "e": shown, "mf": shown}


def trade_volume(exchange: Exchange, params: Params) -> Any:
    venue = exchange.venue
    volume = venue.traded.at(venue.now_ns)
    pairs = [venue.directory.pair(name) for name in names_of(params, "pair", 1000)]
    shown: dict[str, Any] = {"currency": USD, "volume": fixed(volume, 4)}
    if pairs:
        shown["fees"] = {pair.key: _fee_view(TAKER, volume) for pair in pairs}
        shown["fees_maker"] = {pair.key: _fee_view(MAKER, volume) for pair in pairs}
    return shown


def open_orders(exchange: Exchange, params: Params) -> Any:
    venue, chosen = exchange.venue, _chosen(params)
    return {
        "open": {
            order.txid: order_view(venue, order, trades=flag_of(params, "trades"))
            for order in reversed(venue.open.values()) if chosen(order)
        }
    }


def closed_orders(exchange: Exchange, params: Params) -> Any:
    venue, chosen = exchange.venue, _chosen(params)
    which = text_of(params, "closetime") or "both"
    if which not in ("open", "close", "both"):
        raise argument("closetime")
    begin, end = (_moment(venue, params, name) for name in ("start", "end"))

    def within(order: Order) -> bool:
        times_ns = {"open": [order.opened_ns], "close": [order.closed_ns]}.get(which, [order.opened_ns, order.closed_ns])
        return any((begin is None or at > begin) and (end is None or at <= end) for at in times_ns)

    cl_ord_id = text_of(params, "cl_ord_id")
    orders = venue.finished if cl_ord_id is None else [each for each in venue.by_client(cl_ord_id) if not each.alive]
    # They stand in the order of their closing, so the ones before a window are not looked at.
    recent = takewhile(lambda order: begin is None or order.closed_ns > begin, reversed(orders))
    found = [order for order in recent if chosen(order) and within(order)]
    page = _page(found, params)
    shown = {order.txid: order_view(venue, order, trades=flag_of(params, "trades"), closed=True) for order in page}
    return {"closed": shown, "count": len(found)}


def query_orders(exchange: Exchange, params: Params) -> Any:
    venue, chosen = exchange.venue, _chosen(params)
    named = names_of(params, "txid", QUERY_ORDERS_MAX)
    if not named and text_of(params, "cl_ord_id") is None:
        raise argument("txid")
    if not all(looks_like_order(txid) for txid in named):
        raise Refusal(INVALID_ORDER)
    if any(txid not in venue.orders for txid in named):
        raise Refusal(UNKNOWN_ORDER)
    orders: Iterable[Order] = [venue.orders[txid] for txid in named]
    if not named:
        orders = venue.by_client(text_of(params, "cl_ord_id") or "")
    return {
        order.txid: order_view(venue, order, trades=flag_of(params, "trades")) for order in orders if chosen(order)
    }


def trades_history(exchange: Exchange, params: Params) -> Any:
    venue = exchange.venue
    begin, end = (_moment(venue, params, name) for name in ("start", "end"))
    recent = takewhile(lambda trade: begin is None or trade.at_ns > begin, reversed(venue.trades.values()))
    found = [trade for trade in recent if end is None or trade.at_ns <= end]
    return {"trades": {trade.trade_id: trade_view(trade) for trade in _page(found, params)}, "count": len(found)}


def query_trades(exchange: Exchange, params: Params) -> Any:
    venue = exchange.venue
    named = names_of(params, "txid", QUERY_TRADES_MAX)
    if not named:
        raise argument("txid")
    if any(trade_id not in venue.trades for trade_id in named):
        raise Refusal(INVALID_ORDER)
    return {trade_id: trade_view(venue.trades[trade_id]) for trade_id in named}


def ledgers(exchange: Exchange, params: Params) -> Any:
    venue = exchange.venue
    begin, end = (_moment(venue, params, name) for name in ("start", "end"))
    wanted = {venue.directory.asset(name).code for name in names_of(params, "asset", 100) if name != "all"}
    kind = text_of(params, "type") or "all"
    recent = takewhile(lambda row: begin is None or row.at_ns > begin, reversed(venue.accounts.ledger.values()))
    found = [
        row for row in recent
        if (end is None or row.at_ns <= end) and (not wanted or row.asset in wanted) and kind in ("all", row.kind)
    ]
    return {"ledger": {row.ledger_id: ledger_view(venue, row) for row in _page(found, params)}, "count": len(found)}


def query_ledgers(exchange: Exchange, params: Params) -> Any:
    venue = exchange.venue
    named = names_of(params, "id", QUERY_TRADES_MAX)
    if not named or any(each not in venue.accounts.ledger for each in named):
        raise argument("id")
    return {each: ledger_view(venue, venue.accounts.ledger[each]) for each in named}


def open_positions(exchange: Exchange, params: Params) -> Any:
    """None: nobody trades on margin here. Consolidated by market they are a list."""
    return [] if params.get("consolidation") == "market" else {}


ENDPOINTS: Mapping[str, Callable[[Exchange, Params], Any]] = {
    "Balance": balance,
    "BalanceEx": balance_ex,
    "TradeBalance": trade_balance,
    "TradeVolume": trade_volume,
    "OpenOrders": open_orders,
    "ClosedOrders": closed_orders,
    "QueryOrders": query_orders,
    "TradesHistory": trades_history,
    "QueryTrades": query_trades,
    "Ledgers": ledgers,
    "QueryLedgers": query_ledgers,
    "OpenPositions": open_positions,
}
# Calls that read long lists cost two.
COSTS = {"ClosedOrders": 2, "TradesHistory": 2, "QueryTrades": 1, "Ledgers": 2, "QueryLedgers": 2}


def _asset_key(venue: Venue, code: str, params: Params) -> str:
    if not flag_of(params, "assetVersion"):
        return code
    asset, suffix = venue.directory.split(code)
    return asset.display + suffix


def _decimals(venue: Venue, code: str) -> int:
    return venue.directory.split(code)[0].decimals


def _worth(venue: Venue, code: str, display: str) -> Decimal:
    """What a balance is worth in another asset at the best bid; zero where no pair tells."""
    asset, _ = venue.directory.split(code)
    amount = venue.accounts.balance(code)
    if asset.display == display:
        return amount
    pair = venue.directory.by_symbol.get(f"{asset.display}/{display}")
    return times(amount, venue.market(pair).depth.best(SELL)) if pair is not None else ZERO


def _fee_view(schedule: FeeSchedule, volume: Decimal) -> dict[str, Any]:
    at = schedule.tier_at(volume)
    tiers = schedule.tiers
    following = tiers[at + 1] if at + 1 < len(tiers) else None
    return {
        "fee": fixed(tiers[at].percent, PERCENT_DECIMALS), "minfee": fixed(tiers[-1].percent, PERCENT_DECIMALS),
        "maxfee": fixed(tiers[0].percent, PERCENT_DECIMALS),
        "nextfee": fixed(following.percent, PERCENT_DECIMALS) if following else None,
        "nextvolume": fixed(Decimal(following.volume), 4) if following else None,
        "tiervolume": fixed(Decimal(tiers[at].volume), 4),
    }


def _chosen(params: Params) -> Callable[[Order], bool]:
    """The filter by userref and client id."""
    userref, cl_ord_id = text_of(params, "userref"), text_of(params, "cl_ord_id")
    wanted = int_of(params, "userref", 0, -INT32) if userref is not None else None

    def chosen(order: Order) -> bool:
        request = order.request
        return (wanted is None or request.userref == wanted) and (cl_ord_id is None or request.cl_ord_id == cl_ord_id)

    return chosen


def _moment(venue: Venue, params: Params, name: str) -> int | None:
    """An edge of a window: unix seconds, or the id of an order, trade or ledger row that stands on it. Raises Refusal."""
    text = text_of(params, name)
    if text is None:
        return None
    if text in venue.orders:
        return venue.orders[text].opened_ns
    if text in venue.trades:
        return venue.trades[text].at_ns
    if text in venue.accounts.ledger:
        return venue.accounts.ledger[text].at_ns
    value = number(text)
    if value is None:
        raise argument(name)
    return int(value * SECOND_NS)


def _page(found: list[T], params: Params) -> list[T]:
    """Fifty from the offset on."""
    offset = int_of(params, "ofs", 0)
    return found[offset : offset + PAGE]
