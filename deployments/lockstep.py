"""The client of Kraken over a simulated exchange in the same process, in lockstep: what a rehearsal trades through.

Everything but sockets and the HTTP over them is what real money uses: signing, limits, parsing, sequence numbers, the live
gateway. There are none because they would make the order of things depend on the machine: here a request is answered
before its call returns, and the private socket is read when, and only when, `pump` is called. So the same seed gives the same
events. Nothing here waits: pauses move the client's own time and nobody else's, and no thread and no event loop is needed.
"""

from __future__ import annotations

import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx

from shell.clock import Clock
from shell.errors import BrainError, Fatal, NotNow
from shell.exchange.kraken.account_feed import AccountFeed
from shell.exchange.kraken.addresses import Addresses
from shell.exchange.kraken.http_wire import HttpRequest
from shell.exchange.kraken.limiter import Limiter
from shell.exchange.kraken.limits import LIMITS, Verification
from shell.exchange.kraken.nonce import NANOSECONDS, NonceSource, nonce_file
from shell.exchange.kraken.pairs import Names
from shell.exchange.kraken.private import PrivateApi
from shell.exchange.kraken.public import PublicApi
from shell.exchange.kraken.rest import RestClient
from shell.exchange.kraken.signing import Credentials
from shell.exchange.kraken.wire import Fields, parse_json
from shell.exchange.kraken.ws import Broken
from shell.exchange.live.bridge import Waiting
from shell.exchange.live.connection import LiveConnection
from shell.exchange.live.venue import KrakenVenue
from shell.exchange.simulator.desk import Desk
from shell.exchange.simulator.rest import Fate, Request
from shell.exchange.simulator.ws import Session
from shell.secrets import Secret

T = TypeVar("T")
# The client wants bounds. In lockstep nothing waits, so none is ever reached.
PATIENCE_SECONDS = 600.0
# A virtual day passes in seconds: one write of the nonce's ceiling to the disk for each.
A_DAY = 86_400 * NANOSECONDS
# Never connected to: the wire takes every request.
NOWHERE = Addresses(rest="http://127.0.0.1:1", ws="ws://127.0.0.1:1", ws_auth="ws://127.0.0.1:1")


class DeskWire:
    """Takes requests to a desk. `down`: no connection comes about."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.down = False
        self.requests = 0

    async def send(self, request: HttpRequest, seconds: float) -> tuple[int, bytes]:
        """See `HttpWire`. It takes no time, whatever `seconds` bound."""
        if self.down:
            raise httpx.ConnectError("the network is down")
        self.requests += 1
        headers = {name.lower(): value for name, value in request.headers.items()}
        answer = self._desk.request(
            Request(method=request.method, target=request.target, headers=headers, body=request.body)
        )
        if answer.fate is Fate.RESET:
            raise httpx.ReadError("the connection was reset")
        if answer.fate is Fate.HANGS:
            raise httpx.ReadTimeout("no answer")
        return answer.status, answer.body.encode()

    async def close(self) -> None:
        """Nothing is open."""


class LockstepPace:
    """The clock's seconds and the pauses that were asked for: a pause takes no time of anybody else."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._paused = 0.0

    def monotonic(self) -> float:
        return self._clock.now().timestamp() + self._paused

    async def sleep(self, seconds: float) -> None:
        self._paused += seconds


@dataclass(frozen=True, slots=True)
class _Ended(Waiting[T]):
    """What has ended already, well or with an error."""

    value: T | None
    error: BrainError | None

    def done(self) -> bool:
        return True

    def result(self) -> T:
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]  # only None where the coroutine returned it


class LockstepBridge:
    """Every call ends before the caller goes on, in the caller's own thread: no request waits for anything."""

    def __init__(self) -> None:
        self._stopped = False

    def call(self, make: Callable[[], Awaitable[T]], seconds: float) -> T:
        """See `Runs`. Raises Fatal for what does wait: nobody here could ever go on with it."""
        if self._stopped:
            raise NotNow("the connection to the exchange is closed; nothing was sent")
        running = make().__await__()
        try:
            next(running)
        except StopIteration as ended:
            return ended.value  # type: ignore[no-any-return]  # what the coroutine returned
        running.close()
        raise Fatal("a request to the exchange in lockstep waits for something: nothing in lockstep may")

    def begin(self, make: Callable[[], Awaitable[T]], seconds: float) -> Waiting[T]:
        """See `Bridges`."""
        try:
            return _Ended(self.call(make, seconds), None)
        except BrainError as error:
            return _Ended(None, error)

    def stop(self) -> None:
        """See `Bridges`."""
        self._stopped = True


class Lockstep:
    """One client of one desk. For one thread."""

    def __init__(self, desk: Desk, clock: Clock, *, nonces: Path, seed: int) -> None:
        """`nonces` is the folder of the nonce's file."""
        self._desk = desk
        self.wire = DeskWire(desk)
        self.pace = LockstepPace(clock)
        self.credentials = Credentials(key=Secret(desk.key), secret=Secret(desk.secret))
        self._session: Session | None = None
        self.connection = self._connect(LockstepBridge(), clock, nonces, random.Random(seed))

    @property
    def names(self) -> Names:
        return self.connection.names

    def pump(self) -> None:
        """Hand over what the private socket has said; connect it first where it is not. A broken one is connected again at the
        next call, as after a short pause."""
        if self.wire.down:
            self._lose("no network")
            return
        session = self._session or self._subscribed()
        if session is None:
            return
        try:
            while session.outbox:
                message = Fields(parse_json(session.outbox.popleft().encode()), "message")
                if "channel" in message:
                    self.connection.feed.message(message)
        except Broken as error:
            self._lose(str(error))
            return
        if session.cut:
            self._lose("the exchange cut the connection")

    def close(self) -> None:
        """Hear and send nothing more."""
        self._lose("closed")
        self.connection.close()

    # -- inside ---------------------------------------------------------------------------------------------------

    def _connect(self, bridge: LockstepBridge, clock: Clock, nonces: Path, chance: random.Random) -> LiveConnection:
        async def build() -> tuple[RestClient, Names]:
            rest = RestClient(
                NOWHERE, clock=clock, pace=self.pace, limiter=Limiter(LIMITS[Verification.INTERMEDIATE], self.pace),
                credentials=self.credentials, chance=chance, http=self.wire,
                nonces=NonceSource(nonce_file(nonces, self.credentials.key), clock, reserved=A_DAY),
                read_seconds=PATIENCE_SECONDS, write_seconds=PATIENCE_SECONDS, turn_seconds=PATIENCE_SECONDS,
            )  # fmt: skip
            return rest, await PublicApi(rest).names()

        rest, names = bridge.call(build, PATIENCE_SECONDS)
        api = PrivateApi(rest, names)
        venue = KrakenVenue(api, PublicApi(rest), bridge)
        feed = AccountFeed(NOWHERE, api.socket_token, names, venue.heard, pace=self.pace, chance=chance)
        return LiveConnection(bridge, rest, api, names, venue, feed)

    def _subscribed(self) -> Session | None:
        """A new connection that follows the account; None while the exchange gives no token."""
        feed = self.connection.feed
        try:
            greeting = self.connection.bridge.call(feed.greet, PATIENCE_SECONDS)
        except BrainError:
            return None
        session = self._desk.connect(private=True)
        for number, want in enumerate(feed.wants(), start=1):
            params = {"channel": want.channel, **want.params, **greeting}
            session.receive(json.dumps({"method": "subscribe", "params": params, "req_id": number}))
        self._session = session
        feed.up()
        return session

    def _lose(self, reason: str) -> None:
        if self._session is not None:
            self._desk.disconnect(self._session)
            self._session = None
            self.connection.feed.down(reason)
