"""A small WebSocket server on a real socket that confirms subscriptions and lets a test say the rest."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.shell.exchange.kraken.times import HandClock


class FastPace:
    """Real time, so many times faster; a clock may follow it."""

    def __init__(self, times: float = 100.0, clock: HandClock | None = None) -> None:
        self._times = times
        self.slept: list[float] = []
        self.clock = clock

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time() * self._times

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(seconds / self._times)
        if self.clock is not None:
            self.clock.step(seconds)


Hook = Callable[["Line", dict[str, Any]], Awaitable[bool]]


@dataclass(slots=True)
class Line:
    """One connection of the stand-in."""

    number: int
    connection: ServerConnection
    got: list[dict[str, Any]] = field(default_factory=list)

    async def tell(self, message: Any) -> None:
        await self.connection.send(message if isinstance(message, str) else json.dumps(message))

    async def confirm(self, request: dict[str, Any]) -> None:
        """One answer a symbol, as Kraken gives them."""
        params = request["params"]
        for symbol in params.get("symbol", [None]):
            told = {"channel": params["channel"]} | ({"symbol": symbol} if symbol else {})
            await self.tell({"method": request["method"], "result": told, "success": True, "req_id": request["req_id"]})

    def asked(self, method: str, channel: str) -> list[dict[str, Any]]:
        return [each for each in self.got if each["method"] == method and each["params"]["channel"] == channel]


@dataclass(slots=True)
class SocketStandIn:
    url: str
    lines: list[Line] = field(default_factory=list)

    @property
    def last(self) -> Line:
        return self.lines[-1]


@asynccontextmanager
async def serving_sockets(hook: Hook | None = None, *, beat: float = 0.05) -> AsyncIterator[SocketStandIn]:
    """Serve until the block ends. `hook` sees each request first; True from it means that it has answered.

    A heartbeat comes every `beat` seconds (0: never).
    """

    async def connected(connection: ServerConnection) -> None:
        line = Line(len(here.lines) + 1, connection)
        here.lines.append(line)
        beating = asyncio.ensure_future(_beat(line, beat))
        try:
            async for content in connection:
                request = json.loads(content)
                if request["method"] == "ping":
                    line.got.append({**request, "params": {"channel": "ping"}})
                    if beat:
                        await line.tell({"method": "pong", "req_id": request["req_id"]})
                    continue
                line.got.append(request)
                if hook is None or not await hook(line, request):
                    await line.confirm(request)
        except ConnectionClosed:
            pass
        finally:
            beating.cancel()

    async with serve(connected, "127.0.0.1", 0) as server:
        here = SocketStandIn(f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/v2")
        yield here


async def _beat(line: Line, every: float) -> None:
    try:
        while every:
            await asyncio.sleep(every)
            await line.tell({"channel": "heartbeat"})
    except ConnectionClosed:
        pass


async def until(true: Callable[[], object], seconds: float = 8.0) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def running(work: Awaitable[None]) -> AsyncIterator[asyncio.Future[None]]:
    """A task for the length of the block."""
    task = asyncio.ensure_future(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
