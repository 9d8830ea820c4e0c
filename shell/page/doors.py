"""Who may ask the page, and how: by its own name, by GET, with the password where there is one; and what browsers are told.

A page on 127.0.0.1 is still reached by any web site the operator visits: through a host name that its owner points at this
machine (DNS rebinding). So the Host header must name an address in numbers, localhost, or a name from the settings.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shell.secrets import Secret

# Nothing but our own files, no frame around us, no form, no plug-in.
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
METHODS = ("GET", "HEAD")


class Doors:
    """The middleware before every answer."""

    def __init__(self, app: ASGIApp, *, names: Iterable[str] = (), token: Secret | None = None) -> None:
        self._app = app
        self._names = frozenset({"localhost", *(name.lower().rstrip(".") for name in names)})
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        headers = Headers(scope=scope)
        await (self._refusal(scope["method"], headers) or self._app)(scope, receive, send_marked)

    def _refusal(self, method: str, headers: Headers) -> PlainTextResponse | None:
        if not named_by(headers.get("host", ""), self._names):
            return PlainTextResponse("This page is not served under that name: see [page] names.\n", 421)
        if method not in METHODS:
            return PlainTextResponse("This page can only be read.\n", 405, {"Allow": ", ".join(METHODS)})
        if self._token is not None and not self._opens(headers.get("authorization", "")):
            ask = {"WWW-Authenticate": 'Basic realm="trading brain", charset="UTF-8"'}
            return PlainTextResponse("The password is the secret PAGE_TOKEN; any user name will do.\n", 401, ask)
        return None

    def _opens(self, header: str) -> bool:
        """True for the token as a Bearer or as a Basic password. Compared in constant time."""
        kind, _, given = header.partition(" ")
        if kind.lower() == "basic":
            try:
                given = base64.b64decode(given.strip(), validate=True).decode().partition(":")[2]
            except (binascii.Error, UnicodeDecodeError):
                return False
        elif kind.lower() != "bearer":
            return False
        return self._token is not None and hmac.compare_digest(given.encode(), self._token.reveal().encode())


def named_by(host: str, names: Iterable[str]) -> bool:
    """True when a Host header names one of `names` or an address in numbers, which nobody can point elsewhere."""
    name = host.rpartition("]")[0].removeprefix("[") if host.startswith("[") else host.partition(":")[0]
    if name.lower().rstrip(".") in names:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
