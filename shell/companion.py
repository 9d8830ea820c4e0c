"""What runs beside the trading loop: the control API, Telegram, the page, the watchdog. None of them can hold it up (D1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from shell.calls import Calls


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkHealth:
    """How one link stands, for `brain status`, Telegram and the page. `sentence` says what is wrong and what to do."""

    name: str
    ok: bool
    sentence: str = ""


class Companion(Protocol):
    """Lives in a thread of its own, asks through `Calls`, and may fail without anything else failing."""

    @property
    def name(self) -> str: ...

    def start(self, calls: Calls) -> None:
        """Begin, and return at once. Raises Rejected with a sentence where it cannot, such as a port in use."""

    def stop(self) -> None:
        """End within a few seconds. Never raises; stopping twice, or before `start`, is harmless."""

    def health(self) -> LinkHealth: ...
