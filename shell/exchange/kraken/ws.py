"""One supervised WebSocket connection: it subscribes, notices silence, and comes back for as long as it is run.

What is subscribed, and what is done with what arrives, is a `Listener`'s; here is only the connection. A subscription that
is not confirmed, five seconds without a message, a closed or failing socket: each ends this connection, tells the listener
why, and another is made, at once after a long one, then after 5 to 30 seconds.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from shell.errors import Fatal, Rejected, Transient
from shell.exchange.kraken.http_wire import USER_AGENT
from shell.exchange.kraken.pace import Pace, backoff
from shell.exchange.kraken.wire import Fields, encode_json, parse_json
from shell.log import get_logger

SILENCE_SECONDS = 5.0
ACK_SECONDS = 5.0
CONNECT_SECONDS = 10.0
# Sent faster than this, Kraken drops requests ("Exceeded msg rate").
BETWEEN_REQUESTS_SECONDS = 0.15
SYMBOLS_A_REQUEST = 25
SUBSCRIBE_ATTEMPTS = 3
RETRY_FIRST_SECONDS = 5.0
RETRY_MOST_SECONDS = 30.0
# A connection that lasted this long failed by chance: the next one is made at once. A shorter one counts as a failure,
# so that a socket that opens and falls is not opened without end (Kraken bans after some 150 attempts in 10 minutes).
STEADY_SECONDS = 30.0
MESSAGE_BYTES_MAX = 32 * 2**20
_REQUEST_ID_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """One subscription: a channel, its symbols (none for channels without), and its other parameters."""

    channel: str
    symbols: tuple[str, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)


class Broken(Exception):
    """Raised by a listener, or here: this connection cannot be trusted any more; make another."""


class Listener(Protocol):
    """Whoever a connection is for."""

    def wants(self) -> Sequence[Want]:
        """What to subscribe, asked at every connection."""

    async def greet(self) -> Mapping[str, Any]:
        """Parameters of every subscription of the next connection, such as a fresh token."""

    def up(self) -> None:
        """Everything wanted is subscribed, or was refused."""

    def down(self, reason: str) -> None:
        """The connection is gone. Also called for an attempt that failed."""

    def refused(self, channel: str, symbol: str, reason: str) -> None:
        """Kraken does not give this subscription. Raise Broken to try all again."""

    def message(self, message: Fields) -> None:
        """Something with a `channel` arrived, heartbeats apart. Raise Broken if it cannot be trusted."""


@dataclass(slots=True)
class _Request:
    """A request on its way: the symbols whose answers are still missing ("" for a channel without)."""

    method: str
    channel: str
    missing: set[str]
    done: asyncio.Future[None]


class Socket:
    """Keeps a connection for its listener. Run `run()` as one task; cancel it to end."""

    def __init__(
        self,
        url: str,
        listener: Listener,
        *,
        pace: Pace,
        chance: random.Random | None = None,
        silence_seconds: float = SILENCE_SECONDS,
        ack_seconds: float = ACK_SECONDS,
        local: bool = False,
    ) -> None:
        self._url = url
        self._listener = listener
        self._pace = pace
        self._chance = chance or random.Random()
        self._silence = silence_seconds
        self._ack_seconds = ack_seconds
        self._local = local
        self._ids = count(1)
        self._connection: ClientConnection | None = None
        self._requests: dict[int, _Request] = {}
        self._greeting: Mapping[str, Any] = {}
        self._renewals: set[asyncio.Task[None]] = set()
        self._why = ""
        self.connections = 0
        """How many were made so far."""

    async def run(self) -> None:
        """For ever. Raises only what a caller must know: Fatal from `greet`, such as a key that is refused."""
        failures = 0
        while True:
            began = self._pace.monotonic()
            try:
                reason = await self._one_connection()
            except Fatal as error:
                self._listener.down(str(error))
                raise
            self._listener.down(reason)
            failures = 1 if self._pace.monotonic() - began >= STEADY_SECONDS else failures + 1
            pause = 0.0
            if failures > 1:
                pause = backoff(failures - 1, first=2 * RETRY_FIRST_SECONDS, most=RETRY_MOST_SECONDS, chance=self._chance)
            get_logger().warning("kraken socket lost", url=self._url, reason=reason, pause_seconds=round(pause, 1))
            await self._pace.sleep(pause)

    def renew(self, want: Want) -> None:
        """Unsubscribe and subscribe again, for a new snapshot. Does nothing while there is no connection."""
        connection = self._connection
        if connection is not None:
            self._spawn(self._renewed(connection, want))

    async def _one_connection(self) -> str:
        """Connect, subscribe and read until it ends; returns why it did."""
        self._why = ""
        try:
            self._greeting = await self._listener.greet()
            async with connect(
                self._url,
                open_timeout=CONNECT_SECONDS,
                close_timeout=1.0,
                ping_interval=None,
                max_size=MESSAGE_BYTES_MAX,
                user_agent_header=USER_AGENT,
                proxy=None if self._local else True,
            ) as connection:
                self._connection = connection
                self.connections += 1
                self._spawn(self._subscribed(connection))
                try:
                    await self._read(connection)
                finally:
                    self._connection = None
                    await self._stop_renewals()
        except (Broken, Transient, Rejected) as error:
            return self._why or str(error)
        except (TimeoutError, OSError, WebSocketException) as error:
            return self._why or f"{type(error).__name__}: {error}"
        return self._why or "closed"

    async def _read(self, connection: ClientConnection) -> None:
        asked = False
        while True:
            try:
                async with asyncio.timeout(self._silence / 2):
                    content = await connection.recv()
            except TimeoutError:
                if asked:
                    raise Broken(f"no message for {self._silence:g} s") from None
                asked = True
                async with asyncio.timeout(self._silence / 2):
                    await connection.send(encode_json({"method": "ping", "req_id": self._next_id()}))
                continue
            asked = False
            self._take(Fields(parse_json(content), "message"))

    def _take(self, message: Fields) -> None:
        if "channel" in message:
            if message.values["channel"] != "heartbeat":
                self._listener.message(message)
        elif "method" in message:
            self._answered(message)
        elif "Error" in message or "error" in message:
            # Belongs to no request, and the request it is about was dropped: its missing answer will tell which.
            reason = str(message.values.get("Error") or message.values.get("error"))
            get_logger().warning("kraken socket complains", url=self._url, reason=reason)

    def _answered(self, message: Fields) -> None:
        request = self._requests.get(message.integer("req_id", -1))
        if request is None:
            return
        given = message.object("result") if "result" in message else Fields({}, "result")
        symbol = message.text("symbol", "") or given.text("symbol", "")
        request.missing.discard(symbol if symbol in request.missing else "")
        if not message.flag("success", False):
            reason = message.text("error", "no reason given")
            if not symbol:
                request.missing.clear()
            if request.method == "subscribe" and not _already(reason):
                self._listener.refused(request.channel, symbol, reason)
        if not request.missing and not request.done.done():
            request.done.set_result(None)

    async def _subscribed(self, connection: ClientConnection) -> None:
        """Subscribe everything, one request after another; ends the connection when one is never answered."""
        try:
            for want in self._listener.wants():
                await self._subscribe(connection, want)
            self._listener.up()
        except Broken as error:
            self._why = str(error)
            await connection.close()

    async def _renewed(self, connection: ClientConnection, want: Want) -> None:
        try:
            await self._ask(connection, "unsubscribe", want.channel, want.symbols, want.params)
            await self._subscribe(connection, want)
        except Broken as error:
            self._why = str(error)
            await connection.close()

    async def _subscribe(self, connection: ClientConnection, want: Want) -> None:
        symbols = want.symbols
        if not symbols:
            await self._insist(connection, want.channel, (), want.params)
        for at in range(0, len(symbols), SYMBOLS_A_REQUEST):
            await self._insist(connection, want.channel, symbols[at : at + SYMBOLS_A_REQUEST], want.params)

    async def _insist(
        self, connection: ClientConnection, channel: str, symbols: tuple[str, ...], params: Mapping[str, Any]
    ) -> None:
        """Subscribe until every symbol is answered. Raises Broken after some attempts."""
        missing = symbols
        for attempt in range(1, SUBSCRIBE_ATTEMPTS + 1):
            left = await self._ask(connection, "subscribe", channel, missing, params)
            if not left:
                return
            missing = tuple(symbol for symbol in missing if symbol in left)
            await self._pace.sleep(backoff(attempt, first=1.0, most=5.0, chance=self._chance))
        raise Broken(f"the subscription of {channel} {' '.join(missing)} was never answered".replace("  ", " "))

    async def _ask(
        self,
        connection: ClientConnection,
        method: str,
        channel: str,
        symbols: tuple[str, ...],
        params: Mapping[str, Any],
    ) -> set[str]:
        """Send one request; returns the symbols without an answer in time ({""} for a channel without symbols)."""
        await self._pace.sleep(BETWEEN_REQUESTS_SECONDS)
        number = self._next_id()
        request = _Request(method, channel, set(symbols) or {""}, asyncio.get_running_loop().create_future())
        self._requests[number] = request
        asked: dict[str, Any] = {"channel": channel, **params, **self._greeting}
        if symbols:
            asked["symbol"] = list(symbols)
        try:
            async with asyncio.timeout(self._ack_seconds):
                await connection.send(encode_json({"method": method, "params": asked, "req_id": number}))
                await request.done
        except TimeoutError:
            return request.missing
        except (OSError, WebSocketException) as error:
            raise Broken(f"{type(error).__name__} while subscribing {channel}") from None
        finally:
            del self._requests[number]
        return set()

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._renewals.add(task)
        task.add_done_callback(self._renewals.discard)

    async def _stop_renewals(self) -> None:
        tasks = list(self._renewals)
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome

    def _next_id(self) -> int:
        return next(self._ids) % _REQUEST_ID_MAX


def _already(reason: str) -> bool:
    """Subscribed twice is subscribed."""
    return "already subscribed" in reason.lower()
