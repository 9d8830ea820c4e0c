"""Small values known by name: configured capital, the accepted hash of the risk limits, the label of the data."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from shell.store.database import Database
from shell.store.metadata import table_of
from shell.store.tables_nights import FactRow

FACTS = table_of(FactRow)
# Made once: asked at every step, the text of a statement costs more than its answer.
_VALUE = select(FACTS.c.value).where(FACTS.c.key == bindparam("named"))
_CHANGE = update(FACTS).where(FACTS.c.key == bindparam("named"))


class Facts:
    """Values are JSON; decimals and times are given as text."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key: str) -> Any:
        """The value, None if there is none."""
        with self._database.reading() as connection:
            return connection.execute(_VALUE, {"named": key}).scalar()

    def set(self, key: str, value: Any, at: datetime | None = None) -> None:
        """Record `value`, in place of an earlier one."""
        with self._database.transaction() as connection:
            changed = connection.execute(_CHANGE, {"named": key, "value": value, "at": at})
            if changed.rowcount == 0:
                connection.execute(insert(FACTS).values(key=key, value=value, at=at))

    def once(self, key: str, value: Any, at: datetime | None = None) -> Any:
        """Record `value` unless there is one already; returns the one that holds."""
        known = self.get(key)
        if known is not None:
            return known
        with self._database.transaction():
            known = self.get(key)
            if known is not None:
                return known
            self.set(key, value, at)
            return self.get(key)
