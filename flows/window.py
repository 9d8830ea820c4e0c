"""The night's window, 00:00 to 03:00 in New York: no candidate begins after its end, and one under way is stopped there.

What was recorded of it stays, and the next night takes it up where it stood. The rest of the night (aggregation, document,
report) is short and goes on, so that a night that was stopped is told like any other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any, TypeVar

from prefect import get_run_logger

from shell.clock import NEW_YORK, local_day, monotonic, night_window

Answer = TypeVar("Answer")

# A run by hand outside the window gets as long.
BY_HAND = timedelta(hours=3)


def seconds_left(at: datetime, begun: datetime) -> float:
    """How long a night for the moment `at` may last that really began at `begun`; none for one begun after its window."""
    night = night_window(local_day(at, NEW_YORK))
    if not night.contains(at):
        return BY_HAND.total_seconds()
    return max((night.ends - begun).total_seconds(), 0.0)


class Window:
    """Counts down from `seconds` in real time."""

    def __init__(self, seconds: float) -> None:
        self._ends = monotonic() + seconds

    @property
    def left(self) -> float:
        return max(self._ends - monotonic(), 0.0)

    async def within(self, life: Coroutine[Any, Any, Answer]) -> Answer | None:
        """What `life` gives, or None when the window ends first; then it has been stopped, or was not begun."""
        if not self.left:
            life.close()
            get_run_logger().warning("the night's window is over: a candidate was not begun")
            return None
        try:
            async with asyncio.timeout(self.left):
                return await life
        except TimeoutError:
            if self.left:
                raise
            get_run_logger().warning("the night's window is over: a candidate was stopped, and goes on tomorrow")
            return None
