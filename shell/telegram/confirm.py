"""Confirmations: what destroys something happens only after a code that was asked for, for its person, once, in time."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from shell.clock import monotonic

VALID_SECONDS = 60.0
CODES_MAX = 50
PRESSED_YES, PRESSED_NO = "yes:", "no:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A command that waits for its code."""

    owner: int
    command: str
    argument: str
    until: float


class Confirmations:
    """Codes that were given out, in memory alone: a restart forgets them, and nothing happens."""

    def __init__(self, seconds: Callable[[], float] = monotonic, new_code: Callable[[], str] | None = None) -> None:
        self._seconds = seconds
        self._new_code = new_code or (lambda: f"{secrets.randbelow(900_000) + 100_000}")
        self._waiting: dict[str, Asked] = {}

    def ask(self, owner: int, command: str, argument: str) -> str:
        """A code for this command of this person; a code they had before is void."""
        now = self._seconds()
        kept = ((code, each) for code, each in self._waiting.items() if each.until > now and each.owner != owner)
        self._waiting = dict(list(kept)[-CODES_MAX:])
        code = self._new_code()
        self._waiting[code] = Asked(owner=owner, command=command, argument=argument, until=now + VALID_SECONDS)
        return code

    def take(self, code: str, owner: int) -> Asked | None:
        """The command this code stands for, once; None for another person's, an old or an unknown one."""
        asked = self._waiting.get(code)
        if asked is None or asked.owner != owner:
            return None
        del self._waiting[code]
        return asked if self._seconds() < asked.until else None
