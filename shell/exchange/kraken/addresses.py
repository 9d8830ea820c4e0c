"""Where Kraken is: its own addresses, or those of a stand-in on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from shell.config import KrakenConfig
from shell.errors import BadInput

REST_URL = "https://api.kraken.com"
WS_URL = "wss://ws.kraken.com/v2"
WS_AUTH_URL = "wss://ws-auth.kraken.com/v2"
ENVIRONMENT = {"rest": "KRAKEN_REST_URL", "ws": "KRAKEN_WS_URL", "ws_auth": "KRAKEN_WS_AUTH_URL"}
LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """The three addresses, without a slash at the end. Raises BadInput for one that would send a key in the clear."""

    rest: str = REST_URL
    ws: str = WS_URL
    ws_auth: str = WS_AUTH_URL

    def __post_init__(self) -> None:
        for name, plain, safe in (("rest", "http", "https"), ("ws", "ws", "wss"), ("ws_auth", "ws", "wss")):
            address = getattr(self, name)
            parts = urlsplit(address)
            if parts.scheme not in (plain, safe) or not parts.hostname or parts.username or parts.query:
                raise BadInput(f"{address!r} is no address for Kraken's {name}: write {safe}://HOST")
            if parts.scheme == plain and parts.hostname not in LOCAL:
                raise BadInput(f"{address} is not encrypted; only a stand-in on this machine may be: write {safe}://")

    @property
    def local(self) -> bool:
        """True for a stand-in on this machine."""
        return urlsplit(self.rest).hostname in LOCAL


def addresses_of(config: KrakenConfig, environ: Mapping[str, str]) -> Addresses:
    """The environment's, else the settings', else Kraken's own."""
    defaults = {"rest": REST_URL, "ws": WS_URL, "ws_auth": WS_AUTH_URL}
    written = {"rest": config.rest_url, "ws": config.ws_url, "ws_auth": config.ws_auth_url}
    chosen = {
        name: (environ.get(ENVIRONMENT[name], "").strip() or written[name] or default).rstrip("/")
        for name, default in defaults.items()
    }
    return Addresses(**chosen)
