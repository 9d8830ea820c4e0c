"""The trading methods of WebSocket v2. Names of REST are refused here, as Kraken refuses them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from shell.exchange.simulator import order_entry, rest_orders
from shell.exchange.simulator.exchange import Exchange
from shell.exchange.simulator.fields import INT32, deadline_of, decimal_of, flag_of, int_of, text_of
from shell.exchange.simulator.moments import DAY_S, SECOND_NS, parse_rfc3339, rfc3339
from shell.exchange.simulator.orders import CloseTerms, Order, OrderRequest, PriceTerm, Relative, Status
from shell.exchange.simulator.precision import ZERO
from shell.exchange.simulator.refusal import UNKNOWN_ORDER, Refusal, argument

Result = Mapping[str, Any]
DEADLINE_DEFAULT_NS = 5 * SECOND_NS
_ADD_FIELDS = frozenset(
    {
        *("order_type", "side", "order_qty", "symbol", "limit_price", "limit_price_type", "time_in_force", "post_only"),
        *("cl_ord_id", "order_userref", "deadline", "validate", "fee_preference", "cash_order_qty", "stp_type", "token"),
        *("display_qty", "expire_time", "effective_time", "triggers", "conditional", "margin", "reduce_only", "no_mpp"),
    }
)
_AMEND_FIELDS = frozenset(
    {
        *("order_id", "cl_ord_id", "order_qty", "limit_price", "limit_price_type", "trigger_price", "symbol", "token"),
        *("trigger_price_type", "display_qty", "post_only", "deadline"),
    }
)


def add_order(exchange: Exchange, params: Mapping[str, Any]) -> Result:
    _known(params, _ADD_FIELDS, "add order")
    request = read_order(exchange, params)
    venue = exchange.venue
    if flag_of(params, "validate"):
        order_entry.charge(venue, request)
        order_entry.judge(venue, request)
        return {}
    return _placed(order_entry.place(venue, request))


def batch_add(exchange: Exchange, params: Mapping[str, Any]) -> list[Result]:
    given = params.get("orders")
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise argument("orders")
    shared = {name: params[name] for name in ("symbol", "deadline") if name in params}
    for each in given:
        _known(each, _ADD_FIELDS, "batch add")
    requests = [read_order(exchange, {**each, **shared}) for each in given]
    if flag_of(params, "validate"):
        for request in requests:
            order_entry.judge(exchange.venue, request)
        return []
    answers = order_entry.place_batch(exchange.venue, requests)
    return [
        {"success": False, "error": each.errors[0]} if isinstance(each, Refusal) else {"success": True, **_placed(each)}
        for each in answers
    ]


def amend_order(exchange: Exchange, params: Mapping[str, Any]) -> Result:
    _known(params, _AMEND_FIELDS, "amend order")
    venue = exchange.venue
    order = order_entry.find_open(venue, text_of(params, "order_id"), text_of(params, "cl_ord_id"))
    change = order_entry.Amendment(
        volume=decimal_of(params, "order_qty"), limit=decimal_of(params, "limit_price"),
        trigger=decimal_of(params, "trigger_price"),
        post_only=flag_of(params, "post_only") if "post_only" in params else None,
        deadline_ns=deadline_of(params, venue.told_ns),
    )
    amend_id = order_entry.amend(venue, order, change)
    named = {"cl_ord_id": order.request.cl_ord_id} if order.request.cl_ord_id else {}
    return {"amend_id": amend_id, "order_id": order.txid, **named}


def edit_order(exchange: Exchange, params: Mapping[str, Any]) -> Result:
    venue = exchange.venue
    before = order_entry.find_open(venue, text_of(params, "order_id"), None)
    request = before.request
    price = decimal_of(params, "limit_price")
    volume = decimal_of(params, "order_qty")
    changed = OrderRequest(
        pair=request.pair, side=request.side, kind=request.kind, volume=before.remaining if volume is None else volume,
        price=request.price if price is None else price, price2=request.price2, fee_in_base=request.fee_in_base,
        userref=int_of(params, "order_userref", 0, -INT32), flags=request.flags,
        post_only=flag_of(params, "post_only", request.post_only), deadline_ns=_deadline(params, venue.told_ns),
    )
    return {"order_id": order_entry.edit(venue, before, changed).txid, "original_order_id": before.txid}


def cancel_order(exchange: Exchange, params: Mapping[str, Any]) -> list[Result | Refusal]:
    """One answer an order."""
    answers: list[Result | Refusal] = []
    for name in ("order_id", "cl_ord_id", "order_userref"):
        given = params.get(name, [])
        if not isinstance(given, list):
            raise argument(name)
        for each in given:
            answers.append(_cancel_one(exchange, name, str(each)))
    if not answers:
        raise argument("order_id")
    return answers


def cancel_all(exchange: Exchange, params: Mapping[str, Any]) -> Result:
    return {"count": order_entry.cancel_all(exchange.venue)}


def cancel_all_after(exchange: Exchange, params: Mapping[str, Any]) -> Result:
    timeout = int_of(params, "timeout", -1, -1, DAY_S - 1)
    if timeout < 0:
        raise argument("timeout")
    trigger_ns, skew = exchange.arm(timeout), exchange.venue.skew_ns
    return {
        "currentTime": rfc3339(exchange.venue.told_ns)[:19] + "Z",
        "triggerTime": rfc3339(trigger_ns + skew)[:19] + "Z" if trigger_ns else "0",
    }


def batch_cancel(exchange: Exchange, params: Mapping[str, Any]) -> Result:
    named, cl_ord_ids = params.get("orders", []), params.get("cl_ord_id", [])
    if not isinstance(named, list) or not isinstance(cl_ord_ids, list):
        raise argument("orders")
    if not 2 <= len(named) + len(cl_ord_ids) <= rest_orders.CANCEL_BATCH_MAX:
        raise argument("orders")
    done = [_cancel_one(exchange, "order_id", str(each)) for each in named]
    done += [_cancel_one(exchange, "cl_ord_id", str(each)) for each in cl_ord_ids]
    return {"count": sum(not isinstance(each, Refusal) for each in done)}


METHODS: Mapping[str, Callable[[Exchange, Mapping[str, Any]], Any]] = {
    "add_order": add_order,
    "batch_add": batch_add,
    "amend_order": amend_order,
    "edit_order": edit_order,
    "cancel_order": cancel_order,
    "cancel_all": cancel_all,
    "cancel_all_orders_after": cancel_all_after,
    "batch_cancel": batch_cancel,
}


def read_order(exchange: Exchange, params: Mapping[str, Any]) -> OrderRequest:
    """The order of a v2 request. Raises Refusal for what cannot be read; the rest is judged at entry."""
    venue = exchange.venue
    symbol = params.get("symbol")
    pair = venue.directory.by_symbol.get(symbol) if isinstance(symbol, str) else None
    if pair is None:
        raise Refusal(f"Currency pair not supported {symbol}")
    kind, side = text_of(params, "order_type"), text_of(params, "side")
    if kind is None or side is None:
        raise argument("order_type" if kind is None else "side")
    volume, cash = decimal_of(params, "order_qty"), decimal_of(params, "cash_order_qty")
    if (volume is None) == (cash is None):
        raise argument("order_qty")
    limit, triggers = _priced(params, "limit_price", "limit_price_type"), params.get("triggers") or {}
    if not isinstance(triggers, dict):
        raise argument("triggers")
    waits = kind not in ("market", "limit")
    first: PriceTerm | None = _priced(triggers, "price", "price_type") if waits else limit
    fee = params.get("fee_preference")
    if fee not in (None, "base", "quote"):
        raise argument("fee_preference")
    expires = parse_rfc3339(params.get("expire_time")) or 0
    return OrderRequest(
        pair=pair, side=side, kind=kind, volume=volume if volume is not None else ZERO,
        price=None if kind == "market" else first, price2=limit if kind.endswith("-limit") else None,
        trigger_by=str(triggers.get("reference", "last")), cash=cash,
        time_in_force=str(params.get("time_in_force", "gtc")).upper(), post_only=flag_of(params, "post_only"),
        fee_in_base=fee == "base", cl_ord_id=text_of(params, "cl_ord_id"),
        userref=int_of(params, "order_userref", 0, -INT32), deadline_ns=_deadline(params, venue.told_ns),
        expire_ns=expires, close=_conditional(params),
        self_trade=str(params.get("stp_type", "cancel_newest")).replace("_", "-"),
    )


def _deadline(params: Mapping[str, Any], told_ns: int) -> int:
    return deadline_of(params, told_ns) or told_ns + DEADLINE_DEFAULT_NS


def _known(params: Mapping[str, Any], fields: frozenset[str], what: str) -> None:
    for name in params:
        if name not in fields:
            raise Refusal(f"Unsupported field: '{name}' for the given msg type: {what}")


def _priced(params: Mapping[str, Any], name: str, type_name: str) -> PriceTerm | None:
    """A price with its type: static, or a signed distance in percent (`pct`) or quote currency (`quote`)."""
    given = params.get(name)
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int | Decimal | str):
        raise argument(name)
    try:
        value = Decimal(str(given))
    except ArithmeticError:
        raise argument(name) from None
    match params.get(type_name, "static"):
        case "static":
            return value
        case "pct":
            return Relative(sign="-" if value < 0 else "+", amount=abs(value), percent=True)
        case "quote":
            return Relative(sign="-" if value < 0 else "+", amount=abs(value), percent=False)
        case _:
            raise argument(type_name)


def _conditional(params: Mapping[str, Any]) -> CloseTerms | None:
    given = params.get("conditional")
    if given is None:
        return None
    if not isinstance(given, dict) or text_of(given, "order_type") is None:
        raise argument("conditional")
    kind = text_of(given, "order_type") or ""
    limit = _priced(given, "limit_price", "limit_price_type")
    trigger = _priced(given, "trigger_price", "trigger_price_type")
    return CloseTerms(kind=kind, price=limit if kind == "limit" else trigger, price2=limit if kind.endswith("-limit") else None)


def _placed(order: Order) -> Result:
    request = order.request
    shown: dict[str, Any] = {"order_id": order.txid}
    if request.cl_ord_id is not None:
        shown["cl_ord_id"] = request.cl_ord_id
    if request.userref:
        shown["order_userref"] = request.userref
    return shown


def _cancel_one(exchange: Exchange, name: str, value: str) -> Result | Refusal:
    try:
        if name == "cl_ord_id":
            found = rest_orders.meant(exchange, None, value)
        elif name == "order_userref":
            wanted = [each for each in exchange.venue.open.values() if str(each.request.userref) == value != "0"]
            if not wanted:
                return Refusal(UNKNOWN_ORDER)
            found = wanted
        else:
            found = rest_orders.meant(exchange, value, None)
        order = rest_orders.cancelled(exchange, found)[0]
    except Refusal as refusal:
        return refusal
    named = {"cl_ord_id": order.request.cl_ord_id} if order.request.cl_ord_id is not None else {}
    return {"order_id": order.txid, **named} if order.status is Status.CANCELED else Refusal(UNKNOWN_ORDER)
