"""The live gateway: takes approved orders to Kraken and reports what became of them (D9, D10).

Used by the trading thread alone. An order is sent once, by a name derived from its intent; whatever is no clear answer
leaves it doubtful, reserved and never sent again, until a look at the venue finds it or, after its deadline, twice does
not. Time comes from the clock that is given; nothing here sleeps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from shell.clock import Clock
from shell.errors import BrainError, Fatal, NotNow, OutcomeUnknown, Rejected, Transient
from shell.exchange.gateway import FeeSchedule, GatewayEvent, Guard, VenueStop
from shell.exchange.kraken.errors import KrakenRefused, Refusal
from shell.exchange.kraken.events import FeedDown, FeedUp, FillSeen, OrderSeen, ReconcileNeeded
from shell.exchange.kraken.private_types import Amendment
from shell.exchange.live.facts import fact_of_socket, socket_ending_of
from shell.exchange.live.form import new_order
from shell.exchange.live.lookup import OVERLAP, Lookup
from shell.exchange.live.tracked import Tracked, TrackedOrders, restored_life
from shell.exchange.live.venue import KrakenVenue
from shell.exchange.live.venue_time import LEAP, VenueTime
from shell.execution import life as lives
from shell.execution.known import KnownOrder
from shell.execution.life import Life
from shell.log import get_logger
from shell.market.pair import Pair
from shell.money import NO_QTY, BaseQty, Price
from shell.orders import ApprovedOrder, OrderState, Purpose, SubmittedOrder

# The engine refuses an order that arrives later; Kraken takes 2 to 60 s.
DEADLINE = timedelta(seconds=5)
# What is not there this long after its deadline is not on its way any more.
MARGIN = timedelta(seconds=10)
CANCEL_AGAIN = timedelta(seconds=3)
SWEEP_EVERY = timedelta(seconds=60)
SWEEP_EVERY_DEAF = timedelta(seconds=15)
SWEEP_GAP = timedelta(seconds=3)
# A venue that cannot be read is asked more and more seldom, because asking holds up everything else.
SWEEP_GAP_MOST = timedelta(seconds=15)
FAILURES_COUNTED = 5
KEPT = timedelta(days=7)
# No coin has a smaller part at Kraken.
FINEST = Decimal("1e-10")


class HasKnownOrders(Protocol):
    """What a gateway asks of a stored book."""

    @property
    def known_orders(self) -> Sequence[KnownOrder]: ...


class LiveGateway:
    """Implements `shell.exchange.gateway.Gateway` over one Kraken account. `pairs` and `fees` by symbol."""

    def __init__(
        self,
        venue: KrakenVenue,
        *,
        pairs: Mapping[str, Pair],
        fees: Mapping[str, FeeSchedule],
        clock: Clock,
        limit_entry_expiry: timedelta,
        listening: bool = True,
        leap: timedelta = LEAP,
    ) -> None:
        """`listening` False: there is no private socket, so the venue is asked often instead. `leap`: see `VenueTime`."""
        self.fees = fees
        self._venue = venue
        self._pairs = pairs
        self._clock = clock
        self._time = VenueTime(venue, clock, leap=leap)
        self._expiry = limit_entry_expiry
        self._orders = TrackedOrders()
        self._lookup = Lookup(venue, self._orders, self._lot)
        self._deaf = True
        self._listening = listening
        self._sweep_wanted = True
        self._swept_at: datetime | None = None
        # By the venue's clock.
        self._swept_well_at: datetime | None = None
        self._failures = 0
        self._strays: dict[str, datetime] = {}
        self._ready = False
        self.trouble = ""

    # -- the protocol ---------------------------------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """True once the venue was read, and every order an earlier process left doubtful was found or is proven absent."""
        if not self._ready and self._swept_well_at is not None:
            self._ready = not any(tracked.doubtful for tracked in self._orders)
        return self._ready

    def restore(self, orders: Iterable[KnownOrder]) -> None:
        """Take up what the books know, before anything else. Intended and unknown orders are looked for, never sent."""
        for known in orders:
            life = restored_life(
                qty=known.approved.intent.qty, order_id=known.order_id, state=known.state, filled=known.filled,
                fills=known.fills, reason=known.reason,
            )
            tracked = self._orders.add(
                Tracked(
                    approved=known.approved, sent_at=known.sent_at, life=life, trigger=known.approved.intent.trigger,
                    announced=known.state,
                )
            )
            self._orders.fills |= known.fills
            if tracked.doubtful:
                tracked.look_at = known.sent_at + DEADLINE + MARGIN

    def submit(self, order: ApprovedOrder, now: datetime) -> SubmittedOrder:
        """Send an order that is written ahead, once. Raises Rejected and OutcomeUnknown (see `Gateway`)."""
        sent_at, there = self._clock.now(), self._time.now()
        pair = self._pair(order.intent.symbol)
        form = new_order(
            order, pair, self.fees[order.intent.symbol], deadline=there + DEADLINE, expires_at=there + self._expiry
        )
        tracked = self._orders.add(
            Tracked(approved=order, sent_at=sent_at, life=Life(qty=order.intent.qty), trigger=order.intent.trigger)
        )
        try:
            order_id = self._venue.add(form)
        except OutcomeUnknown as error:
            raise self._doubt(tracked, str(error), sent_at) from None
        except KrakenRefused as error:
            if any("cl_ord_id" in code for code in error.codes):
                # The venue has an order of this name: an earlier life of these books sent it.
                raise self._doubt(tracked, str(error), sent_at) from None
            self._heed_time(error)
            self._refuse(tracked, error, sent_at)
            raise
        except (Rejected, Fatal) as error:
            self._refuse(tracked, error, sent_at)
            raise Rejected(str(error)) from None
        self._orders.took(tracked, order_id, told=False)
        return tracked.submitted()

    def cancel(self, order_id: str, reason: str, now: datetime) -> None:
        """Ask the venue, and go on asking at every step until it shows the order gone. Unknown ids are closed already."""
        tracked = self._orders.of_handle(order_id)
        if tracked is None or not tracked.life.working:
            return
        tracked.cancel_reason = tracked.cancel_reason or reason
        at = self._clock.now()
        if tracked.cancel_at is None or at >= tracked.cancel_at:
            self._try_cancel(tracked, at)

    def open_orders(self) -> list[SubmittedOrder]:
        return [tracked.submitted() for tracked in self._orders.working()]

    def works_on(self, symbol: str) -> bool:
        """True when an order of `symbol` could fill."""
        return any(tracked.intent.symbol == symbol for tracked in self._orders.working())

    def working_symbols(self) -> set[str]:
        return {tracked.intent.symbol for tracked in self._orders.working()}

    def guards(self, symbol: str) -> Guard | None:
        """The venue's stops of `symbol`. Not settled while one is on its way in or out, while a fill's stop was not looked
        for yet, and before the venue was read at all."""
        mine = [tracked for tracked in self._orders if tracked.intent.symbol == symbol]
        stops = tuple(
            VenueStop(order_id=each.handle, qty=each.life.remaining, trigger=each.trigger)
            for each in mine if each.trigger is not None and each.life.working
        )
        unsure = any(
            each.life.working and (each.doubtful or each.life.missing or (each.trigger is not None and each.cancel_reason))
            for each in mine
        )
        expected = any(self._orders.expects_stops(entry) for entry in mine)
        return Guard(stops=stops, settled=self._swept_well_at is not None and not unsure and not expected)

    def move_stop(self, order_id: str, trigger: Price, now: datetime) -> None:
        """Amend a stop in place. When the venue will not, or does not say, it is read again."""
        tracked = self._orders.of_handle(order_id)
        if tracked is None or not tracked.life.order_id:
            return
        deadline = self._time.now() + DEADLINE
        change = Amendment(order_id=tracked.life.order_id, trigger_price=trigger.value, deadline=deadline)
        try:
            self._venue.amend(tracked.intent.symbol, change)
        except (Rejected, OutcomeUnknown) as error:
            self._heed_time(error)
            self._note("a stop was not moved", error, tracked)
            self._sweep_wanted = True
            return
        tracked.trigger = trigger

    def learn(self, found: Sequence[GatewayEvent]) -> None:
        """Orders, fills and endings that reconciliation read at the venue and the engine has booked."""
        self._orders.learn(found)
        self._sweep_wanted = True

    def expire(self, now: datetime) -> None:
        """Hear the socket, repeat what has to be repeated, and look up what is not known."""
        if self._time.look():
            self._forget_moments()
        at = self._clock.now()
        self._hear()
        self._cancel_strays(at)
        for tracked in self._orders.working():
            if tracked.cancel_reason and (tracked.cancel_at is None or at >= tracked.cancel_at):
                self._try_cancel(tracked, at)
        if self._sweep_due(at):
            self._sweep(at)
            self._orders.forget_before(at - KEPT)

    def on_price(self, symbol: str, price: Price, at: datetime) -> None:
        """Nothing: the venue has its own."""

    def events(self) -> list[GatewayEvent]:
        """Drain what happened since the last call, in order."""
        self._hear()
        return self._orders.drain()

    # -- what others may ask --------------------------------------------------------------------------------------

    def doubtful(self) -> Sequence[SubmittedOrder]:
        """Orders of which nobody knows whether the venue has them."""
        return [tracked.submitted() for tracked in self._orders if tracked.doubtful]

    def resting_entries(self) -> Sequence[SubmittedOrder]:
        """Entries that may still fill: none is left when the kill switch has done its work."""
        return [each.submitted() for each in self._orders.working() if each.intent.purpose is Purpose.ENTRY]

    def accounted(self, trade_ids: Iterable[str]) -> None:
        """Trades of our orders that reconciliation has settled: booked, in part where the rest was somebody else's, or not."""
        self._orders.account(trade_ids)

    def adopt(self, order: SubmittedOrder) -> None:
        """An order that reconciliation found to be ours: watched from now on like any other."""
        self.learn([order])

    def take_out(self, order_id: str, now: datetime) -> None:
        """Take out an order that is open at the venue although no book answers for it; repeated at every step until the
        venue shows it gone."""
        self._strays.setdefault(order_id, now)

    @property
    def venue_ahead(self) -> timedelta:
        """How far the venue's clock is ahead of ours, 0 where they are not known to differ."""
        return self._time.ahead

    def ask_again(self) -> None:
        """Read the venue at the next step, whatever is known."""
        self._sweep_wanted = True

    # -- inside ---------------------------------------------------------------------------------------------------

    def _pair(self, symbol: str) -> Pair:
        found = self._pairs.get(symbol)
        if found is None:
            raise Rejected(f"{symbol} is not among the pairs of this account")
        return found

    def _lot(self, symbol: str) -> Decimal:
        """A late fill may be of a pair that has left the settings: it is booked like any other."""
        found = self._pairs.get(symbol)
        return FINEST if found is None else found.lot

    def _heed_time(self, error: BrainError) -> None:
        """A refusal for a deadline says that the clocks differ. What it refused did not happen; the next one knows better."""
        if isinstance(error, KrakenRefused) and (
            error.refusal is Refusal.DEADLINE or any("deadline" in code.lower() for code in error.codes)
        ):
            self._time.doubt()

    def _forget_moments(self) -> None:
        """Our clock went back: what was to be done at a moment that is far ahead now is due, what waits waits afresh."""
        at = self._clock.now()
        self._swept_at, self._sweep_wanted = None, True
        self._strays = dict.fromkeys(self._strays, at)
        for tracked in self._orders:
            tracked.cancel_at = None
            tracked.stops_due = NO_QTY, None
            if tracked.look_at is not None:
                tracked.look_at = at + DEADLINE + MARGIN

    def _doubt(self, tracked: Tracked, reason: str, sent_at: datetime) -> OutcomeUnknown:
        tracked.life = lives.doubted(tracked.life, reason)
        tracked.announced = OrderState.UNKNOWN
        # Counted from when the wait for the answer ended: the request may have been as long on its way.
        tracked.look_at = self._clock.now() + DEADLINE + MARGIN
        self._sweep_wanted = True
        return OutcomeUnknown(reason)

    def _refuse(self, tracked: Tracked, error: BrainError, at: datetime) -> None:
        if isinstance(error, Fatal):
            self.trouble = str(error)
        self._orders.refused(tracked, str(error), at, told=False)

    def _hear(self) -> None:
        """What the private socket told: fills are booked, states noted; a hole asks for a look at the venue."""
        for event in self._venue.drain():
            match event:
                case FillSeen():
                    self._hear_fill(event)
                case OrderSeen():
                    self._hear_order(event)
                case FeedUp():
                    self._deaf = False
                case FeedDown():
                    self._deaf = True
                    self._sweep_wanted = True
                case ReconcileNeeded():
                    self._sweep_wanted = True
                case _:
                    pass

    def _hear_fill(self, fill: FillSeen) -> None:
        tracked = self._orders.find(fill.order_id, fill.cl_ord_id)
        if tracked is not None:
            self._orders.took(tracked, fill.order_id)
        self._orders.book([fact_of_socket(fill)])
        self._sweep_wanted = self._sweep_wanted or bool(self._orders.parked) or (
            tracked is not None and tracked.spawns_stops
        )

    def _hear_order(self, order: OrderSeen) -> None:
        tracked = self._orders.find(order.order_id, order.cl_ord_id)
        if tracked is None and order.order_id in self._orders.foreign:
            return
        if tracked is None:
            # A stop that a fill spawned, or somebody else's: only the venue's list tells.
            self._sweep_wanted = True
            return
        self._orders.took(tracked, order.order_id)
        if BaseQty(order.filled) > tracked.life.qty:
            # Somebody made it larger at the venue: only its own list tells by how much.
            self._sweep_wanted = True
            return
        if order.trigger_price is not None and tracked.trigger is not None:
            tracked.trigger = Price(order.trigger_price)
        self._orders.reported(
            tracked, BaseQty(order.filled), socket_ending_of(order), order.reason, order.at or self._clock.now()
        )
        if tracked.life.missing:
            self._sweep_wanted = True

    def _cancel_strays(self, at: datetime) -> None:
        for order_id in [each for each, due in self._strays.items() if at >= due]:
            self._strays[order_id] = at + CANCEL_AGAIN
            try:
                self._venue.cancel(order_id=order_id, client_id="", symbol="")
                told = self._venue.orders([order_id])
            except KrakenRefused as error:
                if error.refusal is Refusal.UNKNOWN_ORDER:
                    # It is not open any more, and whatever it filled is reconciliation's to find.
                    del self._strays[order_id]
            except (Rejected, OutcomeUnknown, Transient, Fatal) as error:
                get_logger().warning("a stray order has to be cancelled again", order=order_id, reason=str(error), at=at)
            else:
                if all(order.status.final for order in told.values()):
                    del self._strays[order_id]

    def _try_cancel(self, tracked: Tracked, at: datetime) -> None:
        tracked.cancel_at = at + CANCEL_AGAIN
        intent = tracked.intent
        try:
            self._venue.cancel(order_id=tracked.life.order_id, client_id=intent.client_id, symbol=intent.symbol)
        except KrakenRefused as error:
            if error.refusal is not Refusal.UNKNOWN_ORDER:
                self._note("a cancel was refused", error, tracked)
        except (Rejected, OutcomeUnknown, Fatal) as error:
            self._note("a cancel has to be repeated", error, tracked)
            return
        # Whatever was said, only the order itself tells how it ended: it may have filled on the way.
        try:
            self._lookup.refresh(tracked, at)
        except (Transient, NotNow) as error:
            self._note("a cancelled order could not be read", error, tracked)
            self._sweep_wanted = True

    def _sweep_due(self, at: datetime) -> bool:
        gap = min(SWEEP_GAP * 2.0**self._failures, SWEEP_GAP_MOST)
        if self._swept_at is not None and at - self._swept_at < gap:
            return False
        looking = any(tracked.doubtful and tracked.look_at and at >= tracked.look_at for tracked in self._orders)
        if self._sweep_wanted or looking or self._swept_at is None:
            return True
        if not self._orders.working():
            return False
        return at - self._swept_at >= (SWEEP_EVERY_DEAF if self._deaf or not self._listening else SWEEP_EVERY)

    def _sweep(self, at: datetime) -> None:
        self._swept_at = at
        # The venue tells what happened since a moment of its own clock: ours may be hours ahead.
        there, doubted = self._time.now(), self._time.doubted
        since = min(self._orders.oldest_open(there), self._swept_well_at or there) - OVERLAP
        try:
            self._lookup.sweep(since, at, there)
        except (Transient, Rejected) as error:
            self._sweep_wanted = True
            self._failures = min(self._failures + 1, FAILURES_COUNTED)
            get_logger().warning("the venue could not be read", reason=str(error), at=at)
            return
        self._failures = 0
        if self._swept_well_at is None or not doubted:
            self._swept_well_at = there
        self._sweep_wanted = bool(self._orders.parked) or any(
            each.life.missing or self._orders.expects_stops(each) for each in self._orders
        )

    def _note(self, what: str, error: BrainError, tracked: Tracked) -> None:
        get_logger().warning(what, intent=tracked.intent.intent_id, reason=str(error), at=self._clock.now())


def live_gateway(
    venue: KrakenVenue,
    state: HasKnownOrders | None,
    *,
    pairs: Mapping[str, Pair],
    fees: Mapping[str, FeeSchedule],
    clock: Clock,
    limit_entry_expiry: timedelta,
    leap: timedelta = LEAP,
) -> LiveGateway:
    """The gateway of one book with what the books know of its orders (`state` is a BookState, None for a new book)."""
    gateway = LiveGateway(venue, pairs=pairs, fees=fees, clock=clock, limit_entry_expiry=limit_entry_expiry, leap=leap)
    if state is not None:
        gateway.restore(state.known_orders)
    return gateway
