"""Market data, orders and ledger rows as WebSocket v2 tells them: bare numbers with their decimals, v2 symbols."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from shell.exchange.simulator.accounts import LedgerRow
from shell.exchange.simulator.book import Level
from shell.exchange.simulator.moments import MINUTE_S, SECOND_NS, rfc3339
from shell.exchange.simulator.names import Asset, Listing
from shell.exchange.simulator.ohlc import Candle
from shell.exchange.simulator.orders import MARKET, Order, Relative, Status, Trade
from shell.exchange.simulator.precision import ZERO, cut, over, step_of
from shell.exchange.simulator.system import SystemState
from shell.exchange.simulator.tape import Print
from shell.exchange.simulator.venue import Executed, Market, Venue

SIDE_WORDS = {"b": "buy", "s": "sell"}


def ticker_row(venue: Venue, market: Market) -> dict[str, Any]:
    pair, (bid, ask), day = market.listing, market.quote(), market.ticker.last_day(venue.now_ns)
    price, qty = pair.price_decimals, pair.lot_decimals
    change = market.last.price - day.open
    return {
        "symbol": pair.symbol, "bid": cut(bid.price, price), "bid_qty": cut(bid.qty, qty), "ask": cut(ask.price, price),
        "ask_qty": cut(ask.qty, qty), "last": cut(market.last.price, price), "volume": cut(day.volume, qty),
        "vwap": cut(day.vwap, price), "low": cut(day.low, price), "high": cut(day.high, price), "change": cut(change, price),
        "change_pct": cut(over(change * 100, day.open), 2), "timestamp": rfc3339(venue.told_ns),
    }


def trade_row(venue: Venue, pair: Listing, trade: Print) -> dict[str, Any]:
    return {
        "symbol": pair.symbol, "side": SIDE_WORDS[trade.side], "price": cut(trade.price, pair.price_decimals),
        "qty": cut(trade.qty, pair.lot_decimals), "ord_type": "market", "trade_id": trade.trade_id,
        "timestamp": rfc3339(trade.at_ns + venue.skew_ns),
    }


def candle_row(pair: Listing, row: Candle, interval: int) -> dict[str, Any]:
    price, begin_ns = pair.price_decimals, row.begin_s * SECOND_NS
    return {
        "symbol": pair.symbol, "open": cut(row.open, price), "high": cut(row.high, price), "low": cut(row.low, price),
        "close": cut(row.close, price), "trades": row.count, "volume": cut(row.volume, pair.lot_decimals),
        "vwap": cut(row.vwap if row.count else row.close, price), "interval_begin": rfc3339(begin_ns).replace("Z", "000Z"),
        "interval": interval, "timestamp": rfc3339(begin_ns + interval * MINUTE_S * SECOND_NS),
    }


def level_rows(pair: Listing, levels: Sequence[Level]) -> list[dict[str, Any]]:
    return [
        {"price": cut(level.price, pair.price_decimals), "qty": cut(level.qty, pair.lot_decimals)} for level in levels
    ]


def status_row(state: SystemState, connection_id: int) -> dict[str, Any]:
    return {"api_version": "v2", "connection_id": connection_id, "system": state.value, "version": "2.0.9"}


def instruments(venue: Venue) -> dict[str, Any]:
    return {
        "assets": [_asset_row(asset) for asset in venue.directory.assets.values()],
        "pairs": [_pair_row(venue, pair) for pair in venue.directory.listings.values()],
    }


def balance_snapshot(venue: Venue) -> list[dict[str, Any]]:
    rows = []
    for code in venue.accounts.assets():
        asset, suffix = venue.directory.split(code)
        amount = cut(venue.accounts.balance(code), asset.decimals)
        rows.append(
            {
                "asset": asset.display + suffix, "asset_class": "currency", "balance": amount,
                "wallets": [{"type": "spot", "id": "main", "balance": amount}],
            }
        )
    return rows


def balance_row(venue: Venue, row: LedgerRow) -> dict[str, Any]:
    asset, suffix = venue.directory.split(row.asset)
    return {
        "asset": asset.display + suffix, "asset_class": "currency", "amount": cut(row.amount, asset.decimals),
        "balance": cut(row.balance, asset.decimals), "fee": cut(row.fee, asset.decimals), "ledger_id": row.ledger_id,
        "ref_id": row.ref_id, "timestamp": rfc3339(row.at_ns + venue.skew_ns), "type": row.kind, "subtype": "",
        "category": row.kind, "wallet_type": "spot", "wallet_id": "main",
    }


def execution_row(venue: Venue, event: Executed) -> dict[str, Any]:
    """One row of `executions`: canceled and expired rows are short, trades tell the fill, the others the whole order."""
    order = event.order
    row: dict[str, Any] = {"order_id": order.txid, "exec_type": event.kind}
    if order.request.cl_ord_id is not None:
        row["cl_ord_id"] = order.request.cl_ord_id
    if order.request.userref:
        row["order_userref"] = order.request.userref
    row["timestamp"] = rfc3339(event.at_ns + venue.skew_ns)
    if event.kind in ("canceled", "expired"):
        row |= _running(order) | {"order_status": event.kind}
        return row | ({"reason": order.reason} if order.reason else {})
    if event.trade is not None:
        return row | _fill(event.trade) | _running(order) | {"order_status": "partially_filled"}
    row |= _terms(order) | _running(order)
    row["order_status"] = {"pending_new": "pending_new", "filled": "filled"}.get(event.kind, _stands(order))
    return row


def order_row(venue: Venue, order: Order) -> dict[str, Any]:
    """An open order in a snapshot."""
    kind = "pending_new" if order.status is Status.PENDING else "new"
    return execution_row(venue, Executed(kind, order, None, order.opened_ns))


def past_trade_row(venue: Venue, trade: Trade) -> dict[str, Any]:
    """A fill in a snapshot."""
    return execution_row(venue, Executed("trade", trade.order, trade, trade.at_ns))


def _stands(order: Order) -> str:
    if order.status is Status.PENDING:
        return "pending_new"
    if order.filled:
        return "filled" if not order.remaining else "partially_filled"
    return "new"


def _terms(order: Order) -> dict[str, Any]:
    request, pair = order.request, order.pair
    shown: dict[str, Any] = {
        "symbol": pair.symbol, "side": order.side, "order_type": order.kind, "order_qty": cut(order.volume, pair.lot_decimals),
        "time_in_force": request.time_in_force, "post_only": request.post_only, "margin": False,
        "fee_ccy_pref": "fcib" if request.fee_in_base else "fciq",
    }
    if request.cash is not None:
        shown["cash_order_qty"] = request.cash
    if order.limit is not None:
        shown["limit_price"] = cut(order.limit, pair.price_decimals)
        shown["limit_price_type"] = "static"
    if order.kind not in (MARKET, "limit"):
        shown["triggers"] = _trigger(order)
    if request.close is not None:
        shown["contingent"] = _contingent(order)
    if order.refid is not None:
        shown["order_ref_id"] = order.refid
    if request.expire_ns:
        shown["expire_time"] = rfc3339(request.expire_ns)
    return shown


def _trigger(order: Order) -> dict[str, Any]:
    term, pair = order.request.price, order.pair
    shown: dict[str, Any] = {"reference": order.request.trigger_by}
    if isinstance(term, Relative):
        shown |= {"price": term.amount, "price_type": "pct" if term.percent else "quote"}
    elif order.trigger is not None:
        shown |= {"price": cut(order.trigger, pair.price_decimals), "price_type": "static"}
    if order.trigger is not None:
        shown["actual_price"] = cut(order.trigger, pair.price_decimals)
    return shown | {"status": "triggered" if order.triggered else "untriggered"}


def _contingent(order: Order) -> dict[str, Any]:
    close, pair = order.request.close, order.pair
    assert close is not None
    shown: dict[str, Any] = {"order_type": close.kind}
    names = ("limit_price", "") if close.kind == "limit" else ("trigger_price", "limit_price")
    for name, term in zip(names, (close.price, close.price2), strict=True):
        if term is not None and name:
            shown[name] = term.amount if isinstance(term, Relative) else cut(term, pair.price_decimals)
    return shown


def _fill(trade: Trade) -> dict[str, Any]:
    order, pair = trade.order, trade.order.pair
    decimals = pair.base.decimals if trade.fee_asset == pair.base.display else pair.money_decimals
    return {
        "exec_id": trade.trade_id, "trade_id": trade.number, "symbol": pair.symbol, "side": order.side,
        "last_qty": cut(trade.qty, pair.lot_decimals), "last_price": cut(trade.price, pair.price_decimals),
        "cost": cut(trade.cost, pair.cost_decimals), "liquidity_ind": "m" if trade.maker else "t",
        "order_type": order.kind, "fees": [{"asset": trade.fee_asset, "qty": cut(trade.fee, decimals)}],
        "fee_usd_equiv": cut(trade.fee_quote, pair.cost_decimals),
    }


def _running(order: Order) -> dict[str, Decimal]:
    pair = order.pair
    return {
        "cum_qty": cut(order.filled, pair.lot_decimals), "cum_cost": cut(order.cost, pair.cost_decimals),
        "avg_price": cut(order.average, pair.price_decimals) if order.filled else ZERO,
    }


def _asset_row(asset: Asset) -> dict[str, Any]:
    return {
        "id": asset.display, "status": "enabled", "precision": asset.decimals,
        "precision_display": asset.display_decimals, "borrowable": False, "collateral_value": Decimal("1.0"),
        "class": "currency",
    }


def _pair_row(venue: Venue, pair: Listing) -> dict[str, Any]:
    state = venue.state
    return {
        "symbol": pair.symbol, "base": pair.base.display, "quote": pair.quote.display, "status": state.value,
        "qty_precision": pair.lot_decimals, "qty_increment": step_of(pair.lot_decimals), "qty_min": pair.order_min,
        "price_precision": pair.price_decimals, "price_increment": pair.tick, "tick_size": pair.tick,
        "cost_precision": pair.cost_decimals, "cost_min": pair.cost_min, "marginable": False, "has_index": False,
    }
