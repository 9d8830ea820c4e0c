"""An approved order as what Kraken is sent: pure."""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_DOWN

from shell.contract import OrderType
from shell.exchange.gateway import FeeSchedule
from shell.exchange.kraken.private_types import Close, NewOrder, OrderKind, TimeInForce
from shell.market.pair import Pair
from shell.money import CONTEXT, Price
from shell.orders import ApprovedOrder, Purpose


def new_order(
    order: ApprovedOrder, pair: Pair, fees: FeeSchedule, *, deadline: datetime, expires_at: datetime
) -> NewOrder:
    """The form of one order.

    - An entry takes its stop along as a conditional close, so that every fill is protected by the venue at once (D10).
    - A market entry is sent as an immediate-or-cancel limit at the worst price its reservation was made for: whatever the
      book looks like when it arrives, it cannot cost more than was approved.
    - A limit entry expires at the venue by itself; exits and stops stay until they are taken out.
    """
    intent = order.intent
    entry = intent.purpose is Purpose.ENTRY
    price = None if intent.limit_price is None else intent.limit_price.value
    kind, time_in_force, expiry = OrderKind.MARKET, None, None
    if intent.trigger is not None:
        kind, price = OrderKind.STOP_LOSS, intent.trigger.value
    elif intent.order_type is OrderType.LIMIT:
        kind = OrderKind.LIMIT
        if entry:
            time_in_force, expiry = TimeInForce.GTD, expires_at
    elif entry:
        kind, time_in_force, price = OrderKind.LIMIT, TimeInForce.IOC, worst_price(order, pair, fees).value
    close = None
    if entry and intent.stop_loss is not None:
        close = Close(kind=OrderKind.STOP_LOSS, price=intent.stop_loss.value)
    return NewOrder(
        symbol=intent.symbol, side=intent.side, kind=kind, qty=intent.qty.value, price=price,
        time_in_force=time_in_force, expires_at=expiry, cl_ord_id=intent.client_id, deadline=deadline, close=close,
    )


def worst_price(order: ApprovedOrder, pair: Pair, fees: FeeSchedule) -> Price:
    """The highest price at which quantity and the dearer fee stay within the reservation."""
    with_fee = CONTEXT.multiply(order.intent.qty.value, 1 + max(fees.taker_pct, fees.maker_pct))
    return pair.round_price(CONTEXT.divide(order.reserved.value, with_fee), ROUND_DOWN)
