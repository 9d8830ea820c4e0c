"""Small values known by name: configured capital, the accepted hash of the risk limits, the label of the data."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from shell.store.database import Database
from shell.store.events import EventLog
from shell.store.metadata import table_of
from shell.store.tables_nights import FactRow

FACTS = table_of(FactRow)


class Facts:
    """Values are JSON. Every change is an event, so what was said before is not lost."""

    def __init__(self, database: Database, events: EventLog) -> None:
        self._database = database
        self._events = events

    def get(self, key: str) -> Any:
        """The value, None if there is none."""
        with self._database.reading() as connection:
            return connection.execute(select(FACTS.c.value).where(FACTS.c.key == key)).scalar()

    def put(self, key: str, value: Any, at: datetime, *, book: str = "main") -> None:
        """Record `value`, in place of an earlier one. The same value again is no change."""
        with self._database.transaction() as connection:
            known = connection.execute(select(FACTS.c.value).where(FACTS.c.key == key)).first()
            if known is not None and known.value == value:
                return
            if known is None:
                connection.execute(insert(FACTS).values(key=key, value=value, at=at))
            else:
                connection.execute(update(FACTS).where(FACTS.c.key == key).values(value=value, at=at))
            self._events.chain(connection).append("fact", at, {"key": key, "value": value}, book)

    def once(self, key: str, value: Any, at: datetime) -> Any:
        """Record `value` unless there is one already; returns the one that holds."""
        with self._database.transaction():
            known = self.get(key)
            if known is not None:
                return known
            self.put(key, value, at)
            return self.get(key)
