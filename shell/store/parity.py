"""Comparisons of a book with its own replay, and the mark from which the next one begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from shell.store.database import Database
from shell.store.events import EventLog
from shell.store.metadata import table_of
from shell.store.tables_memory import ParityMarkRow, ParityRow

PARITY, PARITY_MARKS = table_of(ParityRow), table_of(ParityMarkRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityResult:
    """One window, after `since` up to `until`. A scan is equal when its signals and their fates are, and the fills up to the
    next scan. `differences` are sentences with what explains them; `explained` is False when one has no explanation."""

    since: datetime
    until: datetime
    version: str
    scans: int
    scans_equal: int
    fills: int
    fills_equal: int
    explained: bool
    differences: Sequence[Mapping[str, Any]] = field(default_factory=tuple)

    @property
    def figure(self) -> float | None:
        """The share of scans that were equal; None without a scan."""
        return self.scans_equal / self.scans if self.scans else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityMark:
    at: datetime
    version: str
    rows: Mapping[str, Any]


class ParityRuns:
    """One result a book and window's end; taking it again replaces nothing."""

    def __init__(self, database: Database, events: EventLog) -> None:
        self._database = database
        self._events = events

    def record(self, book: str, result: ParityResult) -> None:
        with self._database.transaction() as connection:
            if self.at(book, result.until) is not None:
                return
            connection.execute(insert(PARITY).values(book=book, **asdict(result)))
            payload = {
                "since": result.since, "version": result.version, "scans": result.scans,
                "scans_equal": result.scans_equal, "fills": result.fills, "fills_equal": result.fills_equal,
                "explained": result.explained, "differences": len(result.differences),
            }
            self._events.chain(connection).append("parity", result.until, payload, book)

    def at(self, book: str, until: datetime) -> ParityResult | None:
        with self._database.reading() as connection:
            row = connection.execute(select(PARITY).where(PARITY.c.book == book, PARITY.c.until == until)).first()
        return None if row is None else _result_of(row)

    def list(self, book: str = "main") -> Sequence[ParityResult]:
        """Every comparison of a book, oldest first."""
        with self._database.reading() as connection:
            rows = connection.execute(select(PARITY).where(PARITY.c.book == book).order_by(PARITY.c.until))
            return [_result_of(row) for row in rows]

    def mark(self, book: str) -> ParityMark | None:
        """Where the next comparison begins; None before the first mark."""
        with self._database.reading() as connection:
            row = connection.execute(select(PARITY_MARKS).where(PARITY_MARKS.c.book == book)).first()
        return None if row is None else ParityMark(at=row.at, version=row.version, rows=row.rows)

    def save_mark(self, book: str, mark: ParityMark) -> None:
        values = {"at": mark.at, "version": mark.version, "rows": dict(mark.rows)}
        with self._database.transaction() as connection:
            if connection.execute(update(PARITY_MARKS).where(PARITY_MARKS.c.book == book).values(**values)).rowcount == 0:
                connection.execute(insert(PARITY_MARKS).values(book=book, **values))


def _result_of(row: Any) -> ParityResult:
    return ParityResult(
        since=row.since, until=row.until, version=row.version, scans=row.scans, scans_equal=row.scans_equal,
        fills=row.fills, fills_equal=row.fills_equal, explained=row.explained, differences=tuple(row.differences),
    )
