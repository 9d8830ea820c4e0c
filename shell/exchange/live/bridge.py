"""The bridge between the trading thread, which bounds every wait, and the exchange's client, which is asyncio."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol, TypeVar

from shell.errors import NotNow, Transient

T = TypeVar("T")
Got = TypeVar("Got", covariant=True)
START_SECONDS = 30.0
STOP_SECONDS = 10.0


class NoAnswer(Transient):
    """A call did not end within its time. What it sent may have arrived."""


class Waiting(Protocol[Got]):
    """What runs in the client's loop meanwhile."""

    def done(self) -> bool: ...

    def result(self) -> Got:
        """What it returned or raised, once it is done; NoAnswer where it took too long."""


class Runs(Protocol):
    """Runs a coroutine to its end for a caller without an event loop."""

    def call(self, make: Callable[[], Awaitable[T]], seconds: float) -> T:
        """What the coroutine returns or raises; NoAnswer when it takes longer than `seconds`."""


class Bridges(Runs, Protocol):
    """What a connection runs its client with, until it is stopped."""

    def begin(self, make: Callable[[], Awaitable[T]], seconds: float) -> Waiting[T]:
        """Start something whose answer is looked for later, and given up after `seconds`. Raises NotNow as `call` does."""

    def stop(self) -> None:
        """End everything that runs. May be called twice."""


class Bridge:
    """An event loop in a thread of its own."""

    def __init__(self, name: str = "kraken") -> None:
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._running = threading.Event()

    def start(self) -> None:
        """Raises NotNow when the thread does not come up."""
        self._thread.start()
        if not self._running.wait(START_SECONDS):
            raise NotNow("the thread of the exchange's client did not start")

    def call(self, make: Callable[[], Awaitable[T]], seconds: float) -> T:
        """See `Runs`. Raises NotNow once the bridge is stopped: then nothing was sent."""
        if not self._thread.is_alive():
            raise NotNow("the connection to the exchange is closed; nothing was sent")

        async def bounded() -> T:
            return await make()

        waiting = asyncio.run_coroutine_threadsafe(bounded(), self._loop)
        try:
            return waiting.result(seconds)
        except concurrent.futures.TimeoutError:
            waiting.cancel()
            raise NoAnswer(f"the exchange's client did not answer within {seconds:g} s") from None
        except concurrent.futures.CancelledError:
            raise NoAnswer("the connection to the exchange was closed in the middle of a call") from None

    def begin(self, make: Callable[[], Awaitable[T]], seconds: float) -> Waiting[T]:
        """See `Bridges`."""
        if not self._thread.is_alive():
            raise NotNow("the connection to the exchange is closed; nothing was sent")

        async def bounded() -> T:
            try:
                return await asyncio.wait_for(make(), seconds)
            except TimeoutError:
                raise NoAnswer(f"the exchange's client did not answer within {seconds:g} s") from None

        return asyncio.run_coroutine_threadsafe(bounded(), self._loop)

    def spawn(self, make: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Let something run until the bridge is stopped."""

        def begin() -> None:
            task = self._loop.create_task(make())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        self._loop.call_soon_threadsafe(begin)

    def stop(self) -> None:
        """See `Bridges`."""
        if not self._thread.is_alive():
            return
        with contextlib.suppress(concurrent.futures.TimeoutError, concurrent.futures.CancelledError):
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(STOP_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_SECONDS)

    async def _end(self) -> None:
        own = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not own]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.call_soon(self._running.set)
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()
