"""What the venue's stops should be, pure: one position, what is being sold of it, and the stops that are there."""

from __future__ import annotations

from dataclasses import dataclass

from shell.exchange.gateway import Guard
from shell.market.pair import Pair
from shell.money import NO_QTY, BaseQty, Price
from shell.portfolio.ledger import Position


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardPlan:
    """Stops to take out, stops to move to `stop`, and a quantity to place a new one for. All empty: it is as it should be."""

    cancel: tuple[str, ...] = ()
    move: tuple[str, ...] = ()
    place: BaseQty = NO_QTY
    stop: Price | None = None


def plan_of(position: Position | None, selling: BaseQty, guard: Guard, pair: Pair) -> GuardPlan:
    """How to get from `guard` to one stop over all that is held and not being sold.

    Never more than that, at any moment: too much is taken out before anything is placed, because what the account holds
    besides is somebody else's (D12). What is below the venue's minimum cannot be guarded and is left alone.
    """
    stop = position.stop_loss if position is not None else None
    wanted = pair.round_qty((position.qty - selling).value) if position is not None and stop is not None else NO_QTY
    there = tuple(each.order_id for each in guard.stops)
    if stop is None or wanted <= NO_QTY:
        return GuardPlan(cancel=there)
    if guard.qty > wanted:
        return GuardPlan(cancel=there)
    move = tuple(each.order_id for each in guard.stops if each.trigger != stop)
    missing = wanted - guard.qty
    if not missing or not placeable(wanted, stop, pair):
        return GuardPlan(move=move, stop=stop)
    if placeable(missing, stop, pair):
        return GuardPlan(move=move, place=missing, stop=stop)
    # Too little for a stop of its own: one for all of it takes the place of those that are there.
    return GuardPlan(cancel=there)


def covers(guard: Guard, position: Position, pair: Pair) -> bool:
    """True when the venue's stops would sell all of the position that can be sold, at its stop or above."""
    stop = position.stop_loss
    if stop is None:
        return False
    standing = sum((each.qty for each in guard.stops if each.trigger >= stop), start=NO_QTY)
    return bool(standing) and standing >= pair.round_qty(position.qty.value)


def placeable(qty: BaseQty, price: Price, pair: Pair) -> bool:
    """True when the venue takes an order of this size at this price."""
    return qty >= pair.min_qty and qty.times(price) >= pair.min_cost
