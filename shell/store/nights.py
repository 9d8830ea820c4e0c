"""What each night decided, by its New York date."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from shell.store.canonical import canonical
from shell.store.database import Database
from shell.store.events import EventLog
from shell.store.metadata import table_of
from shell.store.tables_nights import NightRow

NIGHTS = table_of(NightRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredNight:
    """One night ("2023-03-02") and its decision."""

    night: str
    decision: Mapping[str, Any]
    at: datetime


class Nights:
    """One decision a night. The event log keeps every earlier form of one that was revised."""

    def __init__(self, database: Database, events: EventLog) -> None:
        self._database = database
        self._events = events

    def record(self, night: str, decision: Mapping[str, Any], at: datetime) -> None:
        """Record a decision: the same again changes nothing, another one takes its place."""
        with self._database.transaction() as connection:
            known = self.get(night)
            if known is not None and canonical(known.decision) == canonical(decision):
                return
            if known is None:
                connection.execute(insert(NIGHTS).values(night=night, decision=decision, at=at))
            else:
                connection.execute(update(NIGHTS).where(NIGHTS.c.night == night).values(decision=decision, at=at))
            self._events.chain(connection).append("night", at, {"night": night, "decision": decision}, "main")

    def get(self, night: str) -> StoredNight | None:
        with self._database.reading() as connection:
            row = connection.execute(select(NIGHTS).where(NIGHTS.c.night == night)).first()
        return None if row is None else StoredNight(night=row.night, decision=row.decision, at=row.at)

    def list(self) -> Sequence[StoredNight]:
        """Every night, oldest first."""
        with self._database.reading() as connection:
            rows = connection.execute(select(NIGHTS).order_by(NIGHTS.c.night))
            return [StoredNight(night=row.night, decision=row.decision, at=row.at) for row in rows]
