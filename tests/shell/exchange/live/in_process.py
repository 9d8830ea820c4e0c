"""The real client on the simulated exchange without sockets: its requests and its private socket's messages, one by one.

Everything but the operating system's sockets is the product's own: signing, limits, error mapping, parsing, sequence numbers.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import httpx

from shell.clock import Clock
from shell.exchange.kraken.account_feed import AccountFeed
from shell.exchange.kraken.addresses import Addresses
from shell.exchange.kraken.http_wire import HttpxWire
from shell.exchange.kraken.limiter import Limiter
from shell.exchange.kraken.limits import Limits
from shell.exchange.kraken.nonce import NonceSource
from shell.exchange.kraken.private import PrivateApi
from shell.exchange.kraken.public import PublicApi
from shell.exchange.kraken.rest import RestClient
from shell.exchange.kraken.signing import Credentials
from shell.exchange.kraken.wire import Fields, parse_json
from shell.exchange.kraken.ws import Broken
from shell.exchange.live.bridge import NoAnswer
from shell.exchange.live.venue import KrakenVenue
from shell.exchange.simulator.desk import Desk
from shell.exchange.simulator.rest import Fate, Request
from shell.exchange.simulator.ws import Session
from shell.secrets import Secret

T = TypeVar("T")
UNLIMITED = Limits(api_max=1e9, api_decay=1e9, engine_max=1e9, engine_decay=1e9)


class DeskTransport(httpx.AsyncBaseTransport):
    """Requests to a desk. `down` True: no connection comes about."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.down = False
        self.sent: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            raise httpx.ConnectError("the network is down")
        body = await request.aread()
        self.sent.append(request.url.path.rsplit("/", 1)[-1])
        headers = {name.lower(): value for name, value in request.headers.items()}
        target = request.url.raw_path.decode("ascii")
        answer = self.desk.request(Request(method=request.method, target=target, headers=headers, body=body))
        if answer.fate is Fate.RESET:
            raise httpx.ReadError("reset")
        if answer.fate is Fate.HANGS:
            raise httpx.ReadTimeout("hangs")
        return httpx.Response(answer.status, headers={"content-type": answer.kind}, text=answer.body)


class NoWaiting:
    """Sleeping takes no time: what waits here waits for nothing that moves by itself."""

    def __init__(self) -> None:
        self.at = 0.0

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds


class OwnLoop:
    """Runs the client's calls to their end in the caller's thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()

    def call(self, make: Callable[[], Awaitable[T]], seconds: float) -> T:
        async def bounded() -> T:
            try:
                async with asyncio.timeout(seconds):
                    return await make()
            except TimeoutError:
                raise NoAnswer(f"no answer within {seconds:g} s") from None

        return self._loop.run_until_complete(bounded())

    def close(self) -> None:
        self._loop.close()


class InProcess:
    """One client of one desk. `pump` hands over what the private socket said; `deaf` keeps it closed."""

    def __init__(self, desk: Desk, clock: Clock, folder: Path, *, seed: int = 1) -> None:
        self.desk = desk
        self.transport = DeskTransport(desk)
        self.deaf = False
        self._loop = OwnLoop()
        pace = NoWaiting()
        addresses = Addresses(rest="http://127.0.0.1:1", ws="ws://127.0.0.1:1", ws_auth="ws://127.0.0.1:1")
        self.rest = self._loop.call(lambda: self._client(addresses, clock, pace, folder, seed), 60)
        self.names = self._loop.call(PublicApi(self.rest).names, 60)
        self.api = PrivateApi(self.rest, self.names)
        self.venue = KrakenVenue(self.api, PublicApi(self.rest), self._loop)
        self.feed = AccountFeed(addresses, self.api.socket_token, self.names, self.venue.heard, pace=pace)
        self._session: Session | None = None

    async def _client(self, addresses: Addresses, clock: Clock, pace: NoWaiting, folder: Path, seed: int) -> RestClient:
        return RestClient(
            addresses, clock=clock, pace=pace, limiter=Limiter(UNLIMITED, pace),
            credentials=Credentials(key=Secret(self.desk.key), secret=Secret(self.desk.secret)),
            nonces=NonceSource(folder / "nonce", clock), chance=random.Random(seed),
            http=HttpxWire(addresses, 60, self.transport),
        )

    def pump(self) -> None:
        """Read everything the private socket has, connecting first where it is not; a broken one is connected at the next."""
        if self.deaf or self.transport.down:
            self._lose("no network")
            return
        if self._session is None:
            self._connect()
        session = self._session
        if session is None:
            return
        try:
            while session.outbox:
                message = Fields(parse_json(session.outbox.popleft().encode()), "message")
                if "channel" in message and message.values["channel"] != "heartbeat":
                    self.feed.message(message)
        except Broken as error:
            self._lose(str(error))
            return
        if session.silent_s:
            session.silent_s *= 0
            session.outbox.clear()
        if session.cut:
            self._lose("cut")

    def close(self) -> None:
        self._lose("closed")
        self._loop.call(self.rest.close, 10)
        self._loop.close()

    def _connect(self) -> None:
        greeting = self._loop.call(self.feed.greet, 60)
        session = self.desk.connect(private=True)
        for want in self.feed.wants():
            params = {"channel": want.channel, **want.params, **greeting}
            session.receive(json.dumps({"method": "subscribe", "params": params, "req_id": 1}))
        self._session = session
        self.feed.up()

    def _lose(self, reason: str) -> None:
        if self._session is not None:
            self.desk.disconnect(self._session)
            self._session = None
            self.feed.down(reason)


def moment_of_desk(desk: Desk) -> datetime:
    return desk.exchange.now
