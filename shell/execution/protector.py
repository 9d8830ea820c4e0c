"""The position monitor: leaves at stop and target, and keeps the venue's stops as the ledger wants them (I5, D10).

Where the venue keeps a stop it is the first line, and this is the second: it sells itself only when the venue does not. A
target is ours alone, because a venue without "one cancels the other" cannot hold both: the stop is taken out, seen to be
out, and only then is what is left sold. Two ways out at once would sell what is not held.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta

from shell.contract import OrderType
from shell.exchange.gateway import Gateway, VenueStop
from shell.execution.guarding import covers, placeable, plan_of
from shell.execution.monitor import reached
from shell.execution.record import StepRecord
from shell.market.pair import Pair
from shell.money import BaseQty, Price
from shell.orders import ApprovedOrder, Fill, OrderIntent, Purpose
from shell.portfolio.ledger import Ledger, Position
from shell.risk.approval import OrderIds, protective_exit, protective_stop
from shell.risk.refusal import RefusalCode, Refused
from shell.risk.view import selling

# How long the venue has to fire a stop whose price was seen, before it is sold by us.
VENUE_PATIENCE = timedelta(seconds=10)
# After a refusal the same is not tried again at once: it would be refused at every price. A stop whose change the venue did
# not take is moved again sooner; asked for in every round, it would use up the orders that the way out needs.
REFUSED_PAUSE = timedelta(seconds=60)
UNMOVED_PAUSE = timedelta(seconds=10)


class Protector:
    """Watches the positions of one engine, which lends it its doors: `ledger` tells the state, `submit` sends an order that
    is written ahead and returns a refusal's sentence, `book` books what the gateway has to tell, `ready` raises while the
    database takes nothing."""

    def __init__(
        self,
        gateway: Gateway,
        pairs: Mapping[str, Pair],
        *,
        ledger: Callable[[], Ledger],
        submit: Callable[[ApprovedOrder, datetime, StepRecord], str],
        book: Callable[[StepRecord], list[Fill]],
        ids: Callable[[str], OrderIds],
        ready: Callable[[], None],
    ) -> None:
        self._gateway = gateway
        self._pairs = pairs
        self._ledger = ledger
        self._submit = submit
        self._book = book
        self._ids = ids
        self._ready = ready
        # True while the ledger lacks what could not be booked or stored: until it follows the venue nothing is sold, which may
        # be sold already.
        self.unsure = False
        # False where no venue keeps stops: then there is nothing to arrange.
        self._kept = gateway.guards("") is not None
        self._reached: dict[str, datetime] = {}
        # Each by itself: where the way out was refused, the stop that made way for it is placed again at once.
        self._exits_paused: dict[str, datetime] = {}
        self._stops_paused: dict[str, datetime] = {}
        self._moves_paused: dict[str, datetime] = {}

    def watch(self, symbol: str, price: Price, at: datetime, record: StepRecord) -> None:
        """Leave at once when the stop or target is reached (I5)."""
        position = self._ledger().positions.get(symbol)
        purpose = reached(position, price) if position is not None and at >= position.opened_at else None
        if position is None or purpose is None:
            self._reached.pop(symbol, None)
            return
        if purpose is Purpose.STOP and self._venue_fires(position, at):
            return
        if self._leaving(symbol) or _pausing(self._exits_paused, symbol, at) or not self._sellable(position, price):
            return
        for working in self._gateway.open_orders():
            if working.intent.symbol == symbol and working.intent.trigger is None:
                self._gateway.cancel(working.order_id, f"the position's {purpose.value} was reached", at)
        if not self._release(symbol, f"the position's {purpose.value} was reached", at, record):
            return
        left = self._ledger().positions.get(symbol)
        if left is None or selling(self._gateway.open_orders(), symbol) or not self._sellable(left, price):
            return
        ids = self._ids(f"{at:%Y%m%dT%H%M%S%f}:{symbol}:{purpose.value}")
        if self._submit(protective_exit(left, purpose, now=at, ids=ids, qty=self._whole_lots(left)), at, record):
            self._exits_paused[symbol] = at
        self._gateway.on_price(symbol, price, at)
        self._book(record)

    def make_way(self, symbol: str, at: datetime, record: StepRecord) -> bool:
        """Take the venue's stops out before a way out that the strategy asked for; True once nothing may sell beside it."""
        return self._release(symbol, "the strategy sells", at, record)

    def outsold(self, intent: OrderIntent) -> Refused | None:
        """A refusal when a stop sold, while it was being taken out, what the exit `intent` is for."""
        symbol = intent.symbol
        if self._gateway.guards(symbol) is None:
            return None
        left = self._ledger().positions.get(symbol)
        if left is not None and intent.qty <= left.qty - selling(self._gateway.open_orders(), symbol):
            return None
        return Refused(code=RefusalCode.EXIT_PENDING, sentence=f"the stop of {symbol} sold while it was being taken out")

    def arrange(self, now: datetime, record: StepRecord, leaving: Collection[str] = ()) -> None:
        """Have the venue keep a stop over all that is held, at the price the ledger has, and nothing beyond. Of the symbols
        `leaving` an exit waits for the stop to be out: none is placed for them."""
        if not self._kept:
            return
        concerned = {*self._ledger().positions}
        concerned |= {order.intent.symbol for order in self._gateway.open_orders() if order.intent.trigger is not None}
        for symbol in sorted(concerned - set(leaving)):
            # Twice, because what is taken out makes room for what is wanted.
            if self._arrange_one(symbol, now, record):
                self._book(record)
                self._arrange_one(symbol, now, record)
                self._book(record)

    # -- inside ---------------------------------------------------------------------------------------------------

    def _arrange_one(self, symbol: str, now: datetime, record: StepRecord) -> bool:
        """One pass; True when something was asked of the venue."""
        guard, pair = self._gateway.guards(symbol), self._pairs.get(symbol)
        if guard is None or pair is None or not guard.settled or self.unsure:
            return False
        position = self._ledger().positions.get(symbol)
        plan = plan_of(position, selling(self._gateway.open_orders(), symbol), guard, pair)
        for order_id in plan.cancel:
            self._gateway.cancel(order_id, "the position's stop changes", now)
        move = () if _pausing(self._moves_paused, symbol, now, UNMOVED_PAUSE) else plan.move
        for order_id in move:
            assert plan.stop is not None
            self._gateway.move_stop(order_id, plan.stop, now)
        if move and any(each.order_id in move and each.trigger != plan.stop for each in self._stops(symbol)):
            self._moves_paused[symbol] = now
        if plan.place and position is not None and not _pausing(self._stops_paused, symbol, now):
            ids = self._ids(f"{now:%Y%m%dT%H%M%S%f}:{symbol}:guard")
            if self._submit(protective_stop(position, plan.place, now=now, ids=ids), now, record):
                self._stops_paused[symbol] = now
        return bool(plan.cancel or move or plan.place)

    def _stops(self, symbol: str) -> Sequence[VenueStop]:
        guard = self._gateway.guards(symbol)
        return () if guard is None else guard.stops

    def _venue_fires(self, position: Position, at: datetime) -> bool:
        """True while the venue's own stop may be expected to sell."""
        symbol = position.symbol
        guard, pair = self._gateway.guards(symbol), self._pairs.get(symbol)
        if guard is None or pair is None or not covers(guard, position, pair):
            return False
        # Whichever way a clock was set: nobody waits for longer than that.
        return abs(at - self._reached.setdefault(symbol, at)) < VENUE_PATIENCE

    def _release(self, symbol: str, reason: str, at: datetime, record: StepRecord) -> bool:
        """Take the venue's stops out; True once none is left. One that filled meanwhile is booked."""
        guard = self._gateway.guards(symbol)
        if guard is None:
            return True
        if self.unsure:
            return False
        if not guard.settled:
            self._gateway.expire(at)
            self._book(record)
            guard = self._gateway.guards(symbol) or guard
        if guard.stops:
            # No stop goes while nothing can be written: the order in its place could not be sent.
            self._ready()
        for stop in guard.stops:
            self._gateway.cancel(stop.order_id, reason, at)
        self._book(record)
        left = self._gateway.guards(symbol)
        return left is None or (left.settled and not left.stops)

    def _whole_lots(self, position: Position) -> BaseQty:
        """What of a position a venue takes an order for: a fee taken in coins, or somebody's hand, leaves odd parts."""
        pair = self._pairs.get(position.symbol)
        return pair.round_qty(position.qty.value) if self._kept and pair is not None else position.qty

    def _sellable(self, position: Position, price: Price) -> bool:
        """False where a venue would refuse the sale for its size: then its stop is not taken out for nothing."""
        pair = self._pairs.get(position.symbol)
        return not self._kept or pair is None or placeable(self._whole_lots(position), price, pair)

    def _leaving(self, symbol: str) -> bool:
        """True while a market order that sells is on its way: a second one would sell what is not held."""
        return any(
            working.intent.symbol == symbol and working.intent.purpose is not Purpose.ENTRY
            and working.intent.trigger is None and working.intent.order_type is OrderType.MARKET
            for working in self._gateway.open_orders()
        )


def _pausing(since: dict[str, datetime], symbol: str, at: datetime, pause: timedelta = REFUSED_PAUSE) -> bool:
    """True for `pause` after the moment that `since` has of a symbol, whichever way a clock was set."""
    begun = since.get(symbol)
    if begun is None:
        return False
    if abs(at - begun) >= pause:
        del since[symbol]
        return False
    return True
