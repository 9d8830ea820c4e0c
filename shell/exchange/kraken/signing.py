"""Signatures of private requests: pure, and checked against the vector of Kraken's documentation.

API-Sign = base64(HMAC-SHA512(key = base64-decoded secret, message = path + SHA-256(nonce + body))), where body is exactly
what is sent and holds the nonce too (docs.kraken.com, "REST authentication", read 2026-11).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass

from shell.errors import BadInput
from shell.secrets import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """One API key. Both halves are masked wherever they are shown."""

    key: Secret
    secret: Secret

    def __post_init__(self) -> None:
        """Refuses, without showing it, a secret that cannot be decoded: a cut-off paste is found here, not at an order."""
        _decoded(self.secret)


def sign(path: str, nonce: int, body: bytes, secret: Secret) -> str:
    """The API-Sign header. `path` begins with /0/private/."""
    digest = hashlib.sha256(str(nonce).encode("ascii") + body).digest()
    return base64.b64encode(hmac.digest(_decoded(secret), path.encode("ascii") + digest, "sha512")).decode("ascii")


def _decoded(secret: Secret) -> bytes:
    try:
        return base64.b64decode(secret.reveal(), validate=True)
    except (binascii.Error, ValueError):
        raise BadInput("KRAKEN_API_SECRET is not base64 text: copy the private key from Kraken again, whole") from None
