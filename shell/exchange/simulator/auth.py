"""Who may ask: API keys, signatures, nonces, lockouts, and the tokens of the private WebSocket."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from shell.exchange.simulator.moments import DAY_S, MINUTE_S, SECOND_NS
from shell.exchange.simulator.rate_counters import AccountTier, Counter
from shell.exchange.simulator.refusal import (
    INVALID_KEY,
    INVALID_NONCE,
    INVALID_SESSION,
    INVALID_SIGNATURE,
    LOCKOUT,
    PERMISSION,
    Refusal,
)

QUERY, TRADE, CANCEL, WEBSOCKET, WITHDRAW = "query", "trade", "cancel", "websocket", "withdraw"
TRADING_RIGHTS = frozenset({QUERY, TRADE, CANCEL, WEBSOCKET})
TOKEN_S = 900
LOCKOUT_NS = 15 * MINUTE_S * SECOND_NS
FAILURES_MAX = 20
NONCE_MAX = 2**64 - 1


@dataclass(slots=True, kw_only=True)
class Key:
    """One API key. `nonce_window` tolerates lower nonces within so many units, as the setting on Kraken's page does."""

    key: str
    secret: str = field(repr=False)
    rights: frozenset[str] = TRADING_RIGHTS
    otp: str | None = None
    nonce_window: int = 0
    highest_nonce: int = 0
    failures: int = 0
    locked_until_ns: int = 0
    counter: Counter


def make_pair_of_keys(seed: int) -> tuple[str, str]:
    """A public key and a base64 secret in Kraken's lengths, of a seed: they guard an exchange made of invented money."""
    chance = random.Random(seed)
    public = base64.b64encode(chance.randbytes(42)).decode()
    return public, base64.b64encode(chance.randbytes(64)).decode()


class KeyRing:
    """Every key of the account."""

    def __init__(self, tier: AccountTier) -> None:
        self._tier = tier
        self.keys: dict[str, Key] = {}

    def add(
        self, key: str, secret: str, *, rights: frozenset[str] = TRADING_RIGHTS, otp: str | None = None,
        nonce_window: int = 0,
    ) -> Key:
        """Let a key in. Raises ValueError for a secret that is not base64."""
        try:
            base64.b64decode(secret, validate=True)
        except binascii.Error:
            raise ValueError("an API secret is base64") from None
        counter = Counter(self._tier.api_max, self._tier.api_decay)
        made = Key(key=key, secret=secret, rights=rights, otp=otp, nonce_window=nonce_window, counter=counter)
        self.keys[key] = made
        return made

    def admit(
        self, path: str, headers: Mapping[str, str], body: bytes, params: Mapping[str, object], now_ns: int
    ) -> Key:
        """The key behind a private request. Raises Refusal; a signature counts over the bytes that were sent."""
        key = self.keys.get(headers.get("api-key", ""))
        if key is None:
            raise Refusal(INVALID_KEY)
        if now_ns < key.locked_until_ns:
            raise Refusal(LOCKOUT)
        nonce = params.get("nonce")
        text = str(nonce) if isinstance(nonce, str | int) and not isinstance(nonce, bool) else ""
        if not _signed(key.secret, path, text, body, headers.get("api-sign", "")):
            raise self._failed(key, INVALID_SIGNATURE, now_ns)
        if key.otp is not None and str(params.get("otp")) != key.otp:
            raise self._failed(key, INVALID_SIGNATURE, now_ns)
        if not text.isascii() or not text.isdigit() or int(text) > NONCE_MAX:
            raise self._failed(key, INVALID_NONCE, now_ns)
        value = int(text)
        if value <= key.highest_nonce - key.nonce_window or value == key.highest_nonce:
            raise self._failed(key, INVALID_NONCE, now_ns)
        key.highest_nonce = max(key.highest_nonce, value)
        key.failures = 0
        return key

    @staticmethod
    def _failed(key: Key, error: str, now_ns: int) -> Refusal:
        key.failures += 1
        if key.failures >= FAILURES_MAX:
            key.failures = 0
            key.locked_until_ns = now_ns + LOCKOUT_NS
        return Refusal(error)


def require(key: Key, right: str) -> None:
    """Raises Refusal unless the key has this right."""
    if right not in key.rights:
        raise Refusal(PERMISSION)


def _signed(secret: str, path: str, nonce: str, body: bytes, given: str) -> bool:
    digest = hashlib.sha256(nonce.encode() + body).digest()
    wanted = hmac.new(base64.b64decode(secret), path.encode() + digest, hashlib.sha512).digest()
    return hmac.compare_digest(base64.b64encode(wanted), given.encode())


class Tokens:
    """Tokens of the private WebSocket: good for 15 minutes, and for as long as a connection that uses one stays."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._expires_ns: dict[str, int] = {}

    def issue(self, now_ns: int) -> str:
        token = base64.b64encode(self._chance.randbytes(33)).decode()
        # A token may outlive its quarter of an hour on the connection that uses it, but not for days.
        long_ago = now_ns - DAY_S * SECOND_NS
        self._expires_ns = {each: at for each, at in self._expires_ns.items() if at > long_ago}
        self._expires_ns[token] = now_ns + TOKEN_S * SECOND_NS
        return token

    def check(self, token: object, now_ns: int, *, in_use: bool = False) -> str:
        """The token, if it may be used now. Raises Refusal."""
        expires_ns = self._expires_ns.get(token) if isinstance(token, str) else None
        if not isinstance(token, str) or expires_ns is None or (now_ns >= expires_ns and not in_use):
            raise Refusal(INVALID_SESSION)
        return token

    def void(self) -> None:
        """Forget every token, as an upgrade of the engine may."""
        self._expires_ns.clear()
