"""Finding out: what became of orders nobody answered for, which fills were missed, which stops the venue spawned.

One sweep reads open orders, closed ones and the fills that are not booked yet; everything a lost answer, a cut socket or a
restart can leave open is answered by it. Nothing is ever sent again because it was not found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from shell.contract import OrderType
from shell.exchange.kraken.errors import KrakenRefused
from shell.exchange.kraken.private_types import OrderInfo, OrderKind
from shell.exchange.live.facts import ending_of, fact_of_trade
from shell.exchange.live.tracked import FillFact, Tracked, TrackedOrders
from shell.exchange.live.venue import KrakenVenue
from shell.execution import life as lives
from shell.execution.life import Life
from shell.money import NO_MONEY, NO_QTY, BaseQty, Price
from shell.orders import SPAWNED, ApprovedOrder, OrderIntent, Purpose, Side
from shell.risk.approval import restored

# How far back a sweep reads besides: an order may be told a little after it ended.
OVERLAP = timedelta(minutes=2)
# A doubtful order that was not found is looked for again after this long, and given up after so many looks.
LOOK_AGAIN = timedelta(seconds=5)
LOOKS = 2
# A stop that a fill spawns is in the venue's list this long after the fill was known. By our clock alone: the moment of the
# fill is the venue's, and the two are only compared to within seconds.
SPAWN_DELAY = timedelta(seconds=1)


@dataclass(slots=True)
class Lookup:
    """The questions of one gateway. `lot_of` gives the smallest part of a symbol's coin."""

    venue: KrakenVenue
    orders: TrackedOrders
    lot_of: Callable[[str], Decimal]

    def sweep(self, since: datetime, now: datetime, there: datetime) -> None:
        """Read all that can have changed after `since`, a moment of the venue's clock as `there` is; `now` is ours. Raises
        Transient, and then whatever was read is kept."""
        # The lists are read after these fills, so their stops are in them. Of a fill between two lists nobody knows, and
        # whether it came between them no clock tells: ours and the venue's differ.
        filled = {entry.intent.intent_id: entry.life.filled for entry in self.orders if entry.spawns_stops}
        for entry in self.orders:
            if entry.life.filled != entry.stops_due[0]:
                entry.stops_due = entry.life.filled, now + SPAWN_DELAY
        found = self.venue.recent(since, there)
        self._identify(found.values(), now)
        if parents := self._unknown_parents(found.values()):
            # A stop may be in the window and its entry not. Held to be somebody else's, its sale would not be booked.
            self._identify([*self._parents(parents), *found.values()], now)
        seen = dict(found)
        lost = [
            tracked.life.order_id
            for tracked in self.orders.working() if tracked.life.order_id and tracked.life.order_id not in found
        ]
        # Children that are known by a fill alone: too old for the window, too quick for the list.
        strangers = {fact.order_id for fact in self.orders.parked.values()} - found.keys()
        if wanted := [*dict.fromkeys([*lost, *strangers])]:
            told = self.venue.orders(wanted)
            self._identify(told.values(), now)
            seen |= told
        self._take(seen.values(), now)
        self.orders.drop(order_id for order_id in seen if self.orders.find(order_id) is None)
        for entry in self.orders:
            if entry.spawns_stops and (entry.stops_due[1] is None or now >= entry.stops_due[1]):
                entry.stops_looked = max(entry.stops_looked, filled.get(entry.intent.intent_id, NO_QTY))
        self._look_for_doubtful(now)

    def refresh(self, tracked: Tracked, now: datetime) -> None:
        """Ask for one order alone. Raises Transient."""
        order_id = tracked.life.order_id
        if not order_id:
            found = self.venue.named(tracked.intent.client_id)
            if found is None:
                return
            self._identify([found], now)
            told: Mapping[str, OrderInfo] = {found.order_id: found}
        else:
            told = self.venue.orders([order_id])
        self._take(told.values(), now)

    # -- inside ---------------------------------------------------------------------------------------------------

    def _identify(self, orders: Iterable[OrderInfo], now: datetime) -> None:
        """Learn which of the venue's orders are ours: by our name, or as the stop of an entry of ours."""
        rest = []
        for order in sorted(orders, key=lambda each: (each.opened_at or now, each.order_id)):
            tracked = self.orders.find(order.order_id, order.cl_ord_id)
            if tracked is None:
                rest.append(order)
            else:
                self.orders.took(tracked, order.order_id)
        for order in rest:
            parent = self.orders.find(order.parent_id) if order.parent_id else None
            child = None if parent is None else self._adopt_child(parent, order, now)
            if child is not None:
                self.orders.took(child, order.order_id)

    def _unknown_parents(self, orders: Iterable[OrderInfo]) -> list[str]:
        """The orders that brought about orders nobody here knows, where they are not known either."""
        unknown = {
            order.parent_id: None for order in orders
            if order.parent_id and order.order_id not in self.orders.foreign and self.orders.find(order.order_id) is None
        }
        return [parent for parent in unknown if self.orders.find(parent) is None]

    def _parents(self, order_ids: Sequence[str]) -> list[OrderInfo]:
        """What somebody else's order refers to need not be an order, and one wrong id has the venue refuse them all: then each
        is asked for alone, so that it hides none of ours."""
        try:
            return list(self.venue.orders(order_ids).values())
        except KrakenRefused:
            return [order for each in order_ids for order in self._parents([each])] if len(order_ids) > 1 else []

    def _take(self, orders: Iterable[OrderInfo], now: datetime) -> None:
        """Book what the venue tells of orders that are ours: fills first, then how they ended."""
        ours = [(self.orders.find(order.order_id), order) for order in orders]
        for tracked, order in ours:
            if tracked is not None:
                tracked.life = lives.resized(tracked.life, BaseQty(order.qty))
        self.orders.book(self._missing_fills([order for tracked, order in ours if tracked is not None]))
        for tracked, order in ours:
            if tracked is None:
                continue
            if order.kind is OrderKind.STOP_LOSS and order.price > 0:
                tracked.trigger = Price(order.price)
            self.orders.reported(
                tracked, BaseQty(order.filled), ending_of(order), order.reason, order.closed_at or now
            )
            if tracked.life.missing and order.trade_ids and self.orders.fills.issuperset(order.trade_ids):
                self._settle_parts(tracked, order, now)

    def _settle_parts(self, tracked: Tracked, order: OrderInfo, now: datetime) -> None:
        """Reconciliation books our part of a sale that was more than ours. Nothing more will be told of such a fill; an order
        that waited for it would keep its symbol from being guarded for ever."""
        fills = self.venue.trades(order.trade_ids)
        if sum((fill.qty for fill in fills.values()), start=Decimal(0)) == order.filled:
            tracked.life = lives.settled(tracked.life)
            self.orders.reported(tracked, NO_QTY, ending_of(order), order.reason, order.closed_at or now)

    def _missing_fills(self, orders: Iterable[OrderInfo]) -> list[FillFact]:
        of_order = {order.order_id: order for order in orders}
        known = self.orders.fills | self.orders.parked.keys()
        wanted = [
            trade_id for order in of_order.values() for trade_id in order.trade_ids if trade_id not in known
        ]
        if not wanted:
            return []
        told = self.venue.trades(wanted)
        return [
            fact_of_trade(trade, of_order.get(trade.order_id), self.lot_of(trade.symbol)) for trade in told.values()
        ]

    def _adopt_child(self, parent: Tracked, order: OrderInfo, now: datetime) -> Tracked | None:
        """A stop that a fill of an entry spawned: an order of ours that was approved with the entry."""
        if order.side is not Side.SELL or parent.intent.purpose is not Purpose.ENTRY:
            return None
        trigger = Price(order.price) if order.price > 0 else parent.intent.stop_loss
        tracked = Tracked(
            approved=child_of(parent.intent, order, trigger), sent_at=order.opened_at or now,
            life=Life(qty=BaseQty(order.qty)), trigger=trigger,
        )
        return self.orders.add(tracked)

    def _look_for_doubtful(self, now: datetime) -> None:
        """What could have arrived has arrived, once its deadline is over: not found twice means not placed (I1)."""
        for tracked in [each for each in self.orders if each.doubtful]:
            if tracked.look_at is None or now < tracked.look_at:
                continue
            found = self.venue.named(tracked.intent.client_id)
            if found is not None:
                self._identify([found], now)
                self._take([found], now)
                continue
            tracked.absences += 1
            tracked.look_at = now + LOOK_AGAIN
            if tracked.absences >= LOOKS:
                self.orders.refused(
                    tracked, "not placed: the venue has no such order, open or closed, after its deadline", now
                )


def child_of(entry: OrderIntent, order: OrderInfo, trigger: Price | None) -> ApprovedOrder:
    """The intent of a stop that the venue spawned; its id leads back to the entry's."""
    intent = OrderIntent(
        intent_id=f"{entry.intent_id}{SPAWNED}{order.order_id}", book=entry.book, version=entry.version,
        symbol=entry.symbol, side=Side.SELL, purpose=Purpose.STOP, order_type=OrderType.MARKET, qty=BaseQty(order.qty),
        limit_price=None, decided_at=entry.decided_at, stop_loss=entry.stop_loss, take_profit=entry.take_profit,
        horizon=entry.horizon, tag=entry.tag, trigger=trigger, mark=entry.mark,
    )
    return restored(intent, NO_MONEY)


