"""What risk is shown of one book when it decides: money, holdings, everything still working, halts, and what was just sent.

Resting, in-flight and unknown orders all count towards every limit until they are proven dead (I4).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from shell.contract import Signal
from shell.exchange.gateway import FeeSchedule
from shell.money import CONTEXT, NO_MONEY, NO_QTY, BaseQty, QuoteAmount
from shell.orders import ApprovedOrder, Purpose
from shell.portfolio.ledger import EquityMarks, Ledger, Position
from shell.risk.halts import HaltKind
from shell.risk.limits import FILL_ALLOWANCE


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentSignal:
    """A signal that was approved at `at`."""

    signal: Signal
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskView:
    """One book at one moment. `cash_free` is cash less every reservation; `working` every order that may still fill.

    `filled` gives, by intent id, what a working order has filled already (absent: nothing). `fees` are those of the pair
    that is being assessed. `order_times` are when orders left, at least over the last minute. `allowance_pct` is how far
    above the ask a market order may fill (`limits.fill_allowance`).
    """

    cash_free: QuoteAmount
    equity: QuoteAmount
    marks: EquityMarks
    fees: FeeSchedule
    positions: Mapping[str, Position] = field(default_factory=dict)
    working: Sequence[ApprovedOrder] = ()
    filled: Mapping[str, BaseQty] = field(default_factory=dict)
    halts: Collection[HaltKind] = frozenset()
    order_times: Sequence[datetime] = ()
    recent_signals: Sequence[RecentSignal] = ()
    allowance_pct: Decimal = FILL_ALLOWANCE


def view_of(
    ledger: Ledger,
    *,
    equity: QuoteAmount,
    marks: EquityMarks,
    fees: FeeSchedule,
    working: Sequence[ApprovedOrder] = (),
    filled: Mapping[str, BaseQty] | None = None,
    halts: Collection[HaltKind] = frozenset(),
    order_times: Sequence[datetime] = (),
    recent_signals: Sequence[RecentSignal] = (),
    allowance_pct: Decimal = FILL_ALLOWANCE,
) -> RiskView:
    """The view of a ledger with its working orders: free cash is its cash less what they reserve."""
    known = filled or {}
    return RiskView(
        cash_free=ledger.cash - reserved(working, known), equity=equity, marks=marks, fees=fees,
        positions=ledger.positions, working=working, filled=known, halts=halts, order_times=order_times,
        recent_signals=recent_signals, allowance_pct=allowance_pct,
    )


def after_approval(view: RiskView, order: ApprovedOrder, signal: Signal | None, now: datetime) -> RiskView:
    """The view once `order` is approved: how several signals of one scan are assessed in a row without overlapping."""
    recent = view.recent_signals if signal is None else (*view.recent_signals, RecentSignal(signal=signal, at=now))
    return replace(
        view, cash_free=view.cash_free - order.reserved, working=(*view.working, order),
        order_times=(*view.order_times, now), recent_signals=recent,
    )


def reserved(orders: Iterable[ApprovedOrder], filled: Mapping[str, BaseQty]) -> QuoteAmount:
    """The quote amount held for what of these orders has not filled."""
    total = NO_MONEY
    for order in orders:
        if order.reserved:
            total = total + _open_reservation(order, filled)
    return total


def working_entries(view: RiskView) -> list[ApprovedOrder]:
    """The orders that may still open or enlarge a position."""
    return [order for order in view.working if order.intent.purpose is Purpose.ENTRY]


def being_sold(view: RiskView, symbol: str) -> BaseQty:
    """The quantity of `symbol` that working exits, stops and targets may still sell."""
    total = NO_QTY
    for order in view.working:
        if order.intent.symbol == symbol and order.intent.purpose is not Purpose.ENTRY:
            total = total + remaining(order, view.filled)
    return total


def remaining(order: ApprovedOrder, filled: Mapping[str, BaseQty]) -> BaseQty:
    """What of the order has not filled; never negative."""
    left = order.intent.qty - filled.get(order.intent.intent_id, NO_QTY)
    return max(left, NO_QTY)


def _open_reservation(order: ApprovedOrder, filled: Mapping[str, BaseQty]) -> QuoteAmount:
    if order.intent.intent_id not in filled:
        return order.reserved
    unit = CONTEXT.divide(order.reserved.value, order.intent.qty.value)
    return QuoteAmount(CONTEXT.multiply(unit, remaining(order, filled).value))
