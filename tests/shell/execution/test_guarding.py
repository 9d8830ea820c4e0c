"""What the venue's stops should be: all that is held and not being sold, and never a lot more."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from shell.contract import Intent
from shell.exchange.gateway import Guard, VenueStop
from shell.execution.guarding import GuardPlan, covers, plan_of
from shell.market.pair import Pair
from shell.money import NO_MONEY, NO_QTY, BaseQty, Price, QuoteAmount
from shell.portfolio.ledger import Position

PAIR = Pair(symbol="BTC/USD", tick=Decimal("0.1"), lot=Decimal("0.01"), min_qty=BaseQty("0.05"), min_cost=QuoteAmount(1))
STOP = Price(100)


def position(qty: str, stop: Price | None = STOP) -> Position:
    return Position(
        symbol="BTC/USD", qty=BaseQty(qty), entered_qty=BaseQty(qty), cost=QuoteAmount(1), proceeds=NO_MONEY, fees=NO_MONEY,
        stop_loss=stop, take_profit=None, horizon=Intent.SWING, opened_at=datetime(2026, 1, 1, tzinfo=UTC), version="v001",
    )


def guard(*stops: tuple[str, int]) -> Guard:
    return Guard(
        stops=tuple(
            VenueStop(order_id=f"O{number}", qty=BaseQty(qty), trigger=Price(price)) for number, (qty, price) in enumerate(stops)
        )
    )


def test_a_position_without_a_stop_at_the_venue_gets_one_and_dust_gets_none() -> None:
    assert plan_of(position("1.005"), NO_QTY, guard(), PAIR).place == BaseQty("1.00")
    assert plan_of(position("0.04"), NO_QTY, guard(), PAIR) == GuardPlan(stop=STOP)


def test_too_little_for_a_stop_of_its_own_is_taken_together_with_the_rest() -> None:
    assert plan_of(position("1.02"), NO_QTY, guard(("1", 100)), PAIR).cancel == ("O0",)
    assert plan_of(position("1.10"), NO_QTY, guard(("1", 100)), PAIR).place == BaseQty("0.10")


def test_a_stop_at_another_price_is_moved_and_one_without_a_position_taken_out() -> None:
    assert plan_of(position("1"), NO_QTY, guard(("1", 90)), PAIR).move == ("O0",)
    assert plan_of(None, NO_QTY, guard(("1", 90)), PAIR).cancel == ("O0",)
    assert plan_of(position("1", None), NO_QTY, guard(("1", 90)), PAIR).cancel == ("O0",)


def test_only_stops_at_the_stop_or_above_cover() -> None:
    assert covers(guard(("0.5", 100), ("0.5", 110)), position("1"), PAIR)
    assert not covers(guard(("0.5", 100), ("0.5", 90)), position("1"), PAIR)
    assert not covers(guard(), position("0.001"), PAIR)


@settings(max_examples=150, deadline=None)
@given(
    held=st.integers(1, 300), selling=st.integers(0, 300), stops=st.lists(st.tuples(st.integers(1, 150), st.integers(90, 110)), max_size=4)
)
def test_no_plan_ever_sells_more_than_is_held_and_free(held: int, selling: int, stops: list[tuple[int, int]]) -> None:
    lots = Decimal("0.01")
    there = guard(*((str(qty * lots), price) for qty, price in stops))
    plan = plan_of(position(str(held * lots)), BaseQty(selling * lots), there, PAIR)
    left = [stop for stop in there.stops if stop.order_id not in plan.cancel]
    total = sum((stop.qty for stop in left), start=plan.place)
    assert total.value <= max(held - selling, 0) * lots
    # What is taken out makes room: the next plan, over what is left, is content or places what is missing.
    after = plan_of(position(str(held * lots)), BaseQty(selling * lots), Guard(stops=tuple(left)), PAIR)
    assert not after.cancel or not plan.cancel
