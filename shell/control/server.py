"""The control API as a companion: a thread with its own event loop, a Unix socket of mode 0600, and TCP only by setting.

Nothing here can hold the trading thread up: requests wait in threads of their own, and what they ask goes through `Calls`.
"""

from __future__ import annotations

import hmac
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from threading import Thread
from typing import Any, TypeAlias

import uvicorn

from shell.calls import Calls
from shell.companion import LinkHealth
from shell.config import ControlConfig
from shell.control.api import create_app
from shell.errors import Rejected
from shell.home import make_private
from shell.log import get_logger
from shell.secrets import Secret

STOP_SECONDS = 5.0
BACKLOG = 64
TOKEN_LENGTH_MIN = 16

Scope: TypeAlias = dict[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Any]]
Send: TypeAlias = Callable[[dict[str, Any]], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


class ControlApi:
    """Serves one shell. `path` is the socket, in a folder that belongs to its owner alone."""

    def __init__(self, path: Path, config: ControlConfig | None = None, token: Secret | None = None) -> None:
        self._path = path
        self._config = config or ControlConfig()
        self._token = token
        self._servers: list[uvicorn.Server] = []
        self._threads: list[Thread] = []
        self._bound: os.stat_result | None = None

    @property
    def name(self) -> str:
        return "control"

    def start(self, calls: Calls) -> None:
        """Listen. Raises Rejected for a TCP port without a token or in use, or a folder that is not ours alone."""
        application = create_app(calls)
        sockets: list[tuple[socket.socket, Any]] = [(self._listen_here(), application)]
        try:
            if self._config.tcp_port:
                sockets.append((self._listen_on_tcp(), _guarded(application, self._token)))
        except BaseException:
            sockets[0][0].close()
            self._remove()
            raise
        for listening, served in sockets:
            self._serve(listening, served)

    def stop(self) -> None:
        for server in self._servers:
            server.should_exit = True
        for thread in self._threads:
            thread.join(STOP_SECONDS)
        self._servers, self._threads = [], []
        self._remove()

    def health(self) -> LinkHealth:
        alive = bool(self._threads) and all(thread.is_alive() for thread in self._threads)
        there = "" if alive else "the control API is not running: flows cannot ask; trading goes on"
        return LinkHealth(name=self.name, ok=alive, sentence=there)

    def _serve(self, listening: socket.socket, application: Any) -> None:
        server = uvicorn.Server(uvicorn.Config(
            application, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=2, ws="none",
        ))
        thread = Thread(target=server.run, args=([listening],), name=f"control-{len(self._threads)}", daemon=True)
        thread.start()
        self._servers.append(server)
        self._threads.append(thread)

    def _listen_here(self) -> socket.socket:
        """Whoever holds the home's lock owns this path: a socket that is there was left by a shell that died."""
        make_private(self._path.parent)
        self._path.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listening.bind(str(self._path))
        # The folder is closed to others already, so there is no moment at which they could connect.
        self._path.chmod(0o600)
        listening.listen(BACKLOG)
        self._bound = self._path.stat()
        return listening

    def _listen_on_tcp(self) -> socket.socket:
        host, port = self._config.tcp_host, self._config.tcp_port
        if not self._token:
            raise Rejected(f"[control] tcp_port = {port} needs the secret CONTROL_TOKEN: without one anybody could command")
        if len(self._token.reveal()) < TOKEN_LENGTH_MIN:
            raise Rejected(f"CONTROL_TOKEN has fewer than {TOKEN_LENGTH_MIN} characters: who guesses it commands the shell")
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
        except OSError as error:
            listening.close()
            raise Rejected(f"[control] {host}:{port} cannot be listened on: {error.strerror}") from None
        listening.listen(BACKLOG)
        get_logger().warning("the control API listens on TCP, unencrypted: let only a private network reach it", port=port)
        return listening

    def _remove(self) -> None:
        """Take our own socket away, never that of a successor."""
        try:
            if self._bound is not None and os.path.samestat(self._path.stat(), self._bound):
                self._path.unlink()
        except FileNotFoundError:
            pass
        self._bound = None


def _guarded(application: Any, token: Secret | None) -> Application:
    """`application` for those who know the token; nobody else learns even which routes there are."""
    expected = f"Bearer {token.reveal() if token else ''}".encode()

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            given = dict(scope["headers"]).get(b"authorization", b"")
            if not token or not hmac.compare_digest(given, expected):
                body = b'{"kind":"Rejected","message":"the token is missing or wrong","findings":[],"line":null}'
                headers = [(b"content-type", b"application/json"), (b"www-authenticate", b"Bearer")]
                await send({"type": "http.response.start", "status": 401, "headers": headers})
                await send({"type": "http.response.body", "body": body})
                return
        await application(scope, receive, send)

    return guard
