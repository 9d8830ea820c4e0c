"""Scans and what became of their signals."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from shell.answers import ScanOutcome
from shell.errors import NotNow
from shell.execution.record import ScanDone
from shell.orders import SignalAnswer
from shell.store.database import Database
from shell.store.metadata import table_of
from shell.store.order_rows import answer_of, answer_values, fact_of
from shell.store.tables_orders import AnswerRow, ScanRow

SCANS, ANSWERS = table_of(ScanRow), table_of(AnswerRow)


class Scans:
    """Reads scans; the journal writes them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, book: str, slot: datetime) -> ScanDone | None:
        with self._database.reading() as connection:
            row = connection.execute(select(SCANS).where(SCANS.c.book == book, SCANS.c.slot == slot)).first()
        return None if row is None else _scan_of(row)

    def outcome(self, book: str, slot: datetime, *, already_done: bool = False) -> ScanOutcome:
        """A slot with the answers to its signals as JSON values. Raises NotNow for a slot that was not worked."""
        with self._database.reading() as connection:
            row = connection.execute(select(SCANS).where(SCANS.c.book == book, SCANS.c.slot == slot)).first()
            if row is None:
                raise NotNow(f"the slot {slot:%Y-%m-%d %H:%M} UTC of {book} has not been scanned")
            where = (ANSWERS.c.book == book) & (ANSWERS.c.decided_at == row.at)
            rows = connection.execute(select(ANSWERS).where(where).order_by(ANSWERS.c.seq)).all()
        return ScanOutcome(
            slot=row.slot, origin=row.origin, signals=row.signals, approved=row.approved,
            answers=tuple(_answer_view(answer_of(each)) for each in rows), already_done=already_done,
        )

    def list(self, book: str, *, since: datetime | None = None) -> Sequence[ScanDone]:
        """Scans of a book in the order of their slots, from `since` on."""
        statement = select(SCANS).where(SCANS.c.book == book).order_by(SCANS.c.slot)
        if since is not None:
            statement = statement.where(SCANS.c.slot >= since)
        with self._database.reading() as connection:
            return [_scan_of(row) for row in connection.execute(statement)]

    def any_between(self, book: str, begin: datetime, end: datetime) -> bool:
        """Whether a slot from `begin` up to `end`, which is not part of it, was scanned."""
        where = (SCANS.c.book == book) & (SCANS.c.slot >= begin) & (SCANS.c.slot < end)
        with self._database.reading() as connection:
            return connection.execute(select(SCANS.c.slot).where(where).limit(1)).first() is not None

    def answers(self, book: str, *, since: datetime | None = None) -> Sequence[SignalAnswer]:
        """What became of every signal of a book, oldest first."""
        statement = select(ANSWERS).where(ANSWERS.c.book == book).order_by(ANSWERS.c.seq)
        if since is not None:
            statement = statement.where(ANSWERS.c.decided_at >= since)
        with self._database.reading() as connection:
            return [answer_of(row) for row in connection.execute(statement)]

    def unreported(self, book: str, origins: Sequence[str], *, limit: int = 1000) -> Sequence[ScanDone]:
        """Scans of these origins that have not been shown to the conductor, oldest first."""
        statement = (
            select(SCANS)
            .where(SCANS.c.book == book, SCANS.c.origin.in_(list(origins)), SCANS.c.reported_at.is_(None))
            .order_by(SCANS.c.slot)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [_scan_of(row) for row in connection.execute(statement)]

    def mark_reported(self, book: str, slots: Sequence[datetime], at: datetime) -> None:
        """Say that these slots have been shown."""
        with self._database.transaction() as connection:
            for slot in slots:
                where = (SCANS.c.book == book) & (SCANS.c.slot == slot)
                connection.execute(update(SCANS).where(where).values(reported_at=at))


def _scan_of(row: Any) -> ScanDone:
    return ScanDone(
        slot=row.slot, origin=row.origin, version=row.version, signals=row.signals, approved=row.approved,
        fault=row.fault, milliseconds=row.milliseconds,
    )


def _answer_view(answer: SignalAnswer) -> dict[str, Any]:
    view = fact_of(answer_values(answer, seq=0))
    view["decided_at"] = answer.decided_at.isoformat()
    return view
