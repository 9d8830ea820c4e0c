"""Time that a test moves: a clock that may also step back, and a pace whose sleeping takes no time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 22, 12, tzinfo=UTC)


class HandClock:
    """Shows what it was set to; unlike a virtual clock it may be set back, as an operator may set a machine's."""

    def __init__(self, start: datetime = START) -> None:
        self.moment = start

    def now(self) -> datetime:
        return self.moment

    def step(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


class HandPace:
    """Sleeping moves its time on at once, and the clock's with it."""

    def __init__(self, clock: HandClock | None = None) -> None:
        self.at = 1000.0
        self.slept: list[float] = []
        self.clock = clock

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds
        if self.clock is not None:
            self.clock.step(seconds)
        await asyncio.sleep(0)
