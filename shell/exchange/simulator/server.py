"""The simulated exchange on real sockets: one port of 127.0.0.1 for REST, both WebSocket doors and the control endpoint."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from typing import Any, ClassVar
from weakref import WeakValueDictionary

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from uvicorn.protocols.http.h11_impl import H11Protocol

from shell.exchange.simulator.desk import Desk
from shell.exchange.simulator.faults import Plan
from shell.exchange.simulator.precision import ZERO
from shell.exchange.simulator.rest import Fate, Request
from shell.exchange.simulator.tape import Tape
from shell.exchange.simulator.venue import Rules
from shell.exchange.simulator.ws import Session

HOST = "127.0.0.1"
PUBLIC_WS, PRIVATE_WS = "/v2", "/auth/v2"
TICK_S = 0.02
HEARTBEAT_S = 1.0
HANG_S = 120.0
SHUTDOWN_S = 2
# Closing with a linger of zero sends a reset instead of a farewell.
RESET = struct.pack("ii", 1, 0)


class _Protocol(H11Protocol):
    """HTTP whose connections can be found by the other side's address, so that a fault can cut one."""

    transports: ClassVar[WeakValueDictionary[tuple[str, int], Any]] = WeakValueDictionary()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self.client is not None:
            self.transports[self.client[0], self.client[1]] = transport


class _Server(uvicorn.Server):
    """A server that leaves signals to whoever runs it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Running:
    """A served exchange: its addresses, its keys, and the desk behind them."""

    def __init__(self, desk: Desk, port: int) -> None:
        self.desk = desk
        self.port = port
        self.rest = f"http://{HOST}:{port}"
        self.ws = f"ws://{HOST}:{port}{PUBLIC_WS}"
        self.ws_auth = f"ws://{HOST}:{port}{PRIVATE_WS}"

    def addresses(self) -> dict[str, str]:
        """What a client has to know."""
        return {
            "rest": self.rest, "ws": self.ws, "ws_auth": self.ws_auth, "key": self.desk.key, "secret": self.desk.secret,
        }


@contextlib.asynccontextmanager
async def running(
    tape: Tape, rules: Rules | None = None, *, port: int = 0, key: str = "", secret: str = "", speed: float = 0,
    plan: Plan | None = None,
) -> AsyncIterator[Running]:
    """Serve an exchange while the block runs. Port 0 takes a free one; speed 0 is lockstep. Raises OSError when the port
    is taken."""
    desk = Desk(tape, rules, key=key, secret=secret, speed=speed, plan=plan)
    # Named TCP, because asyncio sends small messages at once only where the socket says so: 1 ms instead of 45.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        config = uvicorn.Config(
            application(desk), http=_Protocol, ws="websockets-sansio", log_level="critical", access_log=False,
            lifespan="off", ws_per_message_deflate=False, timeout_graceful_shutdown=SHUTDOWN_S,
            timeout_keep_alive=75, server_header=False, backlog=512,
        )
        server = _Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        ticking = asyncio.create_task(_tick(desk))
        try:
            while not server.started:
                if serving.done():
                    serving.result()
                    raise OSError("the server of the simulated exchange ended before it began")
                await asyncio.sleep(0.005)
            yield Running(desk, listener.getsockname()[1])
        finally:
            ticking.cancel()
            for session in list(desk.sessions):
                session.drop()
            server.should_exit = True
            await serving
            with contextlib.suppress(asyncio.CancelledError):
                await ticking


def application(desk: Desk) -> Starlette:
    """The ASGI application of one exchange."""

    async def http(request: HttpRequest) -> Response:
        return await _answer(desk, request)

    async def public(socket: WebSocket) -> None:
        await _converse(desk, socket, private=False)

    async def private(socket: WebSocket) -> None:
        await _converse(desk, socket, private=True)

    return Starlette(
        routes=[
            # Clients that are given an address with /v2 may add another; only the door counts.
            WebSocketRoute("/auth{path:path}", private),
            WebSocketRoute("/{path:path}", public),
            Route("/{path:path}", http, methods=["GET", "POST"]),
        ]
    )


async def _answer(desk: Desk, request: HttpRequest) -> Response:
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    body = await request.body()
    answer = desk.request(Request(method=request.method, target=target, headers=dict(request.headers), body=body))
    if answer.fate is Fate.RESET:
        _reset(request)
        # Nobody is left to read this.
        return Response(status_code=502)
    if answer.fate is Fate.HANGS:
        await asyncio.sleep(HANG_S)
        return Response(status_code=504)
    if answer.delay_s:
        await asyncio.sleep(float(answer.delay_s))
    return Response(answer.body, status_code=answer.status, media_type=answer.kind)


def _reset(connection: HttpRequest | WebSocket) -> None:
    """Cut a connection without a word."""
    client = connection.client
    transport = None if client is None else _Protocol.transports.get((client.host, client.port))
    if transport is None:
        return
    raw = transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    transport.abort()


async def _converse(desk: Desk, connection: WebSocket, *, private: bool) -> None:
    await connection.accept()
    something = asyncio.Event()
    session = desk.connect(private=private, woken=something.set)
    sending = asyncio.create_task(_send(connection, session, something))
    try:
        while not session.cut:
            text = await connection.receive_text()
            desk.pace.catch_up()
            session.receive(text)
    except (WebSocketDisconnect, RuntimeError, KeyError):
        # Gone, cut by a fault, or a binary frame, which Kraken does not speak.
        pass
    finally:
        desk.disconnect(session)
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sending


async def _send(connection: WebSocket, session: Session, something: asyncio.Event) -> None:
    """Send what a session has to say, in order, at the pace its faults allow."""
    while True:
        await something.wait()
        something.clear()
        if session.delay_s:
            pause, session.delay_s = session.delay_s, ZERO
            await asyncio.sleep(float(pause))
        if session.silent_s:
            pause, session.silent_s = session.silent_s, ZERO
            await asyncio.sleep(float(pause))
            session.outbox.clear()
        try:
            while session.outbox:
                await connection.send_text(session.outbox.popleft())
        except (WebSocketDisconnect, RuntimeError):
            return
        if session.cut:
            _reset(connection)
            return


async def _tick(desk: Desk) -> None:
    """Let time pass and hearts beat."""
    ticks = 0
    while True:
        await asyncio.sleep(TICK_S)
        ticks += 1
        desk.pace.catch_up()
        if ticks % round(HEARTBEAT_S / TICK_S) == 0:
            for session in list(desk.sessions):
                session.heartbeat()
