"""The page as a companion of the shell, or alone: a small web server in a thread of its own."""

from __future__ import annotations

import errno
import ipaddress
import socket
from threading import Thread

import uvicorn

from shell.calls import Calls
from shell.companion import LinkHealth
from shell.config import Settings
from shell.errors import NotNow, Rejected
from shell.home import Home
from shell.page.feed import Feed
from shell.page.links import Links, no_links
from shell.page.reader import PageReader
from shell.page.site import site
from shell.secrets import PAGE_TOKEN, Secret

STOP_SECONDS = 5.0
TOKEN_CHARS_MIN = 16


class Page:
    """Serves one home. `links` is asked from a thread of the page's every few seconds, and must not wait for the shell."""

    name = "page"

    def __init__(self, home: Home, settings: Settings, *, token: Secret | None = None, links: Links = no_links) -> None:
        self._config = settings.page
        self._token = token
        self._feed = Feed(PageReader(home, settings), links)
        self._server: uvicorn.Server | None = None
        self._thread: Thread | None = None
        self.url = ""

    def start(self, calls: Calls | None = None) -> None:
        """Listen and return. Raises Rejected where the settings forbid it, NotNow where the port is taken.

        The page reads the database itself: it takes `calls` like every companion, and never uses them.
        """
        require_token(self._config.host, self._token)
        listening = _listen(self._config.host, self._config.port)
        host, port = listening.getsockname()[:2]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
        config = uvicorn.Config(
            site(self._feed, names=self._config.names, token=self._token), log_config=None, access_log=False, ws="none",
            server_header=False, timeout_graceful_shutdown=1, timeout_keep_alive=5, limit_concurrency=128, lifespan="on",
        )
        self._server = uvicorn.Server(config)
        self._thread = Thread(target=self._server.run, args=([listening],), name="page", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        if self._server is not None and self._thread is not None:
            if self._thread.is_alive():
                self._feed.end()
            self._server.should_exit = True
            self._thread.join(STOP_SECONDS)
            self._server = self._thread = None
            self._feed.close()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it has ended; False when `seconds` are over first."""
        if self._thread is None:
            return True
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def health(self) -> LinkHealth:
        running = self._thread is not None and self._thread.is_alive()
        if running and self._feed.failure:
            told = f"could not read the home ({self._feed.failures} times, last: {self._feed.failure}); trading is not affected"
            return LinkHealth(name=self.name, ok=False, sentence=told)
        return LinkHealth(name=self.name, ok=running, sentence=self.url if running else "not running; trading is not affected")


def require_token(host: str, token: Secret | None) -> None:
    """Raises Rejected for an address beyond this machine without a password, and for a password that is short."""
    if token is not None and len(token.reveal()) < TOKEN_CHARS_MIN:
        asked = f"{TOKEN_CHARS_MIN} characters or more, such as `openssl rand -hex 16` gives"
        raise Rejected(f"{PAGE_TOKEN} is too short: {asked}")
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        raise Rejected(f"[page] host is {host}, which is no address in numbers, such as 127.0.0.1") from None
    if token is None and not loopback:
        raise Rejected(
            f"the page would listen on {host}, which others can reach: set the secret {PAGE_TOKEN} in .env, "
            'or host = "127.0.0.1" under [page]'
        )


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        taken = error.errno == errno.EADDRINUSE
        reason = "another program listens there already" if taken else error.strerror
        raise NotNow(f"the page cannot listen on {host}:{port}: {reason}; choose another port under [page]") from None
    return listening
