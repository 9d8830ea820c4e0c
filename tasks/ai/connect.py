"""From settings and secrets to a client: Anthropic's own API, or Claude on Vertex. Only here is a model's key revealed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shell.config_ai import AiConfig
from shell.errors import BadInput, NotNow
from shell.home import Home
from shell.secrets import Secret, load_secrets, read_environment
from tasks.ai.discreet import DiscreetModels
from tasks.ai.sdk import SILENCE_SECONDS, SdkModels

if TYPE_CHECKING:
    from ssl import SSLContext

    from anthropic import AsyncAnthropic, AsyncAnthropicVertex, DefaultAsyncHttpxClient

ANTHROPIC_URL = "https://api.anthropic.com"
ANTHROPIC_BASE_URL = "ANTHROPIC_BASE_URL"
VERTEX_BASE_URL = "ANTHROPIC_VERTEX_BASE_URL"
# Set by `use_access`; a plain module value, because flows run in threads and loops of Prefect's choosing.
_given: list[ModelAccess] = []
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAccess:
    """What the environment says of models: addresses, empty for the vendors' own, and secrets."""

    anthropic_key: Secret | None = None
    anthropic_url: str = ""
    vertex_url: str = ""
    vertex_token: Secret | None = None


@contextmanager
def use_access(access: ModelAccess) -> Iterator[None]:
    """Let every call of this process go by `access` until the block ends, whatever the environment says: for a rehearsal."""
    _given.append(access)
    try:
        yield
    finally:
        _given.pop()


def access_from(environ: Mapping[str, str] | None = None, env_file: Path | None = None) -> ModelAccess:
    """Read the environment, or the project's `.env` where it is silent."""
    if environ is None and env_file is None and _given:
        return _given[-1]
    given = os.environ if environ is None else environ
    file = env_file if env_file is not None or environ is not None else Home.project().env_file
    secrets = load_secrets(given, file)
    urls = read_environment(given, file, (ANTHROPIC_BASE_URL, VERTEX_BASE_URL))
    return ModelAccess(
        anthropic_key=secrets.anthropic_api_key, anthropic_url=urls.get(ANTHROPIC_BASE_URL, ""),
        vertex_url=urls.get(VERTEX_BASE_URL, ""), vertex_token=secrets.cloudsdk_auth_access_token,
    )


def connected(ai: AiConfig, provider: str, access: ModelAccess) -> DiscreetModels:
    """The models of `provider`. Raises NotNow where what they need is not set, BadInput for an address that leaks a key."""
    if provider == "anthropic":
        return _anthropic(ai, access)
    if provider == "vertex":
        return _vertex(ai, access)
    raise BadInput(f"there is no provider {provider!r}: local, anthropic or vertex")


def _anthropic(ai: AiConfig, access: ModelAccess) -> DiscreetModels:
    key = access.anthropic_key
    if key is None:
        raise NotNow("provider anthropic needs its key: set ANTHROPIC_API_KEY in the environment or in .env")
    url = checked_address(access.anthropic_url or ai.anthropic.base_url or ANTHROPIC_URL)

    def connect() -> AsyncAnthropic:
        from anthropic import AsyncAnthropic

        return AsyncAnthropic(
            api_key=key.reveal(), base_url=url, max_retries=0, timeout=SILENCE_SECONDS, http_client=_straight(url)
        )

    return _models(ai, "anthropic", connect, (key,), structured=True)


def _vertex(ai: AiConfig, access: ModelAccess) -> DiscreetModels:
    try:
        import google.auth  # noqa: F401  what the SDK needs of the extra
    except ImportError:
        raise NotNow("provider vertex needs google-auth: install the extra `vertex`") from None
    if not ai.vertex.project_id:
        raise NotNow("provider vertex needs the Google Cloud project: [ai.vertex] project_id in config/settings.toml")
    token = access.vertex_token
    url = checked_address(access.vertex_url) if access.vertex_url else None

    def connect() -> AsyncAnthropicVertex:
        from anthropic import AsyncAnthropicVertex

        return AsyncAnthropicVertex(
            region=ai.vertex.region, project_id=ai.vertex.project_id, base_url=url, max_retries=0,
            timeout=SILENCE_SECONDS, access_token=None if token is None else token.reveal(), http_client=_straight(url),
        )

    secrets = () if token is None else (token,)
    return _models(ai, "vertex", connect, secrets, structured=ai.vertex.structured_outputs == "on")


def _models(
    ai: AiConfig, name: str, connect: Callable[[], AsyncAnthropic | AsyncAnthropicVertex], secrets: tuple[Secret, ...], *,
    structured: bool,
) -> DiscreetModels:
    models = SdkModels(
        name=name, connect=connect, structured=structured,
        deadline_seconds=ai.call_deadline.total_seconds(), retries_max=ai.retries_max,
    )
    return DiscreetModels(models, secrets)


def _straight(url: str | None) -> DefaultAsyncHttpxClient:
    """A way to the address and nowhere else: no redirect takes the key and the prompt along, and what is meant for this machine
    goes through no proxy of the environment's."""
    from anthropic import DefaultAsyncHttpxClient

    trusted = _certificates()
    if url is None or url.startswith("https://"):
        return DefaultAsyncHttpxClient(follow_redirects=False, verify=trusted)
    return DefaultAsyncHttpxClient(follow_redirects=False, verify=trusted, mounts={"all://": None, "http://": None})


@cache
def _certificates() -> SSLContext:
    """The authorities a connection is checked against, read once: reading them takes more processor time than a call."""
    import httpx2

    return httpx2.create_ssl_context()


def checked_address(url: str) -> str:
    """A key goes over an encrypted connection, or stays on this machine."""
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return url.rstrip("/")
    raise BadInput(f"{parts.scheme}://{parts.hostname} would carry the key unencrypted: use https, or a stand-in on 127.0.0.1")
