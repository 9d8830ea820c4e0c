"""Which working orders are taken out, and why. Asking twice is harmless: a gateway goes on until the venue shows them gone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from shell.contract import OrderType
from shell.exchange.gateway import Gateway
from shell.orders import OrderIntent, Purpose

Chosen = Callable[[OrderIntent], bool]


def entries(intent: OrderIntent) -> bool:
    """Everything that opens or enlarges a position."""
    return intent.purpose is Purpose.ENTRY


def resting_of(symbol: str) -> Chosen:
    """The limit orders of one symbol."""
    return lambda intent: intent.symbol == symbol and intent.order_type is OrderType.LIMIT


def withdraw(gateway: Gateway, chosen: Chosen, reason: str, now: datetime) -> bool:
    """Have the chosen orders cancelled; True when there were any."""
    found = [order for order in gateway.open_orders() if chosen(order.intent)]
    for order in found:
        gateway.cancel(order.order_id, reason, now)
    return bool(found)


def withdraw_unwanted(gateway: Gateway, halted: bool, version: str, now: datetime) -> bool:
    """Ask again for what a halt, or a change of version, asked for: a venue in maintenance cancels nothing, and a process
    may die before it is done (I6, D13). True when there is something left to take out."""
    if halted:
        return withdraw(gateway, entries, "halted", now)
    return withdraw(
        gateway, lambda intent: entries(intent) and intent.version != version, "the strategy changed", now
    )
