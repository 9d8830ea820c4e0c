"""Halts that outlive a restart (I6): raised once, active until a person lifts them, kept as history."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from shell.errors import NotNow
from shell.risk.halts import Halt, HaltKind
from shell.store.database import Database
from shell.store.events import Chain, EventLog
from shell.store.ledger_rows import LedgerRows, read_ledger
from shell.store.metadata import table_of
from shell.store.tables_books import HaltRow

HALTS = table_of(HaltRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredHalt:
    """A halt with its end, if it has one."""

    halt: Halt
    lifted_at: datetime | None
    lifted_by: str | None


class Halts:
    """The halts of every book."""

    def __init__(self, database: Database, events: EventLog, ledgers: LedgerRows) -> None:
        self._database = database
        self._events = events
        self._ledgers = ledgers

    def raise_(self, halt: Halt) -> bool:
        """Make `halt` active. False if one of its kind is already: the first one stands."""
        with self._database.transaction() as connection:
            return write_halt(connection, self._events.chain(connection), halt)

    def active(self, book: str) -> list[Halt]:
        """Active halts of `book`, oldest first."""
        with self._database.reading() as connection:
            return active_halts(connection, book)

    def history(self, book: str) -> list[StoredHalt]:
        """Every halt `book` ever had, oldest first."""
        with self._database.reading() as connection:
            rows = connection.execute(select(HALTS).where(HALTS.c.book == book).order_by(HALTS.c.seq)).all()
        return [StoredHalt(halt=_halt_of(row), lifted_at=row.lifted_at, lifted_by=row.lifted_by) for row in rows]

    def lift(self, kind: HaltKind, book: str, by: str, at: datetime) -> Halt:
        """End the active halt of this kind, in a person's name. Raises NotNow if there is none.

        Lifting CONSECUTIVE_LOSSES starts the stored count of losses again, as `shell.risk.halts.after_lift` does; the
        marks that a lifted loss limit is measured from are the caller's to save.
        """
        with self._database.transaction() as connection:
            row = connection.execute(
                select(HALTS).where(HALTS.c.book == book, HALTS.c.kind == kind.value, HALTS.c.lifted_at.is_(None))
            ).first()
            if row is None:
                raise NotNow(f"{book} has no active halt {kind.value} to lift")
            seq = self._events.chain(connection).append("halt_lifted", at, {"kind": kind.value, "by": by}, book)
            connection.execute(
                update(HALTS).where(HALTS.c.seq == row.seq).values(lifted_at=at, lifted_by=by, lift_seq=seq)
            )
            ledger = read_ledger(connection, book) if kind is HaltKind.CONSECUTIVE_LOSSES else None
            if ledger is not None:
                self._ledgers.save(connection, book, replace(ledger, consecutive_losses=0))
            return _halt_of(row)


def write_halt(connection: Connection, chain: Chain, halt: Halt) -> bool:
    """Insert `halt` unless one of its kind is active."""
    statement = select(HALTS.c.seq).where(
        HALTS.c.book == halt.book, HALTS.c.kind == halt.kind.value, HALTS.c.lifted_at.is_(None)
    )
    if connection.execute(statement).first() is not None:
        return False
    payload = {"kind": halt.kind.value, "sentence": halt.sentence}
    seq = chain.append("halt", halt.raised_at, payload, halt.book)
    connection.execute(insert(HALTS).values(seq=seq, book=halt.book, raised_at=halt.raised_at, **payload))
    return True


def active_halts(connection: Connection, book: str) -> list[Halt]:
    statement = select(HALTS).where(HALTS.c.book == book, HALTS.c.lifted_at.is_(None)).order_by(HALTS.c.seq)
    return [_halt_of(row) for row in connection.execute(statement)]


def lift_seqs(connection: Connection, book: str) -> list[int]:
    """The events at which the count of consecutive losses began again."""
    kind = HaltKind.CONSECUTIVE_LOSSES.value
    statement = select(HALTS.c.lift_seq).where(
        HALTS.c.book == book, HALTS.c.kind == kind, HALTS.c.lift_seq.is_not(None)
    )
    return list(connection.execute(statement).scalars())


def _halt_of(row: Any) -> Halt:
    return Halt(
        kind=HaltKind(row.kind), book=row.book, sentence=row.sentence, raised_at=row.raised_at
    )
