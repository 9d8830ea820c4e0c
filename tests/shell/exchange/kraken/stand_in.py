"""A small HTTP server on a real socket that answers what a test tells it, or fails in the ways that servers fail."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    query: str
    body: bytes

    @property
    def endpoint(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def fields(self) -> dict[str, str]:
        """The form or query, without the nonce."""
        text = self.body.decode() if self.body else self.query
        return {key: value for key, value in parse_qsl(text, keep_blank_values=True) if key != "nonce"}

    @property
    def nonce(self) -> int:
        return int(dict(parse_qsl(self.body.decode()))["nonce"])


@dataclass(frozen=True, slots=True)
class Told:
    """What to answer. `how`: "answer", "hang" (never), "reset" (no byte), "cut" (half of it)."""

    body: bytes = b'{"error":[],"result":{}}'
    status: int = 200
    how: str = "answer"
    after_seconds: float = 0.0


def result(value: Any) -> Told:
    return Told(json.dumps({"error": [], "result": value}).encode())


def errors(*codes: str) -> Told:
    return Told(json.dumps({"error": list(codes)}).encode())


Answer = Callable[[Asked], Told]


@dataclass(slots=True)
class StandIn:
    """The server's address and everything it was asked. `answer` may be replaced at any time."""

    url: str
    answer: Answer
    asked: list[Asked] = field(default_factory=list)

    def of(self, endpoint: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.endpoint == endpoint]


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[StandIn]:
    """Serve until the block ends. Connections are kept open between answers, as Kraken keeps them."""
    handlers: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        try:
            while (asked := await _read(reader)) is not None:
                here.asked.append(asked)
                if not await _write(writer, here.answer(asked)):
                    break
        except (ConnectionError, asyncio.CancelledError, asyncio.IncompleteReadError):
            pass
        finally:
            handlers.discard(task)
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    here = StandIn(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", answer)
    try:
        yield here
    finally:
        server.close()
        for handler in list(handlers):
            handler.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1") if not reader.at_eof() else ""
    if not head:
        return None
    first, *lines = head.split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    parts = urlsplit(target)
    return Asked(method, parts.path, headers, parts.query, body)


async def _write(writer: asyncio.StreamWriter, told: Told) -> bool:
    """True while the connection may go on."""
    if told.how == "hang":
        await asyncio.sleep(3600)
    await asyncio.sleep(told.after_seconds)
    if told.how == "reset":
        writer.transport.abort()
        return False
    head = f"HTTP/1.1 {told.status} X\r\nContent-Type: application/json\r\nContent-Length: {len(told.body)}\r\n\r\n"
    content = head.encode() + told.body
    writer.write(content if told.how == "answer" else content[: -len(told.body) // 2])
    await writer.drain()
    return told.how == "answer"
