"""The orders a live gateway answers for, and the events that follow from what is learnt about them. No input or output."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from shell.errors import Fatal
from shell.exchange.gateway import GatewayEvent
from shell.execution import life as lives
from shell.execution.life import Life
from shell.money import NO_MONEY, NO_QTY, BaseQty, Price, QuoteAmount
from shell.orders import (
    SPAWNED,
    ApprovedOrder,
    Fill,
    Liquidity,
    OrderIntent,
    OrderState,
    OrderUpdate,
    Purpose,
    SubmittedOrder,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FillFact:
    """One fill as either door tells it, amounts still as the venue counts them."""

    fill_id: str
    order_id: str
    qty: BaseQty
    price: Price
    paid: QuoteAmount
    fee: QuoteAmount = NO_MONEY
    fee_base: BaseQty = NO_QTY
    liquidity: Liquidity = Liquidity.TAKER
    at: datetime


@dataclass(slots=True, kw_only=True)
class Tracked:
    """One order with what is known of it. `trigger` is where a stop stands now; `announced` what the engine was last told.

    While it is doubtful it is looked for from `look_at` on; `absences` counts the looks that did not find it.
    `stops_looked` is how much of an entry's fills the venue's list of stops was read for, and `stops_due` from when on, at
    the earliest, that list has the stops of so much of them.
    """

    approved: ApprovedOrder
    sent_at: datetime
    life: Life
    trigger: Price | None = None
    announced: OrderState = OrderState.INTENDED
    look_at: datetime | None = None
    absences: int = 0
    cancel_reason: str = ""
    cancel_at: datetime | None = None
    filled_at: datetime | None = None
    stops_looked: BaseQty = NO_QTY
    stops_due: tuple[BaseQty, datetime | None] = (NO_QTY, None)

    @property
    def intent(self) -> OrderIntent:
        return self.approved.intent

    @property
    def handle(self) -> str:
        """What the engine calls it: the venue's id, or ours while that is not known."""
        return self.life.order_id or self.intent.client_id

    @property
    def doubtful(self) -> bool:
        """True while nobody knows whether the venue has it."""
        return self.life.state in (OrderState.UNKNOWN, OrderState.INTENDED)

    @property
    def spawns_stops(self) -> bool:
        """True for an entry whose fills bring about stops at the venue."""
        return self.intent.purpose is Purpose.ENTRY and self.intent.stop_loss is not None

    def submitted(self) -> SubmittedOrder:
        return SubmittedOrder(order_id=self.handle, approved=self.approved, submitted_at=self.sent_at)


@dataclass(slots=True)
class TrackedOrders:
    """Every order of one book that may still change, and those that ended lately: a late fill belongs to one of them."""

    fills: set[str] = field(default_factory=set)
    events: list[GatewayEvent] = field(default_factory=list)
    parked: dict[str, FillFact] = field(default_factory=dict)
    foreign: set[str] = field(default_factory=set)
    _by_intent: dict[str, Tracked] = field(default_factory=dict)
    _by_order: dict[str, Tracked] = field(default_factory=dict)
    _by_client: dict[str, Tracked] = field(default_factory=dict)
    _children: dict[str, list[Tracked]] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Tracked]:
        return iter(self._by_intent.values())

    def add(self, tracked: Tracked) -> Tracked:
        """Raises Fatal for an intent that is tracked already: it must never be sent a second time (I1)."""
        intent = tracked.intent
        if intent.intent_id in self._by_intent:
            raise Fatal(f"intent {intent.intent_id} is at the venue or on its way there: never send it again")
        self._by_intent[intent.intent_id] = self._by_client[intent.client_id] = tracked
        if tracked.life.order_id:
            self._by_order[tracked.life.order_id] = tracked
        before, joint, _ = intent.intent_id.rpartition(SPAWNED)
        if joint:
            self._children.setdefault(before, []).append(tracked)
        return tracked

    def find(self, order_id: str, client_id: str | None = None) -> Tracked | None:
        """By the venue's id, or by the name we gave."""
        found = self._by_order.get(order_id)
        return found if found is not None or not client_id else self._by_client.get(client_id)

    def of_handle(self, handle: str) -> Tracked | None:
        return self._by_order.get(handle) or self._by_client.get(handle)

    def working(self) -> list[Tracked]:
        """Everything that may still fill, the doubtful included."""
        return [tracked for tracked in self if tracked.life.working]

    def children(self, parent: Tracked) -> Iterator[Tracked]:
        """The stops that the fills of an entry brought about."""
        return iter(self._children.get(parent.intent.intent_id, ()))

    def parent(self, child: Tracked) -> Tracked | None:
        before, joint, _ = child.intent.intent_id.rpartition(SPAWNED)
        return self._by_intent.get(before) if joint else None

    def spawned(self, entry: Tracked) -> BaseQty:
        """What the stops of an entry were made for."""
        return sum((child.intent.qty for child in self.children(entry)), start=NO_QTY)

    # -- facts ----------------------------------------------------------------------------------------------------

    def took(self, tracked: Tracked, order_id: str, *, told: bool = True) -> None:
        """The venue holds it, or held it. `told` False: the caller tells the engine itself."""
        new = not tracked.life.order_id
        if tracked.life.refused and tracked.intent.purpose is Purpose.ENTRY:
            # Its reservation was given up, so something else may stand in its place.
            tracked.cancel_reason = "it arrived after it was given up"
        tracked.life = lives.taken(tracked.life, order_id)
        tracked.look_at, tracked.absences = None, 0
        # Whatever it was held to be before: its fills are ours to book.
        self.foreign.discard(order_id)
        self._by_order[order_id] = tracked
        if not new:
            return
        tracked.announced = OrderState.OPEN
        if told:
            self.events.append(tracked.submitted())

    def refused(self, tracked: Tracked, reason: str, at: datetime, *, told: bool = True) -> None:
        """It is not at the venue."""
        tracked.life = lives.refused(tracked.life, reason)
        tracked.look_at = None
        tracked.announced = OrderState.REJECTED
        if told:
            self._tell(tracked, at)

    def reported(
        self, tracked: Tracked, told: BaseQty, ending: OrderState | None, reason: str, at: datetime
    ) -> None:
        """The venue's word on an order that it took."""
        words = tracked.cancel_reason if ending is OrderState.CANCELLED and tracked.cancel_reason else reason
        tracked.life = lives.reported(tracked.life, told=told, ending=ending, reason=words)
        self._settle(tracked, at)

    def book(self, facts: Iterable[FillFact]) -> None:
        """Book fills, oldest first, each once. One of an order that is not known, of a stop whose entry's own fill is not
        booked yet, or of more than the order is known to be for, is parked: it is booked when the rest is known, and a sale
        never comes before its purchase."""
        waiting = {fact.fill_id: fact for fact in facts if fact.fill_id not in self.fills} | self.parked
        self.parked = {}
        for fact in sorted(waiting.values(), key=lambda each: (each.at, each.fill_id)):
            tracked = self._by_order.get(fact.order_id)
            if fact.order_id in self.foreign:
                continue
            if tracked is None or not self._covered(tracked, fact.qty) or fact.qty > tracked.life.qty - tracked.life.filled:
                self.parked[fact.fill_id] = fact
            else:
                self._fill(tracked, fact)

    def learn(self, found: Iterable[GatewayEvent]) -> None:
        """Take over what the engine knows already, without telling it again. Orders that others made are none of ours."""
        told = len(self.events)
        for event in found:
            match event:
                case SubmittedOrder():
                    if event.intent.purpose is not Purpose.EXTERNAL:
                        self._learn_order(event)
                case Fill():
                    self._learn_fill(event)
                case OrderUpdate():
                    self._learn_ending(event)
        del self.events[told:]

    def drop(self, order_ids: Iterable[str]) -> None:
        """These orders are somebody else's: nothing about them concerns this book."""
        gone = set(order_ids)
        self.foreign |= gone
        self.parked = {key: fact for key, fact in self.parked.items() if fact.order_id not in gone}

    def account(self, trade_ids: Iterable[str]) -> None:
        """These trades are settled, whatever of them was ours: none of them is told any more."""
        settled = set(trade_ids)
        self.fills |= settled
        self.parked = {key: fact for key, fact in self.parked.items() if key not in settled}

    def forget_before(self, moment: datetime) -> None:
        """Let go of what ended before `moment`; nothing is heard of it any more."""
        for tracked in [each for each in self if not each.life.working and each.sent_at < moment]:
            last = tracked.filled_at or tracked.sent_at
            if last < moment:
                del self._by_intent[tracked.intent.intent_id], self._by_client[tracked.intent.client_id]
                self._by_order.pop(tracked.life.order_id, None)
                self._children.pop(tracked.intent.intent_id, None)
                self.fills -= tracked.life.fills

    def drain(self) -> list[GatewayEvent]:
        drained, self.events = self.events, []
        return drained

    def oldest_open(self, otherwise: datetime) -> datetime:
        """When the oldest order was sent of which the venue's lists alone can tell: whether it is there, or what stops it
        spawned. Of any other the venue is asked by its id: a stop stands for weeks, and what ended since fills many pages."""
        asked = (each for each in self if each.life.working and (each.spawns_stops or not each.life.order_id))
        return min((each.sent_at for each in (*asked, *filter(self.expects_stops, self))), default=otherwise)

    def expects_stops(self, entry: Tracked) -> bool:
        """True while the venue was not read for the stops of an entry's fills."""
        if not entry.spawns_stops or entry.life.filled <= entry.stops_looked:
            return False
        return self.spawned(entry) < entry.life.filled

    # -- inside ---------------------------------------------------------------------------------------------------

    def _learn_order(self, order: SubmittedOrder) -> None:
        tracked = self._by_intent.get(order.intent.intent_id)
        if tracked is None:
            life = Life(qty=order.intent.qty)
            tracked = self.add(
                Tracked(approved=order.approved, sent_at=order.submitted_at, life=life, trigger=order.intent.trigger)
            )
        self.foreign.discard(order.order_id)
        self.took(tracked, order.order_id, told=False)

    def _learn_fill(self, fill: Fill) -> None:
        tracked = self._by_order.get(fill.order_id)
        if tracked is None or fill.fill_id in self.fills:
            return
        self.fills.add(fill.fill_id)
        self.parked.pop(fill.fill_id, None)
        tracked.life = lives.executed(tracked.life, fill.fill_id, fill.qty)
        tracked.filled_at = fill.filled_at
        self._settle(tracked, fill.filled_at)

    def _learn_ending(self, update: OrderUpdate) -> None:
        tracked = self._by_intent.get(update.intent_id)
        if tracked is None:
            return
        if tracked.life.order_id and update.state in lives.ENDINGS:
            self.reported(tracked, NO_QTY, update.state, update.reason, update.at)
        elif not tracked.life.order_id and update.state is OrderState.REJECTED:
            self.refused(tracked, update.reason, update.at, told=False)

    def _covered(self, tracked: Tracked, qty: BaseQty) -> bool:
        parent = self.parent(tracked)
        if parent is None or tracked.life.qty > tracked.intent.qty:
            # Somebody made the stop larger than its purchase: nothing to wait for would cover it.
            return True
        sold = sum((child.life.filled for child in self.children(parent)), start=qty)
        return sold <= parent.life.filled

    def _fill(self, tracked: Tracked, fact: FillFact) -> None:
        tracked.life = lives.executed(tracked.life, fact.fill_id, fact.qty)
        self.fills.add(fact.fill_id)
        tracked.filled_at = max(tracked.filled_at or fact.at, fact.at)
        intent = tracked.intent
        self.events.append(
            Fill(
                fill_id=fact.fill_id, order_id=fact.order_id, intent=intent, symbol=intent.symbol, side=intent.side,
                qty=fact.qty, price=fact.price, fee=fact.fee, liquidity=fact.liquidity, filled_at=fact.at,
                paid=fact.paid, fee_base=fact.fee_base,
            )
        )
        self._settle(tracked, fact.at)

    def _settle(self, tracked: Tracked, at: datetime) -> None:
        state = tracked.life.state
        if state is not tracked.announced and not state.working:
            tracked.announced = state
            self._tell(tracked, at)

    def _tell(self, tracked: Tracked, at: datetime) -> None:
        life = tracked.life
        reason = life.reason or ("filled" if life.state is OrderState.FILLED else life.state.value)
        self.events.append(
            OrderUpdate(
                order_id=life.order_id, intent_id=tracked.intent.intent_id, state=life.state, reason=reason, at=at
            )
        )


def restored_life(
    *, qty: BaseQty, order_id: str | None, state: OrderState, filled: BaseQty, fills: Iterable[str], reason: str
) -> Life:
    """The life of an order as the books know it. One that was only intended may have left before the process died."""
    ended = None if state.working or state is OrderState.REJECTED else state
    return Life(
        qty=qty, order_id=order_id or "", doubted=not order_id, refused=state is OrderState.REJECTED and not order_id,
        ending=ended, told=filled, filled=filled, fills=frozenset(fills), reason=reason,
    )
