"""Questions reach the desk one at a time, their errors reach their askers, and nothing happens late."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event, current_thread
from typing import Any, cast

import pytest

from shell.calls import Calls
from shell.desk import Desk
from shell.errors import NotNow, OutcomeUnknown
from shell.slots import FALLBACK, REQUESTED, Slots
from tests.shell.beside import answered

DESK = cast(Desk, object())


def test_a_question_is_answered_on_the_trading_thread() -> None:
    with answered(DESK) as calls:
        assert calls.ask(lambda desk: (desk is DESK, current_thread().name)) == (True, "trading")


def test_many_askers_never_meet_on_the_desk() -> None:
    inside: list[int] = []
    most: list[int] = []

    def question(_: Desk) -> None:
        inside.append(1)
        most.append(len(inside))
        inside.pop()

    with answered(DESK) as calls, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: calls.ask(question), range(200)))
    assert most == [1] * 200


def test_what_a_question_raises_is_its_askers_and_the_thread_goes_on() -> None:
    def wrong(_: Desk) -> None:
        raise ValueError("mine")

    with answered(DESK) as calls:
        with pytest.raises(ValueError, match="mine"):
            calls.ask(wrong)
        assert calls.ask(lambda _: 5) == 5


def test_a_question_nobody_began_in_time_never_happens() -> None:
    calls, done = Calls(), []
    with pytest.raises(NotNow, match="nothing was begun"):
        calls.ask(lambda _: done.append(1), seconds=0.05)
    assert calls.answer(DESK) == 0
    assert done == []


def test_a_question_that_was_begun_and_did_not_end_is_unknown() -> None:
    leave = Event()

    def long(_: Desk) -> Any:
        return leave.wait(5)

    with answered(DESK) as calls:
        with pytest.raises(OutcomeUnknown, match="did not finish"):
            calls.ask(long, seconds=0.2)
        leave.set()


def test_a_timeout_of_the_questions_own_is_told_as_it_is() -> None:
    def own(_: Desk) -> None:
        raise TimeoutError("the exchange's")

    with answered(DESK) as calls, pytest.raises(TimeoutError, match="the exchange's"):
        calls.ask(own)


def test_a_closed_queue_refuses_what_waits_and_what_comes() -> None:
    calls = Calls()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(calls.ask, lambda _: 1)
        while not calls.wait(0.05):
            pass
        calls.close("the shell is stopping")
        with pytest.raises(NotNow, match="stopping"):
            waiting.result(5)
    with pytest.raises(NotNow, match="stopping"):
        calls.ask(lambda _: 1)


def test_a_wake_ends_the_wait_once() -> None:
    calls = Calls()
    calls.wake()
    assert calls.wait(0.0)
    assert not calls.wait(0.0)


def test_a_slot_somebody_registered_is_requested_and_the_others_fall_back() -> None:
    slots, slot = Slots(), datetime(2026, 11, 22, 14, 35, tzinfo=UTC)
    slots.register(slot)
    slots.register(slot)
    later = slot + timedelta(minutes=5)
    slots.register(later)
    assert [slots.take(slot), slots.take(slot), slots.take(later)] == [REQUESTED, FALLBACK, REQUESTED]
