"""Whose orders the venue's are, and what became of ours: the first half of reconciliation. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from shell.contract import Intent, OrderType
from shell.execution.client_id import mark_of
from shell.money import CONTEXT, NO_MONEY, BaseQty, Price, QuoteAmount
from shell.orders import SPAWNED, OrderIntent, OrderState, OrderUpdate, Purpose, Side
from shell.portfolio.account import AccountPicture, VenueOrder, VenueTrade
from shell.portfolio.reconcile_types import UNKNOWN_FOR, Adopted, BookView, Finding, FindingKind, OurOrder

CLOSE_DEPTH_MAX = 4


@dataclass(slots=True)
class OwnOrders:
    """Our orders at the venue, by its order id, and what has to be written so that the database knows them."""

    intents: dict[str, OrderIntent] = field(default_factory=dict)
    adopted: list[Adopted] = field(default_factory=list)
    updates: list[OrderUpdate] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)
    recovered: set[str] = field(default_factory=set)

    def of(self, trade: VenueTrade) -> OrderIntent | None:
        return self.intents.get(trade.order_id)


def own_orders(view: BookView, picture: AccountPicture) -> OwnOrders:
    """Sort the venue's orders into ours and others', adopt what is ours, and end what the venue has ended."""
    own = OwnOrders()
    at_venue = sorted((*picture.open_orders, *picture.ended_orders), key=lambda order: (order.opened_at, order.order_id))
    # What books a sale by somebody else carries that order's id, but its further trades are no more ours than it is.
    ours = [known for known in view.orders if known.intent.purpose is not Purpose.EXTERNAL]
    by_id = {known.order_id: known for known in ours if known.order_id is not None}
    by_client = {known.client_id: known for known in ours}
    own.intents.update({order_id: known.intent for order_id, known in by_id.items()})
    matched: set[str] = set()
    left: list[VenueOrder] = []
    for order in at_venue:
        known = by_id.get(order.order_id) or by_client.get((order.client_id or "").lower())
        if known is None:
            left.append(order)
            continue
        matched.add(known.intent.intent_id)
        own.intents[order.order_id] = known.intent
        _follow(known, order, picture.at, own)
    for order in left:
        _claim(order, view, own)
    _claim_closes([order for order in left if order.order_id not in own.intents], own)
    _label_others([order for order in left if order.order_id not in own.intents], view, own)
    unseen = (known for known in ours if known.intent.intent_id not in matched | view.awaited)
    _look_for_absent(unseen, picture, own)
    return own


def _follow(known: OurOrder, order: VenueOrder, at: datetime, own: OwnOrders) -> None:
    """Bring the state of one of our orders to the venue's."""
    intent = known.intent
    linked = known.order_id is None
    if linked:
        own.findings.append(Finding(
            kind=FindingKind.ORDER_LINKED, reference=order.order_id,
            sentence=f"the {_words(order)} whose answer was lost is order {order.order_id}",
        ))
    if order.state is OrderState.OPEN:
        if not known.state.working:
            if known.updated_at is not None and known.updated_at >= at:
                # It ended after this look was begun: the next one tells whether it is still there.
                return
            own.strays.append(order.order_id)
            own.findings.append(Finding(
                kind=FindingKind.STRAY, reference=order.order_id,
                sentence=f"{order.order_id} ({_words(order)}) is open at the exchange although our books have it as "
                f"{known.state.value}; it is to be cancelled",
            ))
        elif linked or known.state is not OrderState.OPEN:
            own.updates.append(_update(intent, order, order.opened_at))
        return
    if known.state.working or linked:
        own.updates.append(_update(intent, order, order.closed_at or at))
        if known.state.working:
            own.findings.append(Finding(
                kind=FindingKind.ORDER_ENDED, reference=order.order_id,
                sentence=f"{order.order_id} ({_words(order)}) has ended at the exchange: {order.state.value}"
                + (f", {order.reason}" if order.reason else ""),
            ))


def _claim(order: VenueOrder, view: BookView, own: OwnOrders) -> None:
    """An order that carries our home's mark and that the database lost."""
    if mark_of(order.client_id) != view.mark:
        return
    intent = OrderIntent(
        intent_id=f"recovered:{order.order_id}", book=view.book, version=view.version, symbol=order.symbol, side=order.side,
        purpose=_purpose(order), order_type=_order_type(order), qty=BaseQty(order.qty), limit_price=_price(order.limit_price),
        decided_at=order.opened_at, stop_loss=_price(order.close_stop), horizon=Intent.SWING, tag="recovered",
        trigger=_price(order.stop_price), mark=view.mark,
    )
    own.recovered.add(order.order_id)
    _adopt(intent, order, own)
    own.findings.append(Finding(
        kind=FindingKind.RECOVERED, reference=order.order_id,
        sentence=f"{order.order_id} ({_words(order)}) was sent by this home but its database does not know it: the database "
        "is an older copy, or a copy of this home trades somewhere else",
    ))


def _claim_closes(orders: list[VenueOrder], own: OwnOrders) -> None:
    """Protective orders that the venue spawned from ours: their parent is what they are known by."""
    for _ in range(CLOSE_DEPTH_MAX):
        mine = [order for order in orders if order.parent_id in own.intents and order.order_id not in own.intents]
        if not mine:
            return
        for order in mine:
            parent = own.intents[order.parent_id or ""]
            intent = OrderIntent(
                intent_id=f"{parent.intent_id}{SPAWNED}{order.order_id}", book=parent.book, version=parent.version,
                symbol=order.symbol, side=order.side, purpose=Purpose.STOP, order_type=OrderType.MARKET,
                qty=BaseQty(order.qty), limit_price=None, decided_at=parent.decided_at, stop_loss=parent.stop_loss,
                take_profit=parent.take_profit, horizon=parent.horizon, tag=parent.tag, trigger=_price(order.stop_price),
                mark=parent.mark,
            )
            if order.parent_id in own.recovered:
                own.recovered.add(order.order_id)
            _adopt(intent, order, own)
            own.findings.append(Finding(
                kind=FindingKind.STOP_ADOPTED, reference=order.order_id,
                sentence=f"{order.order_id} ({_words(order)}) protects what {order.parent_id} bought",
            ))


def _label_others(orders: list[VenueOrder], view: BookView, own: OwnOrders) -> None:
    for order in orders:
        mark = mark_of(order.client_id)
        if mark is not None and mark != view.mark:
            own.findings.append(Finding(
                kind=FindingKind.OTHER_TRADER, reference=order.order_id,
                sentence=f"another home of this program (mark {mark}) trades on this account: {order.order_id} "
                f"({_words(order)}). Stop one of the two",
            ))
        elif order.state is OrderState.OPEN:
            own.findings.append(Finding(
                kind=FindingKind.EXTERNAL_ORDER, reference=order.order_id,
                sentence=f"{order.order_id} ({_words(order)}) is somebody else's and is left alone",
            ))


def _look_for_absent(orders: Iterable[OurOrder], picture: AccountPicture, own: OwnOrders) -> None:
    """Working orders that the venue told nothing of, although the picture reaches back to before they were decided.

    How long ago that was says little: an exit is decided at the moment of its price, which may be minutes before it leaves, and
    the picture may have been begun before it did. So those that the gateway awaits are not given here.
    """
    for known in orders:
        decided = known.intent.decided_at
        if not known.state.working or picture.since > decided or picture.at - decided < UNKNOWN_FOR:
            continue
        own.updates.append(OrderUpdate(
            order_id=known.order_id or "", intent_id=known.intent.intent_id, state=OrderState.REJECTED,
            reason="the exchange has never had it", at=picture.at,
        ))
        own.findings.append(Finding(
            kind=FindingKind.NEVER_PLACED, reference=known.intent.intent_id,
            sentence=f"the order of {decided:%Y-%m-%d %H:%M:%S} UTC to {known.intent.side.value} {known.intent.qty} "
            f"{known.intent.symbol} is neither open nor ended at the exchange: it never arrived",
        ))


def _adopt(intent: OrderIntent, order: VenueOrder, own: OwnOrders) -> None:
    own.intents[order.order_id] = intent
    own.adopted.append(Adopted(
        intent=intent, order_id=order.order_id, state=OrderState.OPEN, opened_at=order.opened_at, reserved=_reserved(order)
    ))
    if order.state is not OrderState.OPEN:
        own.updates.append(_update(intent, order, order.closed_at or order.opened_at))


def _update(intent: OrderIntent, order: VenueOrder, at: datetime) -> OrderUpdate:
    return OrderUpdate(
        order_id=order.order_id, intent_id=intent.intent_id, state=order.state, at=at,
        reason=order.reason or "found by reconciliation",
    )


def _purpose(order: VenueOrder) -> Purpose:
    if order.side is Side.BUY:
        return Purpose.ENTRY
    return Purpose.STOP if order.kind.startswith(("stop", "trailing")) else Purpose.EXIT


def _order_type(order: VenueOrder) -> OrderType:
    return OrderType.LIMIT if order.limit_price is not None else OrderType.MARKET


def _price(price: Decimal | None) -> Price | None:
    return None if price is None else Price(price)


def _reserved(order: VenueOrder) -> QuoteAmount:
    """What an open purchase may still cost at its limit, before fees."""
    if order.side is Side.SELL or order.limit_price is None:
        return NO_MONEY
    return QuoteAmount(CONTEXT.multiply(order.qty - order.filled, order.limit_price))


def _words(order: VenueOrder) -> str:
    return f"{order.kind} {order.side.value} of {order.qty:f} {order.symbol}"
