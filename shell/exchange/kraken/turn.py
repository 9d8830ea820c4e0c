"""One at a time, the urgent first: the lock around "take a nonce, send, be answered".

Two requests of one key on the way at once may overtake each other, and the overtaken one is refused for its nonce. So
they go one after the other, and an order or a cancel goes before any question that is waiting.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count


class NoTurn(Exception):
    """The turn did not come in time."""


class Turn:
    """A lock for one event loop whose waiters are served by urgency, then in the order they came."""

    def __init__(self) -> None:
        self._taken = False
        self._order = count()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def taken(self, *, urgent: bool, within: float | None = None) -> AsyncIterator[None]:
        """Hold the turn for the block. Raises NoTurn when it does not come `within` so many seconds."""
        if not self._taken:
            # Nobody to wait for, so nothing to bound.
            self._taken = True
        else:
            try:
                async with asyncio.timeout(within):
                    await self._wait(urgent)
            except TimeoutError:
                raise NoTurn(f"others were before it for {within:g} s") from None
        try:
            yield
        finally:
            self._hand_on()

    async def _wait(self, urgent: bool) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (0 if urgent else 1, next(self._order), turn))
        try:
            await turn
        except asyncio.CancelledError:
            # Cancelled just as its turn came: the turn must not be lost with it.
            if turn.done() and not turn.cancelled():
                self._hand_on()
            raise

    def _hand_on(self) -> None:
        while self._waiting:
            turn = heapq.heappop(self._waiting)[2]
            if not turn.done():
                turn.set_result(None)
                return
        self._taken = False
