"""A door between a client and a server on this machine that a test can shut, cut or let fall silent."""

from __future__ import annotations

import socket
from contextlib import suppress
from threading import Event, Thread
from urllib.parse import urlsplit


class Gate:
    """Forwards a port of its own to `target` while it is open. Cut connections see the other side vanish."""

    def __init__(self, target: str) -> None:
        self._target = (urlsplit(target).hostname or "127.0.0.1", urlsplit(target).port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._sockets: set[socket.socket] = set()
        self._open, self._loud, self._ended = True, Event(), False
        self._loud.set()
        Thread(target=self._serve, daemon=True).start()

    def address(self, url: str) -> str:
        """`url` of the server, through this door."""
        parts = urlsplit(url)
        return f"{parts.scheme}://127.0.0.1:{self.port}{parts.path}"

    def cut(self) -> None:
        """Every connection falls; new ones are let in."""
        for each in list(self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def shut(self) -> None:
        """Every connection falls and no new one is let in."""
        self._open = False
        self.cut()

    def unshut(self) -> None:
        self._open = True

    def hush(self) -> None:
        """Connections stay and nothing passes."""
        self._loud.clear()

    def unhush(self) -> None:
        self._loud.set()

    def close(self) -> None:
        self._ended = True
        self._loud.set()
        self.shut()
        self._listener.close()

    def _serve(self) -> None:
        while not self._ended:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if not self._open:
                client.close()
                continue
            try:
                server = socket.create_connection(self._target, timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            for one, other in ((client, server), (server, client)):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._sockets.add(one)
                Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._loud.wait()
                sink.sendall(data)
        for each in (source, sink):
            self._sockets.discard(each)
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
