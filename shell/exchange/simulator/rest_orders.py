"""Kraken's private REST endpoints that write: placing, changing and cancelling orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from shell.exchange.simulator import order_entry
from shell.exchange.simulator.exchange import Exchange
from shell.exchange.simulator.fields import (
    INT32,
    Params,
    deadline_of,
    decimal_of,
    flag_of,
    int_of,
    names_of,
    price_of,
    text_of,
    when_of,
)
from shell.exchange.simulator.moments import DAY_S, rfc3339
from shell.exchange.simulator.names import Listing
from shell.exchange.simulator.order_view import request_view
from shell.exchange.simulator.orders import CloseTerms, Order, OrderRequest
from shell.exchange.simulator.precision import ZERO
from shell.exchange.simulator.refusal import INVALID_ORDER, UNKNOWN_ORDER, Refusal, argument

FLAGS = frozenset({"post", "fcib", "fciq", "nompp", "viqc"})
CANCEL_BATCH_MAX = 50


def add_order(exchange: Exchange, params: Params) -> Any:
    venue = exchange.venue
    request = read_order(exchange, params, _pair(exchange, params))
    shown = {"descr": request_view(request)}
    if flag_of(params, "validate"):
        order_entry.charge(venue, request)
        order_entry.judge(venue, request)
        return shown
    return shown | {"txid": [order_entry.place(venue, request).txid]}


def add_order_batch(exchange: Exchange, params: Params) -> Any:
    pair, given = _pair(exchange, params), params.get("orders")
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise argument("orders")
    shared = {name: params[name] for name in ("deadline",) if name in params}
    requests = [read_order(exchange, {**each, **shared}, pair) for each in given]
    if flag_of(params, "validate"):
        for request in requests:
            order_entry.judge(exchange.venue, request)
        return {"orders": [{"descr": request_view(request)} for request in requests]}
    answers = order_entry.place_batch(exchange.venue, requests)
    return {"orders": [_batch_answer(request, each) for request, each in zip(requests, answers, strict=True)]}


def amend_order(exchange: Exchange, params: Params) -> Any:
    venue = exchange.venue
    order = order_entry.find_open(venue, text_of(params, "txid"), text_of(params, "cl_ord_id"))
    change = order_entry.Amendment(
        volume=decimal_of(params, "order_qty"), limit=price_of(params, "limit_price"),
        trigger=price_of(params, "trigger_price"),
        post_only=flag_of(params, "post_only") if "post_only" in params else None,
        deadline_ns=deadline_of(params, venue.told_ns),
    )
    return {"amend_id": order_entry.amend(venue, order, change)}


def edit_order(exchange: Exchange, params: Params) -> Any:
    venue, before = exchange.venue, order_entry.find_open(exchange.venue, text_of(params, "txid"), None)
    request = before.request
    price, price2 = price_of(params, "price"), price_of(params, "price2", second=True)
    volume = decimal_of(params, "volume")
    flags = names_of(params, "oflags", len(FLAGS))
    changed = replace(
        request, volume=before.remaining if volume is None else volume, price=request.price if price is None else price,
        price2=request.price2 if price2 is None else price2, userref=int_of(params, "userref", 0, -INT32),
        post_only="post" in flags if flags else request.post_only, deadline_ns=deadline_of(params, venue.told_ns),
    )
    shown = {"descr": request_view(changed), "originaltxid": before.txid, "status": "ok", "orders_cancelled": 1}
    return shown | {"txid": order_entry.edit(venue, before, changed).txid}


def cancel_order(exchange: Exchange, params: Params) -> Any:
    named, cl_ord_id = text_of(params, "txid"), text_of(params, "cl_ord_id")
    if named is None and cl_ord_id is None:
        userref = text_of(params, "userref")
        if userref is None:
            raise argument("txid")
        named = userref
    return {"count": len(cancelled(exchange, meant(exchange, named, cl_ord_id)))}


def cancel_order_batch(exchange: Exchange, params: Params) -> Any:
    orders, cl_ord_ids = params.get("orders", []), names_of(params, "cl_ord_ids", CANCEL_BATCH_MAX)
    if not isinstance(orders, list) or not 1 <= len(orders) + len(cl_ord_ids) <= CANCEL_BATCH_MAX:
        raise argument("orders")
    named = [each.get("txid") if isinstance(each, dict) else each for each in orders]
    found: list[Order] = []
    for each in named:
        found += _quietly(exchange, str(each), None)
    for each in cl_ord_ids:
        found += _quietly(exchange, None, each)
    return {"count": len(cancelled(exchange, found))}


def cancel_all(exchange: Exchange, params: Params) -> Any:
    return {"count": order_entry.cancel_all(exchange.venue)}


def cancel_all_after(exchange: Exchange, params: Params) -> Any:
    if text_of(params, "timeout") is None:
        raise argument("timeout")
    trigger_ns = exchange.arm(int_of(params, "timeout", 0, 0, DAY_S - 1))
    venue = exchange.venue
    shown = rfc3339(trigger_ns + venue.skew_ns)[:19] + "Z" if trigger_ns else "0"
    return {"currentTime": rfc3339(venue.told_ns)[:19] + "Z", "triggerTime": shown}


ENDPOINTS: Mapping[str, Any] = {
    "AddOrder": add_order,
    "AddOrderBatch": add_order_batch,
    "AmendOrder": amend_order,
    "EditOrder": edit_order,
    "CancelOrder": cancel_order,
    "CancelOrderBatch": cancel_order_batch,
    "CancelAll": cancel_all,
    "CancelAllOrdersAfter": cancel_all_after,
}


def read_order(exchange: Exchange, params: Mapping[str, Any], pair: Listing) -> OrderRequest:
    """The order of a REST request. Raises Refusal for what cannot be read; the rest is judged at entry."""
    told_ns = exchange.venue.told_ns
    kind, side = text_of(params, "ordertype"), text_of(params, "type")
    if side is None:
        raise argument("type")
    if kind is None:
        raise argument("ordertype")
    if isinstance(params.get("oflags"), list):
        raise argument("oflags")
    flags = names_of(params, "oflags", len(FLAGS))
    volume = decimal_of(params, "volume")
    if volume is None:
        raise argument("volume")
    if not set(flags) <= FLAGS or {"fcib", "fciq"} <= set(flags):
        raise argument("oflags")
    if (text_of(params, "leverage") or "none") not in ("none", "0") or flag_of(params, "reduce_only"):
        raise argument("leverage")
    market = kind == "market"
    cash = volume if "viqc" in flags else None
    return OrderRequest(
        pair=pair, side=side, kind=kind, volume=volume if cash is None else ZERO,
        price=None if market else price_of(params, "price"),
        price2=price_of(params, "price2", second=True) if kind.endswith("-limit") else None,
        trigger_by=text_of(params, "trigger") or "last", time_in_force=(text_of(params, "timeinforce") or "GTC").upper(),
        post_only="post" in flags, fee_in_base="fcib" in flags, cash=cash, cl_ord_id=text_of(params, "cl_ord_id"),
        userref=int_of(params, "userref", 0, -INT32), deadline_ns=deadline_of(params, told_ns),
        start_ns=when_of(params, "starttm", told_ns), expire_ns=when_of(params, "expiretm", told_ns),
        close=_close(params), self_trade=text_of(params, "stptype") or "cancel-newest", flags=tuple(flags),
    )


def meant(exchange: Exchange, txid: str | None, cl_ord_id: str | None) -> Sequence[Order]:
    """The open orders meant by a txid, a userref in its place, or a client id. Raises Refusal when there is none."""
    venue = exchange.venue
    if txid is not None and txid not in venue.open and txid.lstrip("-").isdigit():
        found = [order for order in venue.open.values() if order.request.userref == int(txid) != 0]
        if not found:
            raise Refusal(UNKNOWN_ORDER)
        return found
    if txid is not None and not looks_like_order(txid):
        raise Refusal(INVALID_ORDER)
    return [order_entry.find_open(venue, txid, cl_ord_id)]


def cancelled(exchange: Exchange, orders: Sequence[Order]) -> Sequence[Order]:
    """Cancel orders; they."""
    for order in orders:
        order_entry.cancel(exchange.venue, order)
    return orders


def looks_like_order(txid: str) -> bool:
    """True for the form OXXXXX-XXXXX-XXXXXX."""
    parts = txid.split("-")
    return [len(part) for part in parts] == [6, 5, 6] and txid.startswith("O") and txid.replace("-", "").isalnum()


def _pair(exchange: Exchange, params: Params) -> Listing:
    if text_of(params, "pair") is None:
        raise argument("pair")
    return exchange.venue.directory.pair(params["pair"])


def _close(params: Mapping[str, Any]) -> CloseTerms | None:
    given = params.get("close")
    if given is None or given == {}:
        return None
    if not isinstance(given, dict) or text_of(given, "ordertype") is None:
        raise argument("close")
    kind = text_of(given, "ordertype") or ""
    return CloseTerms(kind=kind, price=price_of(given, "price"), price2=price_of(given, "price2", second=True))


def _quietly(exchange: Exchange, txid: str | None, cl_ord_id: str | None) -> Sequence[Order]:
    try:
        return meant(exchange, txid, cl_ord_id)
    except Refusal:
        return []


def _batch_answer(request: OrderRequest, answer: Order | Refusal) -> dict[str, Any]:
    if isinstance(answer, Refusal):
        return {"descr": request_view(request), "error": answer.errors[0]}
    return {"descr": request_view(request), "txid": answer.txid}
