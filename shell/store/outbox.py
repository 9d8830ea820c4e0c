"""The outbox: notifications written in the transaction they tell of, delivered when a channel can."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, insert, select, update

from shell.store.database import Database
from shell.store.metadata import table_of
from shell.store.tables_nights import OutboxRow

OUTBOX = table_of(OutboxRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One message to a person."""

    id: int
    kind: str
    severity: str
    text: str
    at: datetime


class Outbox:
    """At least once: a message stays until it is marked, so a crash in between repeats it rather than losing it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, kind: str, severity: str, text: str, at: datetime) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                insert(OUTBOX).values(kind=kind, severity=severity, text=text, at=at, delivered_at=None)
            )

    def undelivered(self, limit: int = 100) -> Sequence[Notification]:
        """The oldest messages that are still to be delivered."""
        return self._read(select(OUTBOX).where(OUTBOX.c.delivered_at.is_(None)).limit(limit))

    def list(self, limit: int | None = None) -> Sequence[Notification]:
        """Messages, delivered or not, oldest first."""
        return self._read(select(OUTBOX).limit(limit))

    def mark_delivered(self, ids: Sequence[int], at: datetime) -> None:
        with self._database.transaction() as connection:
            connection.execute(update(OUTBOX).where(OUTBOX.c.id.in_(list(ids))).values(delivered_at=at))

    def _read(self, statement: Select[Any]) -> Sequence[Notification]:
        with self._database.reading() as connection:
            return [
                Notification(id=row.id, kind=row.kind, severity=row.severity, text=row.text, at=row.at)
                for row in connection.execute(statement.order_by(OUTBOX.c.id))
            ]
