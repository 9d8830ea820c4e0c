"""One HTTP request and its answer's bytes, without an opinion on either: what the client of Kraken sends through.

Raises what httpx raises (`HTTPError`, `StreamError`), OSError, and TimeoutError where the whole took too long, whoever takes
its place as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import httpx

from shell.exchange.kraken.addresses import Addresses

USER_AGENT = "trading-brain/0.1"
CONNECT_SECONDS = 4.0
ANSWER_BYTES_MAX = 64 * 2**20


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """`path` begins with a slash; `query` is encoded; `body` is what was signed, byte for byte."""

    method: str
    path: str
    query: str = ""
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def target(self) -> str:
        """Path and query as they are sent."""
        return f"{self.path}?{self.query}" if self.query else self.path


class HttpWire(Protocol):
    """Sends a request once."""

    async def send(self, request: HttpRequest, seconds: float) -> tuple[int, bytes]:
        """Status and body of the answer; TimeoutError when the last byte is not there within `seconds`."""

    async def close(self) -> None: ...


class HttpxWire:
    """A pool of connections to one address. For one event loop."""

    def __init__(self, addresses: Addresses, seconds: float, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """`seconds` bound each wait; `transport` takes the place of sockets, for a stand-in in the same process."""
        self._base = addresses.rest
        self._http = httpx.AsyncClient(
            headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
            timeout=httpx.Timeout(seconds, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=8, keepalive_expiry=30),
            follow_redirects=False,
            # Where nothing is encrypted there is no certificate to check, and loading the authorities takes long.
            verify=not addresses.rest.startswith("http://"),
            # A proxy of the environment has no business between us and a stand-in on this machine.
            trust_env=not addresses.local,
            transport=transport,
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def send(self, request: HttpRequest, seconds: float) -> tuple[int, bytes]:
        """See `HttpWire`. Raises httpx.ReadError for an answer larger than any of Kraken's."""
        async with asyncio.timeout(seconds):
            return await self._send(request)

    async def _send(self, request: HttpRequest) -> tuple[int, bytes]:
        url, body = f"{self._base}{request.target}", request.body or None
        async with self._http.stream(request.method, url, content=body, headers=dict(request.headers)) as answer:
            parts, size = [], 0
            async for chunk in answer.aiter_bytes():
                size += len(chunk)
                if size > ANSWER_BYTES_MAX:
                    raise httpx.ReadError("the answer is too large")
                parts.append(chunk)
            return answer.status_code, b"".join(parts)
