"""Secrets: a type that shows nothing of itself, and the only place that reads them.

They come from the environment or from a `.env` file, never from the settings, and are never written anywhere, not even
into this process's own environment, which every child would inherit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from dotenv import dotenv_values

from shell.errors import BadInput

MASK = "********"

KRAKEN_API_KEY = "KRAKEN_API_KEY"
KRAKEN_API_SECRET = "KRAKEN_API_SECRET"
TELEGRAM_BOT_TOKEN = "TELEGRAM_BOT_TOKEN"
ANTHROPIC_API_KEY = "ANTHROPIC_API_KEY"
CONTROL_TOKEN = "CONTROL_TOKEN"
# What `gcloud auth print-access-token` prints, under the name that gcloud itself reads.
CLOUDSDK_AUTH_ACCESS_TOKEN = "CLOUDSDK_AUTH_ACCESS_TOKEN"
PAGE_TOKEN = "PAGE_TOKEN"
BRAIN_DATABASE_URL = "BRAIN_DATABASE_URL"
# Under the name that Prefect itself reads.
PREFECT_API_AUTH_STRING = "PREFECT_API_AUTH_STRING"
SECRET_NAMES = (
    KRAKEN_API_KEY, KRAKEN_API_SECRET, TELEGRAM_BOT_TOKEN, ANTHROPIC_API_KEY, CONTROL_TOKEN, CLOUDSDK_AUTH_ACCESS_TOKEN,
    PAGE_TOKEN, BRAIN_DATABASE_URL, PREFECT_API_AUTH_STRING,
)


class Secret:
    """Text that appears as asterisks in repr, str, format, logs and tracebacks; `reveal()` is the one way to it.

    It cannot be pickled, copied into JSON, or changed, and equals only another Secret with the same text.
    """

    __slots__ = ("__text",)
    __text: str

    def __init__(self, text: str) -> None:
        object.__setattr__(self, "_Secret__text", text)

    def reveal(self) -> str:
        """The text itself, for the call that needs it and nothing else."""
        return self.__text

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a secret is immutable")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.__text == other.__text

    def __hash__(self) -> int:
        return hash((Secret, self.__text))

    def __bool__(self) -> bool:
        return bool(self.__text)

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret cannot be pickled or copied")

    __reduce__ = __reduce_ex__  # type: ignore[assignment]


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """Every secret this system knows; None where it is not set."""

    kraken_api_key: Secret | None = None
    kraken_api_secret: Secret | None = None
    telegram_bot_token: Secret | None = None
    anthropic_api_key: Secret | None = None
    control_token: Secret | None = None
    cloudsdk_auth_access_token: Secret | None = None
    page_token: Secret | None = None
    brain_database_url: Secret | None = None
    prefect_api_auth_string: Secret | None = None

    def known(self) -> tuple[Secret, ...]:
        """Those that are set, for the log's mask."""
        every = (
            self.kraken_api_key, self.kraken_api_secret, self.telegram_bot_token, self.anthropic_api_key,
            self.control_token, self.cloudsdk_auth_access_token, self.page_token, self.brain_database_url,
            self.prefect_api_auth_string,
        )
        return tuple(secret for secret in every if secret is not None)


def load_secrets(environ: Mapping[str, str], env_file: Path | None = None) -> Secrets:
    """The secrets of `environ`, or of `env_file` where the environment lacks one; empty text counts as not set.

    A file that does not exist is no mistake. Raises BadInput, without any content, for one that cannot be read.
    """
    written = _read_env_file(env_file)
    found: dict[str, Secret | None] = {}
    for name in SECRET_NAMES:
        text = (environ.get(name) or written.get(name) or "").strip()
        found[name.lower()] = Secret(text) if text else None
    return Secrets(**found)


def read_environment(environ: Mapping[str, str], env_file: Path | None, names: Iterable[str]) -> dict[str, str]:
    """Those of `names`, which are no secrets, that the environment or `env_file` sets; the environment wins."""
    written = _read_env_file(env_file)
    found = {name: (environ.get(name) or written.get(name) or "").strip() for name in names}
    return {name: text for name, text in found.items() if text}


def _read_env_file(env_file: Path | None) -> Mapping[str, str | None]:
    if env_file is None or not env_file.exists():
        return {}
    try:
        # Without interpolation: a "$" is part of the key, and our environment has no business in it.
        return dotenv_values(env_file, interpolate=False, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise BadInput(f"{env_file} cannot be read: {reason}") from None
