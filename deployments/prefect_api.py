"""Prefect's REST interface as we ask it: where it is, the password it asks for, one question at a time.

Without prefect itself, whose import takes two seconds and a hundred megabytes.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import httpx

from deployments.prefect_password import Password
from shell.errors import NotNow, Rejected, Transient

ASK_SECONDS_MAX = 30.0
HEALTH_SECONDS_MAX = 5.0
# Cheap, and not one of the two paths that Prefect answers to everybody.
DOOR = "/admin/version"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefectApi:
    """Where a server answers, such as http://127.0.0.1:4200/api, and what it asks for."""

    url: str
    password: Password

    def headers(self) -> dict[str, str]:
        """What a question carries. They hold the password: for the request alone."""
        word = base64.b64encode(self.password.secret.reveal().encode("ascii")).decode("ascii")
        return {"Authorization": f"Basic {word}"}


@lru_cache(maxsize=1)
def _http() -> httpx.Client:
    """One client for all: each new one loads the certificates, which polled five times a second is half a core."""
    return httpx.Client(timeout=ASK_SECONDS_MAX, trust_env=False)


def is_healthy(url: str) -> bool:
    """Whether a server answers. It says so to everybody, so no password is sent."""
    try:
        return _http().get(f"{url}/health", timeout=HEALTH_SECONDS_MAX).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def is_open(url: str) -> bool:
    """Whether a server tells more than its health without a password. Raises Transient when it does not answer."""
    return _ask("GET", url, DOOR).status_code != httpx.codes.UNAUTHORIZED


def call(api: PrefectApi, verb: str, path: str, body: Any) -> Any:
    """One question. Raises Transient when nobody answers, Rejected when the password is not taken, NotNow with Prefect's
    words when it refuses."""
    answer = send(api, verb, path, body)
    if answer.is_error:
        raise NotNow(f"Prefect answered {verb} {path} with {answer.status_code}: {answer.text[:300]}")
    return answer.json() if answer.content else None


def send(api: PrefectApi, verb: str, path: str, body: Any) -> httpx.Response:
    """The same, for whoever looks at refusals. Raises Transient, and Rejected when the password is not taken."""
    answer = _ask(verb, api.url, path, json=body, headers=api.headers())
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        told = f"Prefect at {api.url} does not take the password of {api.password.place}: it was started with another one"
        raise Rejected(f"{told}; `brain down`, then `brain up`, start it with this one")
    return answer


def _ask(verb: str, url: str, path: str, **asked: Any) -> httpx.Response:
    try:
        return _http().request(verb, f"{url}{path}", **asked)
    except httpx.TransportError as error:
        raise Transient(f"Prefect does not answer {path}: {error or type(error).__name__}") from None
