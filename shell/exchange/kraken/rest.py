"""Requests to Kraken over HTTP: signed, counted, bounded in time, and answered by a value or by one of our errors.

Questions may be asked again, with pauses. What changes something is sent once: whatever is not a clear answer to it is
KrakenUnknown, and only a connection that never came about is a clear no (NotSent). A caller that cancels such a call must
treat it as unknown too.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from shell.clock import Clock
from shell.errors import BrainError, Transient
from shell.exchange.kraken.addresses import Addresses
from shell.exchange.kraken.errors import (
    RATE_WAIT_SECONDS,
    KeyRefused,
    KrakenUnavailable,
    KrakenUnknown,
    MalformedAnswer,
    NonceRefused,
    NotSent,
    RateLimited,
    error_of,
)
from shell.exchange.kraken.http_wire import HttpRequest, HttpWire, HttpxWire
from shell.exchange.kraken.limiter import Limiter
from shell.exchange.kraken.nonce import NonceSource
from shell.exchange.kraken.pace import Pace, backoff
from shell.exchange.kraken.signing import Credentials, sign
from shell.exchange.kraken.turn import NoTurn, Turn
from shell.exchange.kraken.wire import encode_form, encode_json, list_of, parse_json
from shell.log import get_logger

# All of a request, from connecting to the last byte.
READ_SECONDS = 10.0
WRITE_SECONDS = 10.0
# How long something that changes the account waits for its turn: one request of a key is on its way at a time.
TURN_SECONDS = 5.0
READ_ATTEMPTS = 5
PAUSE_FIRST_SECONDS = 0.5
PAUSE_MOST_SECONDS = 15.0
# A read waits no longer than this for a limit to fall; a longer one is the caller's to decide on.
RATE_PATIENCE_SECONDS = 60.0
# Refused nonces in a row that cannot be chance: another program uses the key.
NONCES_REFUSED_MAX = 3

_NEVER_CONNECTED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


class RestClient:
    """One connection pool and one key. For one event loop; close it, or use it as a context.

    Without credentials only `public` works. Every call may raise what `shell.exchange.kraken.errors` draws.
    """

    def __init__(
        self,
        addresses: Addresses,
        *,
        clock: Clock,
        pace: Pace,
        limiter: Limiter,
        credentials: Credentials | None = None,
        nonces: NonceSource | None = None,
        chance: random.Random | None = None,
        read_seconds: float = READ_SECONDS,
        write_seconds: float = WRITE_SECONDS,
        turn_seconds: float = TURN_SECONDS,
        http: HttpWire | None = None,
    ) -> None:
        """`http` sends in the place of a pool of its own, for a stand-in in the same process."""
        self.limiter = limiter
        self._addresses = addresses
        self._clock = clock
        self._pace = pace
        self._credentials = credentials
        self._nonces = nonces
        self._chance = chance or random.Random()
        self._read_seconds = read_seconds
        self._write_seconds = write_seconds
        self._turn = Turn()
        self._turn_seconds = turn_seconds
        self._nonces_refused = 0
        self._http = http or HttpxWire(addresses, max(read_seconds, write_seconds))

    async def close(self) -> None:
        await self._http.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def has_key(self) -> bool:
        return self._credentials is not None and self._nonces is not None

    async def public(self, endpoint: str, fields: Mapping[str, Any] | None = None, *, pair: str = "") -> Any:
        """The result of a public endpoint. `pair` names the limit it counts towards."""
        request = HttpRequest("GET", f"/0/public/{endpoint}", query=encode_form(fields or {}))

        async def once() -> Any:
            await self.limiter.public(pair)
            return await self._ask(request, endpoint, self._read_seconds, write=False)

        return await self._retried(endpoint, once)

    async def read(self, endpoint: str, fields: Mapping[str, Any] | None = None) -> Any:
        """The result of a private endpoint that changes nothing."""

        async def once() -> Any:
            await self.limiter.private(endpoint)
            try:
                return await self._signed(endpoint, fields or {}, write=False)
            except RateLimited as error:
                self.limiter.refused(error, "")
                raise

        return await self._retried(endpoint, once)

    async def write(self, endpoint: str, fields: Mapping[str, Any], *, pair: str = "", as_json: bool = False) -> Any:
        """The result of a private endpoint that changes something. Sent once, never again.

        Raises KrakenUnknown for everything that is not a clear answer. `pair` is told when its limit is reached.
        """
        await self.limiter.private(endpoint)
        try:
            return await self._signed(endpoint, fields, write=True, as_json=as_json)
        except RateLimited as error:
            self.limiter.refused(error, pair)
            raise

    async def _retried(self, endpoint: str, once: Callable[[], Awaitable[Any]]) -> Any:
        for attempt in range(1, READ_ATTEMPTS + 1):
            try:
                return await once()
            except (Transient, NonceRefused, RateLimited) as error:
                pause = self._pause(attempt, error)
                if attempt == READ_ATTEMPTS or pause is None:
                    raise
                get_logger().warning(
                    "kraken read failed", endpoint=endpoint, attempt=attempt, pause_seconds=round(pause, 2),
                    reason=str(error), at=self._clock.now(),
                )  # fmt: skip
            await self._pace.sleep(pause)
        raise AssertionError("every attempt returns or raises")

    def _pause(self, attempt: int, error: BrainError) -> float | None:
        """Seconds before the next attempt; None when there should be none."""
        pause = backoff(attempt, first=PAUSE_FIRST_SECONDS, most=PAUSE_MOST_SECONDS, chance=self._chance)
        if isinstance(error, NonceRefused):
            return 0.0 if attempt == 1 else None
        if isinstance(error, RateLimited):
            return None if error.wait_seconds > RATE_PATIENCE_SECONDS else max(pause, error.wait_seconds)
        return pause

    async def _signed(self, endpoint: str, fields: Mapping[str, Any], *, write: bool, as_json: bool = False) -> Any:
        if self._credentials is None or self._nonces is None:
            raise KeyRefused(f"{endpoint} needs an API key: set KRAKEN_API_KEY and KRAKEN_API_SECRET")
        try:
            # An order that waited long was decided on old prices; a question has time.
            async with self._turn.taken(urgent=write, within=self._turn_seconds if write else None):
                return await self._send_signed(self._credentials, self._nonces, endpoint, fields, write, as_json)
        except NoTurn as error:
            raise NotSent(f"{endpoint}: {error}; nothing was sent") from None

    async def _send_signed(
        self, credentials: Credentials, nonces: NonceSource, endpoint: str, fields: Mapping[str, Any], write: bool,
        as_json: bool,
    ) -> Any:  # fmt: skip
        path = f"/0/private/{endpoint}"
        nonce = nonces.next()
        signed = {"nonce": str(nonce), **fields}
        body = (encode_json(signed) if as_json else encode_form(signed)).encode("ascii")
        headers = {
            "API-Key": credentials.key.reveal(),
            "API-Sign": sign(path, nonce, body, credentials.secret),
            "Content-Type": "application/json" if as_json else "application/x-www-form-urlencoded",
        }
        request = HttpRequest("POST", path, body=body, headers=headers)
        try:
            result = await self._ask(request, endpoint, self._write_seconds if write else self._read_seconds, write=write)
        except NonceRefused:
            self._nonces_refused += 1
            if self._nonces_refused >= NONCES_REFUSED_MAX:
                raise KeyRefused(
                    f"Kraken refused {self._nonces_refused} nonces in a row: another program uses this API key. "
                    "Give each program a key of its own"
                ) from None
            raise
        self._nonces_refused = 0
        return result

    async def _ask(self, request: HttpRequest, endpoint: str, seconds: float, *, write: bool) -> Any:
        """Send once and read the envelope."""
        try:
            status, content = await self._http.send(request, seconds)
        except _NEVER_CONNECTED as error:
            reason = f"no connection to {self._addresses.rest} ({type(error).__name__})"
            raise (NotSent if write else KrakenUnavailable)(f"{endpoint}: {reason}; nothing was sent") from None
        except (TimeoutError, httpx.HTTPError, httpx.StreamError, OSError) as error:
            late = isinstance(error, TimeoutError | httpx.TimeoutException)
            reason = "no answer in time" if late else f"the connection failed ({type(error).__name__})"
            raise _lost(endpoint, reason, write) from None
        if status == httpx.codes.TOO_MANY_REQUESTS:
            raise RateLimited(f"Kraken's rate limit stopped {endpoint} (HTTP 429)", wait_seconds=RATE_WAIT_SECONDS)
        if status != httpx.codes.OK:
            raise _lost(endpoint, f"HTTP {status} instead of an answer", write)
        try:
            return self._open(content, endpoint, write=write)
        except MalformedAnswer as error:
            if write:
                raise KrakenUnknown(f"{endpoint}: {error}; it may have happened") from None
            raise

    def _open(self, content: bytes, endpoint: str, *, write: bool) -> Any:
        """The result inside the envelope, or its errors raised. Warnings (W...) are logged."""
        envelope = parse_json(content)
        if not isinstance(envelope, dict) or "error" not in envelope:
            raise MalformedAnswer(f"{endpoint}: the answer is no envelope of error and result")
        told = [str(code) for code in list_of(envelope["error"], f"{endpoint}.error")]
        if warnings := [code for code in told if code.startswith("W")]:
            get_logger().warning("kraken warns", endpoint=endpoint, warnings=warnings, at=self._clock.now())
        if errors := [code for code in told if not code.startswith("W")]:
            raise error_of(errors, endpoint, write=write, now_seconds=self._clock.now().timestamp())
        if envelope.get("result") is None:
            raise MalformedAnswer(f"{endpoint}: there is no result; the key may lack the permission for it")
        return envelope["result"]


def _lost(endpoint: str, reason: str, write: bool) -> BrainError:
    if write:
        return KrakenUnknown(f"{endpoint}: {reason}; it may have happened")
    return KrakenUnavailable(f"{endpoint}: {reason}")
