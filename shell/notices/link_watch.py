"""Tells people of a link that stays broken, and of its return: once each, and not of what mends itself within minutes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from shell.notices.kinds import Severity

AFTER = timedelta(minutes=5)


class LinkWatch:
    """One link. `notify` takes kind, severity, text and moment."""

    def __init__(self, name: str, notify: Callable[[str, str, str, datetime], None], *, after: timedelta = AFTER) -> None:
        self._name = name
        self._notify = notify
        self._after = after
        self._since: datetime | None = None
        self._told = False

    def look(self, ok: bool, reason: str, now: datetime) -> None:
        """How the link stands at `now`; `reason` says why it is broken."""
        since, self._since = self._since, None if ok else self._since or now
        if ok:
            if self._told and since is not None:
                text = f"{self._name} is there again, after {_minutes(now - since)}; books and account are compared"
                self._notify("link", Severity.INFO.value, text, now)
            self._told = False
        elif not self._told and since is not None and now - since >= self._after:
            self._told = True
            why = f": {reason}" if reason else ""
            text = f"{self._name} has not answered for {_minutes(now - since)}{why}; nothing is opened, stops there stay"
            self._notify("link", Severity.WARNING.value, text, now)


def _minutes(span: timedelta) -> str:
    return f"{span / timedelta(minutes=1):.0f} min"
