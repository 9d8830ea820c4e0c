"""An order's life: whatever comes twice, late or in another order, the facts decide; what contradicts them is refused."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from shell.errors import Fatal
from shell.execution.life import ENDINGS, Life, doubted, executed, refused, reported, taken
from shell.money import NO_QTY, BaseQty
from shell.orders import OrderState

QTY = BaseQty(10)


def test_a_cancelled_order_has_not_ended_before_its_fills_are_booked() -> None:
    life = reported(taken(Life(qty=QTY), "O1"), told=BaseQty(4), ending=OrderState.CANCELLED, reason="by hand")
    assert (life.state, life.working, life.missing, life.remaining) == (OrderState.OPEN, True, BaseQty(4), BaseQty(4))
    life = executed(life, "T1", BaseQty(4))
    assert (life.state, life.working, life.reason) == (OrderState.CANCELLED, False, "by hand")
    assert executed(life, "T1", BaseQty(4)) is life


def test_fills_told_late_complete_a_cancelled_order() -> None:
    life = reported(taken(Life(qty=QTY), "O1"), ending=OrderState.CANCELLED)
    assert executed(life, "T1", QTY).state is OrderState.FILLED


def test_an_order_given_up_comes_back_when_the_venue_shows_it() -> None:
    life = refused(doubted(Life(qty=QTY), "no answer"), "not placed")
    assert life.state is OrderState.REJECTED
    assert taken(life, "O1").state is OrderState.OPEN


@pytest.mark.parametrize(
    "wrong",
    [
        lambda life: taken(life, "O2"), lambda life: taken(life, ""), lambda life: refused(life, "no"),
        lambda life: executed(life, "T1", BaseQty(11)), lambda life: executed(life, "T1", NO_QTY),
        lambda life: reported(life, told=BaseQty(11)), lambda life: reported(life, ending=OrderState.OPEN),
        lambda _: executed(Life(qty=QTY), "T1", QTY), lambda _: reported(Life(qty=QTY), told=QTY),
    ],
)  # fmt: skip
def test_what_contradicts_the_facts_is_fatal(wrong: object) -> None:
    with pytest.raises(Fatal):
        wrong(taken(Life(qty=QTY), "O1"))  # type: ignore[operator]


@settings(max_examples=60, deadline=None)
@given(
    parts=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    rest=st.integers(0, 3),
    ending=st.sampled_from(ENDINGS),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_order_of_the_same_reports_leads_to_the_same_life(
    parts: list[int], rest: int, ending: OrderState, seed: int
) -> None:
    filled = sum(parts)
    if ending is OrderState.FILLED:
        rest = 0
    elif not rest:
        rest = 1
    steps = [("fill", f"T{number}", part) for number, part in enumerate(parts)] * 2
    steps += [("told", "", sum(parts[:number])) for number in range(len(parts))] + [("end", "", filled)]
    chance = random.Random(seed)
    chance.shuffle(steps)
    life = taken(Life(qty=BaseQty(filled + rest)), "O1")
    ended = False
    for kind, name, qty in steps:
        if kind == "fill":
            life = executed(life, name, BaseQty(qty))
        else:
            life = reported(life, told=BaseQty(qty), ending=ending if kind == "end" else None)
        # What has ended stays ended, but for a fill that completes it.
        assert not (ended and life.working), seed
        ended = not life.working
    assert (life.state, life.filled, life.missing) == (ending, BaseQty(filled), NO_QTY), seed


class Lives(RuleBasedStateMachine):
    """A venue with one order, and a life that hears of it over a channel that doubles, delays and loses."""

    def __init__(self) -> None:
        super().__init__()
        self.life = Life(qty=QTY)
        self.sent = self.there = False
        self.fills: list[tuple[str, int]] = []
        self.ending: OrderState | None = None

    @property
    def filled(self) -> int:
        return sum(qty for _, qty in self.fills)

    @precondition(lambda self: not self.sent)
    @rule(arrives=st.booleans(), answered=st.booleans())
    def send(self, arrives: bool, answered: bool) -> None:
        self.sent, self.there = True, arrives
        if not answered:
            self.life = doubted(self.life, "no answer")
        elif arrives:
            self.life = taken(self.life, "O1")
        else:
            self.life = refused(self.life, "no")

    @precondition(lambda self: self.there and self.ending is None)
    @rule(qty=st.integers(1, 4))
    def fill(self, qty: int) -> None:
        qty = min(qty, 10 - self.filled)
        self.fills.append((f"T{len(self.fills)}", qty))
        if self.filled == 10:
            self.ending = OrderState.FILLED

    @precondition(lambda self: self.there and self.ending is None)
    @rule(ending=st.sampled_from([OrderState.CANCELLED, OrderState.EXPIRED]))
    def end(self, ending: OrderState) -> None:
        self.ending = ending

    @precondition(lambda self: self.sent)
    @rule()
    def look(self) -> None:
        if self.there:
            self.life = taken(self.life, "O1")
        elif not self.life.order_id and self.life.state is OrderState.UNKNOWN:
            self.life = refused(self.life, "not placed")

    @precondition(lambda self: self.fills and self.life.order_id)
    @rule(data=st.data())
    def hear_a_fill(self, data: st.DataObject) -> None:
        fill_id, qty = data.draw(st.sampled_from(self.fills))
        self.life = executed(self.life, fill_id, BaseQty(qty))

    @precondition(lambda self: self.there and self.life.order_id)
    @rule(stale=st.integers(0, 3))
    def hear_a_state(self, stale: int) -> None:
        """The truth, or an older one: before the last fills, and before the end."""
        told = sum(qty for _, qty in self.fills[: len(self.fills) - stale])
        self.life = reported(self.life, told=BaseQty(told), ending=None if stale else self.ending)

    @invariant()
    def never_more_than_the_truth(self) -> None:
        life = self.life
        assert life.filled.value <= self.filled and life.told.value <= self.filled
        if life.state in (OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED):
            assert life.state is self.ending or life.state is OrderState.FILLED
        if life.state is OrderState.REJECTED:
            assert not self.there or not life.order_id

    @invariant()
    def all_of_it_counts_while_it_may_fill(self) -> None:
        """I4: what can still fill at the venue is never more than what the life says may."""
        if self.there and self.ending is None and self.life.state is not OrderState.REJECTED:
            assert self.life.working or self.life.filled.value == 10
            assert self.life.remaining.value >= 10 - self.filled


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
