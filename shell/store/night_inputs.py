"""What each night began with, so that it can be run again: numbers and names by value, what is large by its hash."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select

from shell.store.canonical import canonical
from shell.store.database import Database
from shell.store.events import EVENTS, EventLog
from shell.store.metadata import table_of
from shell.store.tables_memory import NightInputRow

INPUTS = table_of(NightInputRow)
PROGRAM = "program"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredInputs:
    """One attempt at a night. `inputs["events"]` is the number of the last fact known when it began."""

    night: str
    attempt: int
    hash: str
    inputs: Mapping[str, Any]
    at: datetime


class NightInputs:
    """Rows are added and never changed."""

    def __init__(self, database: Database, events: EventLog) -> None:
        self._database = database
        self._events = events

    def record(self, night: str, inputs: Mapping[str, Any], at: datetime) -> StoredInputs:
        """Keep what a night begins with, under the number of the last fact there is. The same again changes nothing."""
        with self._database.transaction() as connection:
            known = self.of(night)
            told = canonical(inputs)
            if known and canonical({name: known[-1].inputs[name] for name in known[-1].inputs if name != "events"}) == told:
                return known[-1]
            last = connection.execute(select(func.max(EVENTS.c.seq))).scalar() or 0
            whole = {**inputs, "events": last}
            digest = inputs_hash(whole)
            attempt = len(known) + 1
            connection.execute(
                insert(INPUTS).values(night=night, attempt=attempt, hash=digest, inputs=whole, at=at)
            )
            payload = {"night": night, "attempt": attempt, "hash": digest}
            self._events.chain(connection).append("night_inputs", at, payload, "main")
            return self.of(night)[-1]

    def of(self, night: str) -> Sequence[StoredInputs]:
        """Every attempt at a night, the first one first."""
        statement = select(INPUTS).where(INPUTS.c.night == night).order_by(INPUTS.c.attempt)
        with self._database.reading() as connection:
            return [_inputs_of(row) for row in connection.execute(statement)]

    def nights(self) -> frozenset[str]:
        """The nights that can be run again."""
        with self._database.reading() as connection:
            return frozenset(connection.execute(select(INPUTS.c.night).distinct()).scalars())


def inputs_hash(inputs: Mapping[str, Any]) -> str:
    """Sha256 over all but the program: the same night has the same event under another version of this code."""
    told = {name: value for name, value in inputs.items() if name != PROGRAM}
    return hashlib.sha256(canonical(told).encode()).hexdigest()


def _inputs_of(row: Any) -> StoredInputs:
    return StoredInputs(night=row.night, attempt=row.attempt, hash=row.hash, inputs=row.inputs, at=row.at)
