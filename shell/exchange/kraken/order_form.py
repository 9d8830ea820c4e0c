"""An order or amendment as the fields of its form: pure, and strict about what Kraken would refuse anyway."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from shell.errors import BadInput
from shell.exchange.kraken.pairs import KrakenPair
from shell.exchange.kraken.private_types import Amendment, Close, NewOrder, OrderKind, TimeInForce
from shell.exchange.kraken.wire import seconds_text, write_stamp
from shell.money import CONTEXT

CL_ORD_ID_LENGTH_MAX = 36
SIZE_MAX = 20
_SENT = frozenset(OrderKind) - {
    OrderKind.OTHER,
    OrderKind.ICEBERG,
    OrderKind.TRAILING_STOP,
    OrderKind.TRAILING_STOP_LIMIT,
    OrderKind.SETTLE_POSITION,
}


def add_order_fields(order: NewOrder, pair: KrakenPair) -> dict[str, Any]:
    """The form of AddOrder. Raises BadInput for an order that is wrong in itself: nothing is rounded here any more."""
    if order.symbol != pair.symbol:
        raise BadInput(f"an order of {order.symbol} was to be sent as one of {pair.symbol}")
    _check_kind(order.kind, order.price, order.price2, "the order")
    _check_qty(order.qty, pair)
    for price in (order.price, order.price2):
        _check_price(price, pair)
    if order.post_only and order.kind is not OrderKind.LIMIT:
        raise BadInput(f"only a limit order can be post-only, not a {order.kind.value} one")
    if order.post_only and order.time_in_force in (TimeInForce.IOC, TimeInForce.FOK):
        raise BadInput("a post-only order cannot want to fill at once")
    if order.kind is OrderKind.MARKET and order.time_in_force is not None:
        raise BadInput("a market order has no time in force")
    if (order.time_in_force is TimeInForce.GTD) != (order.expires_at is not None):
        raise BadInput("an order expires at a time if, and only if, it is good till date")
    if order.cl_ord_id is not None and order.userref is not None:
        raise BadInput("cl_ord_id and userref exclude each other")
    _check_cl_ord_id(order.cl_ord_id)
    fields: dict[str, Any] = {
        "pair": pair.altname,
        "type": order.side.value,
        "ordertype": order.kind.value,
        "volume": order.qty,
        "price": order.price,
        "price2": order.price2,
        "trigger": "index" if order.trigger_on_index else None,
        "oflags": _flags(order),
        "timeinforce": None if order.time_in_force is None else order.time_in_force.value,
        "expiretm": None if order.expires_at is None else seconds_text(order.expires_at),
        "cl_ord_id": order.cl_ord_id,
        "userref": order.userref,
        "deadline": None if order.deadline is None else write_stamp(order.deadline),
        "close": None if order.close is None else _close(order.close, pair),
        # Never as false: there were times when any value counted as true.
        "validate": True if order.validate_only else None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def amend_fields(amendment: Amendment, pair: KrakenPair) -> dict[str, Any]:
    """The form of AmendOrder. Raises BadInput for one that names no order, two, or no change."""
    if (amendment.order_id is None) == (amendment.cl_ord_id is None):
        raise BadInput("an amendment names one order: by its order_id or by its cl_ord_id")
    if amendment.qty is not None:
        _check_qty(amendment.qty, pair)
    for price in (amendment.limit_price, amendment.trigger_price):
        _check_price(price, pair)
    changes: dict[str, Any] = {
        "order_qty": amendment.qty,
        "limit_price": amendment.limit_price,
        "trigger_price": amendment.trigger_price,
        "post_only": amendment.post_only,
    }
    if all(value is None for value in changes.values()):
        raise BadInput("an amendment changes something: a quantity, a price or post-only")
    fields = {
        "txid": amendment.order_id,
        "cl_ord_id": amendment.cl_ord_id,
        **changes,
        "deadline": None if amendment.deadline is None else write_stamp(amendment.deadline),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _close(close: Close, pair: KrakenPair) -> dict[str, Any]:
    if close.kind is OrderKind.MARKET:
        raise BadInput("a conditional close is a limit order or a stop")
    _check_kind(close.kind, close.price, close.price2, "the conditional close")
    for price in (close.price, close.price2):
        _check_price(price, pair)
    return {"ordertype": close.kind.value, "price": close.price, "price2": close.price2}


def _flags(order: NewOrder) -> str | None:
    """One text with commas, as Kraken wants it, in alphabetical order."""
    flags = [] if order.fee_in is None else [order.fee_in.value]
    if order.post_only:
        flags.append("post")
    return ",".join(sorted(flags)) or None


def _check_kind(kind: OrderKind, price: Decimal | None, price2: Decimal | None, what: str) -> None:
    if kind not in _SENT:
        raise BadInput(f"{what}: orders of kind {kind.value} are not sent")
    wants_first = kind is not OrderKind.MARKET
    wants_second = kind.is_stop and kind.has_limit
    if (price is not None) != wants_first or (price2 is not None) != wants_second:
        wanted = "no price" if not wants_first else "a price and a second one" if wants_second else "one price"
        raise BadInput(f"{what}: a {kind.value} order has {wanted}")


def _check_qty(qty: Decimal, pair: KrakenPair) -> None:
    if not _sensible(qty) or CONTEXT.remainder(qty, pair.pair.lot) != 0:
        raise BadInput(f"{qty} is no quantity of {pair.symbol}: it takes whole multiples of {pair.pair.lot:f}")


def _check_price(price: Decimal | None, pair: KrakenPair) -> None:
    if price is None:
        return
    if not _sensible(price) or CONTEXT.remainder(price, pair.pair.tick) != 0:
        raise BadInput(f"{price} is no price of {pair.symbol}: it takes whole multiples of {pair.pair.tick:f}")


def _check_cl_ord_id(cl_ord_id: str | None) -> None:
    if cl_ord_id is None:
        return
    if not 0 < len(cl_ord_id) <= CL_ORD_ID_LENGTH_MAX or not cl_ord_id.isascii() or not cl_ord_id.isprintable():
        raise BadInput(f"{cl_ord_id!r} is no client order id: use a UUID")


def _sensible(number: Decimal) -> bool:
    """Above zero and of a size at which remainders are exact."""
    return number.is_finite() and number > 0 and abs(number.adjusted()) <= SIZE_MAX
