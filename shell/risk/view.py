"""What risk is shown of one book when it decides: money, holdings, everything still working, halts, what was just sent.

Resting, in-flight and unknown orders all count towards every limit until they are proven dead (I4).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple

from shell.contract import Action
from shell.exchange.gateway import FeeSchedule
from shell.money import NO_MONEY, NO_QTY, BaseQty, Price, QuoteAmount
from shell.orders import ApprovedOrder, Purpose, SubmittedOrder
from shell.portfolio.ledger import EquityMarks, Position
from shell.risk.halts import HaltKind
from shell.risk.limits import FILL_ALLOWANCE

# An order that was approved but not yet taken by the venue counts like one that was.
WorkingOrder = SubmittedOrder | ApprovedOrder
# Symbol, action and time of a signal that was approved.
RecentSignal = tuple[str, Action, datetime]


class RiskView(NamedTuple):
    """One book at one moment. `cash_free` is cash less every reservation; `working` every order that may still fill.

    `fees` by symbol; `prices` those that `equity` was taken at. `order_times` are when orders left, over the last
    minute at least; `recent_signals` what was approved, over the duplicate window at least. A working order counts in
    full although part of it has filled. `allowance_pct` is how far above the ask a market order may fill
    (`limits.fill_allowance`). `closed` says why the exchange takes no orders, "" while it does. `capital_share` is the part
    of the equity that entries may use (`risk.staged`).
    """

    cash_free: QuoteAmount
    equity: QuoteAmount
    marks: EquityMarks
    fees: Mapping[str, FeeSchedule]
    positions: Mapping[str, Position] = MappingProxyType({})
    prices: Mapping[str, Price] = MappingProxyType({})
    working: Sequence[WorkingOrder] = ()
    halts: Collection[HaltKind] = frozenset()
    order_times: Sequence[datetime] = ()
    recent_signals: Sequence[RecentSignal] = ()
    allowance_pct: Decimal = FILL_ALLOWANCE
    closed: str = ""
    capital_share: Decimal = Decimal(1)


def reserved(orders: Iterable[WorkingOrder]) -> QuoteAmount:
    """The quote amount held for these orders."""
    total = NO_MONEY
    for order in orders:
        total = total + (order if isinstance(order, ApprovedOrder) else order.approved).reserved
    return total


def working_entries(view: RiskView) -> list[WorkingOrder]:
    """The orders that may still open or enlarge a position."""
    return [order for order in view.working if order.intent.purpose is Purpose.ENTRY] if view.working else []


def being_sold(view: RiskView, symbol: str) -> BaseQty:
    """The quantity of `symbol` that working exits, stops and targets may still sell. A stop that the venue keeps is not
    among them: it makes way for any of them."""
    return selling(view.working, symbol)


def selling(orders: Iterable[WorkingOrder], symbol: str) -> BaseQty:
    """What `orders` may still sell of `symbol`, the stops that the venue keeps left out."""
    total = NO_QTY
    for order in orders:
        intent = order.intent
        if intent.symbol == symbol and intent.purpose is not Purpose.ENTRY and intent.trigger is None:
            total = total + intent.qty
    return total
