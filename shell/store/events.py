"""The event log: append-only, each fact chained to the one before it, so that a changed row is found out.

`head()` is the hash of everything so far: the same facts in the same order give the same head on any machine. Payloads
hold nothing that a second run would not repeat: no wall-clock time, no duration, no random id.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select

from shell.store.canonical import canonical
from shell.store.database import Database
from shell.store.metadata import table_of
from shell.store.prepared import PreparedInsert
from shell.store.tables_events import EventRow
from shell.store.trial_chain import LEDGER_KINDS, add_link
from shell.store.types import utc_text

EVENTS = table_of(EventRow)
EMPTY_HEAD = "0" * 64
PAGE_ROWS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One stored fact."""

    seq: int
    at: datetime
    book: str
    kind: str
    payload: Mapping[str, Any]
    hash: str


class EventLog:
    """Appends facts and reads them back in order."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = PreparedInsert(EVENTS, database)

    def append(self, kind: str, at: datetime, payload: Mapping[str, Any], book: str = "main") -> int:
        """Append one fact and return its number. Joins the transaction around it, if there is one."""
        with self._database.transaction() as connection:
            return self.chain(connection).append(kind, at, payload, book)

    def chain(self, connection: Connection) -> Chain:
        """A writer for several facts of one transaction."""
        return Chain(connection, self._insert)

    def head(self) -> str:
        """The hash over all facts so far; `EMPTY_HEAD` before the first."""
        with self._database.reading() as connection:
            return _last(connection)[1]

    def rows(
        self, *, kind: str | None = None, book: str | None = None, after: int = 0, naming: str = ""
    ) -> Iterator[Event]:
        """Facts in order, read in pages: what is appended meanwhile is seen. With `naming` those alone whose payload holds this
        text in quotes, whatever it stands for."""
        while True:
            statement = select(EVENTS).where(EVENTS.c.seq > after).order_by(EVENTS.c.seq).limit(PAGE_ROWS)
            if kind is not None:
                statement = statement.where(EVENTS.c.kind == kind)
            if book is not None:
                statement = statement.where(EVENTS.c.book == book)
            if naming:
                statement = statement.where(EVENTS.c.payload.contains(f'"{naming}"', autoescape=True))
            with self._database.reading() as connection:
                page = connection.execute(statement).all()
            for row in page:
                yield Event(
                    seq=row.seq, at=row.at, book=row.book, kind=row.kind, payload=json.loads(row.payload), hash=row.hash
                )
            if len(page) < PAGE_ROWS:
                return
            after = page[-1].seq

    def newest_seq(self) -> int:
        """The number of the newest fact; 0 before the first."""
        with self._database.reading() as connection:
            return _last(connection)[0]

    def newest(self) -> tuple[int, str]:
        """The number and the hash of the newest fact, of one moment; 0 and `EMPTY_HEAD` before the first."""
        with self._database.reading() as connection:
            return _last(connection)

    def has(self, seq: int, digest: str) -> bool:
        """True when fact number `seq` has this hash: then all before it are those that it was made after, too."""
        with self._database.reading() as connection:
            return connection.execute(select(EVENTS.c.hash).where(EVENTS.c.seq == seq)).scalar() == digest

    def after(self, seq: int, kinds: tuple[str, ...]) -> list[Event]:
        """The first facts of these kinds with a higher number, in order, at most `PAGE_ROWS`."""
        with self._database.reading() as connection:
            return [
                Event(seq=row.seq, at=row.at, book=row.book, kind=row.kind, payload=json.loads(row.payload), hash=row.hash)
                for row in connection.execute(_after(kinds), {"number": seq})
            ]

    def verify(self) -> bool:
        """True when no row was changed, moved, inserted or removed in between."""
        return self.first_broken() is None

    def first_broken(self) -> int | None:
        """The number at which the chain first does not hold; None when it is whole."""
        seq, previous = 0, EMPTY_HEAD
        statement = select(EVENTS).order_by(EVENTS.c.seq)
        with self._database.reading() as connection:
            for row in connection.execute(statement).yield_per(PAGE_ROWS):
                digest = event_digest(previous, row.book, row.kind, utc_text(row.at), row.payload)
                if row.seq != seq + 1 or row.hash != digest:
                    return seq + 1
                seq, previous = row.seq, digest
        return None


class Chain:
    """Appends facts within one transaction."""

    def __init__(self, connection: Connection, insert: PreparedInsert) -> None:
        self._connection = connection
        self._insert = insert
        self._seq, self._head = _last(connection)

    def append(self, kind: str, at: datetime, payload: Mapping[str, Any], book: str) -> int:
        """Append one fact and return its number."""
        text = canonical(payload)
        self._head = event_digest(self._head, book, kind, utc_text(at), text)
        self._seq += 1
        self._insert.run(
            self._connection,
            {"seq": self._seq, "at": at, "book": book, "kind": kind, "payload": text, "hash": self._head},
        )
        if kind in LEDGER_KINDS:
            add_link(self._connection, self._seq, kind, at, text)
        return self._seq


@lru_cache(maxsize=8)
def _after(kinds: tuple[str, ...]) -> Select[Any]:
    """Built once: it is run after every eventful step."""
    where = (EVENTS.c.seq > bindparam("number")) & EVENTS.c.kind.in_(kinds)
    return select(EVENTS).where(where).order_by(EVENTS.c.seq).limit(PAGE_ROWS)


def _last(connection: Connection) -> tuple[int, str]:
    row = connection.exec_driver_sql("SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1").fetchone()
    return (0, EMPTY_HEAD) if row is None else (int(row[0]), str(row[1]))


def event_digest(previous: str, book: str, kind: str, at: str, payload: str) -> str:
    """The hash of one fact. `at` is written as `utc_text` does, `payload` is canonical JSON."""
    return hashlib.sha256(f"{previous}\n{book}\n{kind}\n{at}\n{payload}".encode()).hexdigest()
