"""An order's life, pure: facts that only accumulate, and the state that follows from them.

What a venue tells comes twice, late, in any order and over two doors. So no report changes a state: each adds a fact (the
venue took it, this fill exists, so much is filled, it has ended), and the state is worked out of the facts. A report that
is old adds nothing; one that contradicts what is known, such as a second order for one intent, is Fatal.

    INTENDED -> UNKNOWN -> OPEN -> FILLED | CANCELLED | EXPIRED       (UNKNOWN may be skipped)
    INTENDED -> REJECTED            the venue said no
    UNKNOWN  -> REJECTED            looked for and not there; should it appear after all, it is OPEN
    CANCELLED | EXPIRED -> FILLED   a fill that was told late completes it

An order that ended is only said to have ended once every fill the venue told of is booked: until then its reservation stays.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from shell.errors import Fatal
from shell.money import NO_QTY, BaseQty
from shell.orders import OrderState

ENDINGS = (OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What is known of one order. `filled` is the sum of the fills booked, `told` the most the venue said is filled.

    `doubted`: it was sent and the answer never came. `refused`: it is not at the venue, by its own word or because it was
    looked for. `ending` is how the venue said it ended. `state` and `working` follow from the facts and are worked out once:
    every order of the last days is asked for them in every round.
    """

    qty: BaseQty
    order_id: str = ""
    doubted: bool = False
    refused: bool = False
    ending: OrderState | None = None
    told: BaseQty = NO_QTY
    filled: BaseQty = NO_QTY
    fills: frozenset[str] = frozenset()
    reason: str = ""
    state: OrderState = field(init=False, compare=False)
    """Where the order stands."""
    working: bool = field(init=False, compare=False)
    """True while it may still fill, or a fill of it is not booked yet."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "state", self._state())
        object.__setattr__(self, "working", self.state.working or bool(self.missing))

    def _state(self) -> OrderState:
        if not self.order_id:
            if self.refused:
                return OrderState.REJECTED
            return OrderState.UNKNOWN if self.doubted else OrderState.INTENDED
        if self.filled >= self.qty:
            return OrderState.FILLED
        if self.ending is not None and not self.missing:
            return self.ending
        return OrderState.OPEN

    @property
    def missing(self) -> BaseQty:
        """What the venue filled and nobody has told us the fills of."""
        return self.told - self.filled if self.told > self.filled else NO_QTY

    @property
    def remaining(self) -> BaseQty:
        """What may still fill: nothing once the venue said that it ended."""
        if self.ending is not None:
            return self.missing
        return self.qty - self.filled if self.qty > self.filled else NO_QTY


def doubted(life: Life, reason: str) -> Life:
    """It was sent, and nobody knows what became of it. One that the venue was heard to hold is not doubtful."""
    return life if life.order_id or life.refused else replace(life, doubted=True, reason=reason)


def taken(life: Life, order_id: str) -> Life:
    """The venue holds it, or held it, as `order_id`. Raises Fatal for a second order of the same intent (I1)."""
    if not order_id:
        raise Fatal("an order without an id was told")
    if life.order_id and life.order_id != order_id:
        raise Fatal(f"one intent became two orders: {life.order_id} and {order_id}")
    return replace(life, order_id=order_id, refused=False)


def refused(life: Life, reason: str) -> Life:
    """The venue does not hold it and will not. Raises Fatal for an order that it was seen to hold."""
    if life.order_id:
        raise Fatal(f"order {life.order_id} is held to be refused: {reason}")
    return replace(life, refused=True, reason=reason)


def executed(life: Life, fill_id: str, qty: BaseQty) -> Life:
    """One fill; the same again changes nothing (I2). Raises Fatal for one of an order that nobody took, for a quantity that
    is none, and for more than was ordered."""
    if fill_id in life.fills:
        return life
    if not life.order_id:
        raise Fatal(f"fill {fill_id} belongs to an order that no venue took")
    filled = life.filled + qty
    if qty <= NO_QTY or filled > life.qty:
        raise Fatal(f"fill {fill_id} of {qty} makes {filled} of the {life.qty} that order {life.order_id} is for")
    return replace(life, filled=filled, fills=life.fills | {fill_id})


def resized(life: Life, qty: BaseQty) -> Life:
    """The order is for another quantity now: its owner changed it at the venue. It is never for less than has filled."""
    return life if qty == life.qty else replace(life, qty=max(qty, life.filled))


def settled(life: Life) -> Life:
    """Every fill that the venue names is booked, one of them in part: what is missing of it was somebody else's."""
    return replace(life, told=life.filled)


def reported(life: Life, *, told: BaseQty = NO_QTY, ending: OrderState | None = None, reason: str = "") -> Life:
    """The venue's word on how much is filled in all, and how it ended. An older word than the last changes nothing.

    Raises Fatal for an order that nobody took, for an ending that is none, and for more than was ordered.
    """
    if not life.order_id:
        raise Fatal("a report belongs to an order that no venue took")
    if ending is not None and ending not in ENDINGS:
        raise Fatal(f"an order does not end as {ending.value}")
    if told > life.qty:
        raise Fatal(f"order {life.order_id} is for {life.qty}, and {told} of it are said to be filled")
    first = life.ending is None and ending is not None
    return replace(
        life, told=max(life.told, told), ending=ending if life.ending is None else life.ending,
        reason=reason if first and reason else life.reason,
    )
