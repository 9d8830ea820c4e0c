"""Structured logs: one JSON object a line in `<home>/logs`, readable lines on a terminal (stderr: stdout has results).

Two times: `at` is the time of what happened, by the clock of whoever logs it (virtual in a rehearsal); `logged_at` is
the machine's. The ids of `following` let one signal be followed to its last fill. Secrets are masked wherever they are.
"""

from __future__ import annotations

import json
import logging
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any
from urllib.parse import quote

import structlog
from structlog.contextvars import bound_contextvars, merge_contextvars
from structlog.typing import FilteringBoundLogger

from shell.clock import Clock, SystemClock
from shell.errors import BadInput
from shell.home import Home
from shell.money import plain
from shell.secrets import MASK, Secret

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
IDS = ("book", "slot", "version", "signal_id", "intent_id", "order_id", "fill_id")

_FIRST_KEYS = ("logged_at", "at", "level", "event", *IDS)
_DEPTH_MAX = 6
_TEXT_LENGTH_MAX = 20_000
# Anything shorter would mask ordinary words, and no real key is that short.
_SECRET_LENGTH_MIN = 4


def get_logger() -> FilteringBoundLogger:
    """A logger: `log.info("order submitted", at=now, qty=qty)`. Before `configure` only warnings show, on stderr."""
    if not structlog.is_configured():
        _install(_Writer(file=None, console=True, texts=(), clock=SystemClock()), "warning")
    logger: FilteringBoundLogger = structlog.get_logger()
    return logger


def configure(
    home: Home,
    level: str = "info",
    *,
    console: bool = True,
    secrets: Iterable[Secret] = (),
    file_bytes_max: int = 10_000_000,
    files_kept: int = 5,
    name: str = "brain",
    clock: Clock | None = None,
) -> Path:
    """Write `level` and above to `<home>/logs/<name>.jsonl`, rotated at `file_bytes_max`; returns that path.

    `secrets` are masked even inside other text. Each process needs a `name` of its own. May be called again: the last
    call holds. Raises BadInput when the file cannot be opened.
    """
    close()
    path = home.logs / f"{name}.jsonl"
    try:
        home.logs.mkdir(parents=True, exist_ok=True)
        file = RotatingFileHandler(path, maxBytes=file_bytes_max, backupCount=files_kept, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"the log {path} cannot be opened: {error.strerror}") from None
    file.setFormatter(logging.Formatter("%(message)s"))
    writer = _Writer(file=file, console=console, texts=_masked_texts(secrets), clock=clock or SystemClock())
    _install(writer, level)
    # httpx logs every URL at level info, and a bot's token is part of Telegram's.
    for talkative in ("httpx", "httpcore"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    return path


def close() -> None:
    """Flush and close the file; afterwards only warnings show, on the terminal."""
    writer = structlog.get_config()["logger_factory"] if structlog.is_configured() else None
    if isinstance(writer, _Writer) and writer.file is not None:
        writer.file.close()
    structlog.reset_defaults()
    get_logger()


@contextmanager
def following(
    *,
    at: datetime | None = None,
    book: str | None = None,
    slot: datetime | None = None,
    version: str | None = None,
    signal_id: str | None = None,
    intent_id: str | None = None,
    order_id: str | None = None,
    fill_id: str | None = None,
) -> Iterator[None]:
    """Everything logged inside carries these ids, in this thread or task, on top of those already followed."""
    given = {
        "at": at,
        "book": book,
        "slot": slot,
        "version": version,
        "signal_id": signal_id,
        "intent_id": intent_id,
        "order_id": order_id,
        "fill_id": fill_id,
    }
    with bound_contextvars(**{key: value for key, value in given.items() if value is not None}):
        yield


@dataclass(frozen=True, slots=True, kw_only=True)
class _Writer:
    """Where lines go. It is structlog's logger and the factory of it in one."""

    file: RotatingFileHandler | None
    console: bool
    texts: tuple[str, ...]
    clock: Clock

    def __call__(self, *_names: object) -> _Writer:
        return self

    def write(self, **facts: Any) -> None:
        facts["logged_at"] = self.clock.now()
        ordered = {key: facts[key] for key in _FIRST_KEYS if key in facts}
        ordered.update((key, facts[key]) for key in sorted(facts) if key not in ordered)
        shown = {str(key): _plain(value, self.texts, 0) for key, value in ordered.items()}
        if self.file is not None:
            line = json.dumps(shown, separators=(",", ":"), allow_nan=False)
            self.file.emit(logging.LogRecord("brain", logging.INFO, "", 0, line, None, None))
        if self.console:
            # A terminal that went away must not stop trading.
            with suppress(OSError, ValueError):
                sys.stderr.write(_for_people(shown) + "\n")

    debug = info = warning = error = critical = write


def _install(writer: _Writer, level: str) -> None:
    structlog.configure(
        processors=[merge_contextvars, structlog.processors.add_log_level, structlog.processors.format_exc_info, _keep],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=writer,
        # Cached loggers would keep the sinks they first saw.
        cache_logger_on_first_use=False,
    )


def _keep(_logger: object, _method: str, facts: MutableMapping[str, Any]) -> Mapping[str, Any]:
    return facts


def _masked_texts(secrets: Iterable[Secret]) -> tuple[str, ...]:
    """The texts to mask: each secret, as it is and as it stands in a URL, the longest first."""
    texts = {secret.reveal() for secret in secrets}
    texts |= {quote(text, safe="") for text in texts}
    long_enough = (text for text in texts if len(text) >= _SECRET_LENGTH_MIN)
    return tuple(sorted(long_enough, key=lambda text: (-len(text), text)))


def _plain(value: object, texts: tuple[str, ...], depth: int) -> object:
    """`value` as JSON can hold it, money and times as people write them, with every secret masked."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if depth < _DEPTH_MAX:
        if isinstance(value, Mapping):
            return {_text(key, texts): _plain(item, texts, depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [_plain(item, texts, depth + 1) for item in value]
        if isinstance(value, set | frozenset):
            return sorted(_text(item, texts) for item in value)
    return _text(value, texts)


def _text(value: object, texts: tuple[str, ...]) -> str:
    match value:
        case Secret():
            return MASK
        case Enum():
            text = str(value.value)
        case Decimal() if value.is_finite():
            text = plain(value)
        case datetime():
            text = value.isoformat()
        case timedelta():
            text = f"{value.total_seconds()}s"
        case _:
            text = str(value)
    for secret in texts:
        text = text.replace(secret, MASK)
    return text if len(text) <= _TEXT_LENGTH_MAX else text[:_TEXT_LENGTH_MAX] + "…"


def _for_people(shown: Mapping[str, object]) -> str:
    """One line for a terminal: time, level, event, then the rest as key=value, without control characters."""
    moment = str(shown.get("at", shown["logged_at"]))[:19].replace("T", " ")
    head = f"{moment} {str(shown.get('level', 'info')).upper():<7} {shown.get('event', '')}"
    rest = (f"{key}={item}" for key, item in shown.items() if key not in _FIRST_KEYS[:4] and key != "exception")
    line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in "  ".join((head, *rest)))
    trace = str(shown.get("exception", ""))
    return line + "\n" + "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in trace) if trace else line
