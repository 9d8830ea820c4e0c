"""The outbox: messages for people, kept until a channel has told them, in the order they were written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, insert, select, update

from shell.store.database import Database
from shell.store.metadata import table_of
from shell.store.tables_nights import OutboxRow

OUTBOX = table_of(OutboxRow)
MARKED_AT_ONCE = 500
_INSERT = insert(OUTBOX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One message to a person. `action` is what to do about it, `key` names what it is about, "" for nothing of its own.

    `channel` says how it was told ("telegram", "log") or why nobody had to be ("muted"), "" while it waits.
    """

    id: int
    kind: str
    severity: str
    text: str
    at: datetime
    action: str = ""
    key: str = ""
    channel: str = ""


class Outbox:
    """At least once: a message stays until it is marked, so a crash in between repeats it rather than losing it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, kind: str, severity: str, text: str, at: datetime, *, action: str = "", key: str = "", channel: str = ""
    ) -> None:
        """Write a message down; with a `channel` as one that it has told already."""
        values = {
            "kind": kind, "severity": severity, "text": text, "at": at, "delivered_at": at if channel else None,
            "action": action or None, "key": key or None, "channel": channel or None,
        }
        with self._database.transaction() as connection:
            connection.execute(_INSERT, values)

    def told(self, key: str, since: datetime) -> bool:
        """Whether a message of this key was written at or after `since`."""
        statement = select(OUTBOX.c.id).where(OUTBOX.c.key == key, OUTBOX.c.at >= since).limit(1)
        with self._database.reading() as connection:
            return connection.execute(statement).first() is not None

    def undelivered(self, limit: int = 100) -> Sequence[Notification]:
        """The oldest messages that are still to be delivered."""
        return self._read(select(OUTBOX).where(OUTBOX.c.delivered_at.is_(None)).order_by(OUTBOX.c.id).limit(limit))

    def waiting(self) -> int:
        """How many messages are still to be delivered."""
        statement = select(func.count()).select_from(OUTBOX).where(OUTBOX.c.delivered_at.is_(None))
        with self._database.reading() as connection:
            return int(connection.execute(statement).scalar_one())

    def list(self, limit: int | None = None) -> Sequence[Notification]:
        """Messages, delivered or not, oldest first."""
        return self._read(select(OUTBOX).order_by(OUTBOX.c.id).limit(limit))

    def newest(self, limit: int) -> Sequence[Notification]:
        """The last messages written, delivered or not, oldest of them first."""
        return list(reversed(self._read(select(OUTBOX).order_by(OUTBOX.c.id.desc()).limit(limit))))

    def mark_delivered(self, ids: Sequence[int], at: datetime, channel: str = "log") -> None:
        """Say that these were told by `channel`. What was marked before stays as it was."""
        with self._database.transaction() as connection:
            for start in range(0, len(ids), MARKED_AT_ONCE):
                some = list(ids[start : start + MARKED_AT_ONCE])
                where = OUTBOX.c.id.in_(some) & OUTBOX.c.delivered_at.is_(None)
                connection.execute(update(OUTBOX).where(where).values(delivered_at=at, channel=channel))

    def _read(self, statement: Select[Any]) -> Sequence[Notification]:
        with self._database.reading() as connection:
            return [
                Notification(
                    id=row.id, kind=row.kind, severity=row.severity, text=row.text, at=row.at, action=row.action or "",
                    key=row.key or "", channel=row.channel or "",
                )
                for row in connection.execute(statement)
            ]
