"""Waiting and measuring, as values that are passed in: a test or a rehearsal has its own time."""

from __future__ import annotations

import asyncio
import random
from typing import Protocol

from shell.clock import monotonic


class Pace(Protocol):
    """Seconds that only grow, and a way to let some pass."""

    def monotonic(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class RealPace:
    """The machine's."""

    def monotonic(self) -> float:
        return monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class FastPace:
    """`speed` seconds of its own pass in one of the machine's: for a simulated exchange of that speed."""

    def __init__(self, speed: float) -> None:
        self._speed = speed

    def monotonic(self) -> float:
        return monotonic() * self._speed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._speed)


def backoff(attempt: int, *, first: float, most: float, chance: random.Random) -> float:
    """Seconds to wait before trying again after `attempt` failures (1, 2, ...): doubling from `first` up to `most`.

    A random half of it is taken off, so that many clients that failed together do not come back together.
    """
    whole = min(most, first * 2.0 ** min(attempt - 1, 30))
    return whole * (0.5 + 0.5 * chance.random())
