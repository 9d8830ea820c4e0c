"""A served exchange in a thread of its own, for callers that have no event loop or may not share theirs."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import datetime
from typing import Any, TypeVar

from shell.errors import BrainError, NotNow
from shell.exchange.simulator.desk import Desk
from shell.exchange.simulator.server import Running, running
from shell.exchange.simulator.tape import Tape
from shell.exchange.simulator.venue import Rules

T = TypeVar("T")
START_S, CALL_S = 60.0, 600.0


class Hosted:
    """A running exchange in another thread. Its state may be touched only through `do`."""

    def __init__(self, served: Running, loop: asyncio.AbstractEventLoop) -> None:
        self._served = served
        self._loop = loop

    def addresses(self) -> dict[str, str]:
        """rest, ws, ws_auth, key and secret."""
        return self._served.addresses()

    def do(self, action: Callable[[Desk], T]) -> T:
        """Run `action` in the exchange's thread, between two of its messages; its result, or what it raised."""

        async def call() -> T:
            return action(self._served.desk)

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(CALL_S)

    def advance_to(self, moment: datetime | int) -> None:
        """Let the exchange's time pass. What its streams have to say is on its way when this returns: a `ping` that is
        answered on a connection shows that everything before it has arrived there."""
        self.do(lambda desk: desk.exchange.advance_to(moment))


@contextlib.contextmanager
def hosted(tape: Tape, rules: Rules | None = None, **options: Any) -> Iterator[Hosted]:
    """Serve an exchange in a thread while the block runs; `options` are those of `running`. Raises NotNow when it
    cannot be served."""
    opened: Future[Hosted] = Future()
    stop: Future[asyncio.Event] = Future()

    async def serve() -> None:
        ended = asyncio.Event()
        stop.set_result(ended)
        async with running(tape, rules, **options) as served:
            opened.set_result(Hosted(served, asyncio.get_running_loop()))
            await ended.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        except (OSError, ValueError, BrainError) as error:
            if opened.done():
                raise
            opened.set_exception(NotNow(f"the simulated exchange did not open: {error}"))
        finally:
            if not opened.done():
                opened.set_exception(NotNow("the simulated exchange did not open"))

    thread = threading.Thread(target=run, name="simulated exchange", daemon=True)
    thread.start()
    exchange = opened.result(START_S)
    try:
        yield exchange
    finally:
        exchange._loop.call_soon_threadsafe(stop.result().set)
        thread.join(START_S)
