"""The bridge of a rehearsal: a request ends before its call returns, without a thread, and none that waits goes unnoticed."""

from __future__ import annotations

import asyncio
import threading

import pytest

from deployments.lockstep import LockstepBridge
from shell.errors import Fatal, NotNow, Rejected


async def _answer() -> str:
    return threading.current_thread().name


async def _refuse() -> str:
    raise Rejected("no")


def test_a_call_ends_in_the_callers_own_thread() -> None:
    assert LockstepBridge().call(_answer, 1.0) == threading.current_thread().name


def test_a_call_needs_no_event_loop_and_minds_none() -> None:
    async def within() -> str:
        return LockstepBridge().call(_answer, 1.0)

    assert asyncio.run(within()) == threading.current_thread().name


def test_a_refusal_reaches_the_caller_or_waits_for_who_looks() -> None:
    bridge = LockstepBridge()
    with pytest.raises(Rejected, match="no"):
        bridge.call(_refuse, 1.0)
    waiting = bridge.begin(_refuse, 1.0)
    assert waiting.done()
    with pytest.raises(Rejected, match="no"):
        waiting.result()


def test_what_waits_for_something_is_fatal_at_once() -> None:
    async def never() -> None:
        await asyncio.sleep(0)

    with pytest.raises(Fatal, match="waits"):
        LockstepBridge().call(never, 1.0)


def test_nothing_is_sent_once_it_is_stopped() -> None:
    bridge, asked = LockstepBridge(), []

    async def ask() -> None:
        asked.append(1)

    bridge.stop()
    bridge.stop()
    with pytest.raises(NotNow, match="nothing was sent"):
        bridge.call(ask, 1.0)
    assert asked == []
    with pytest.raises(NotNow):
        bridge.begin(ask, 1.0).result()
