"""A book at the end of each local day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import insert, select, update

from shell.money import QuoteAmount
from shell.store.database import Database
from shell.store.metadata import table_of
from shell.store.tables_books import SnapshotRow

SNAPSHOTS = table_of(SnapshotRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Amounts in quote units; `fees` are all paid so far; `positions` are rows for display."""

    book: str
    day: date
    at: datetime
    equity: QuoteAmount
    cash: QuoteAmount
    day_pnl: QuoteAmount
    fees: QuoteAmount
    positions: Sequence[Mapping[str, Any]]


class Snapshots:
    """One a book and day; taking it again on the same day replaces it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(
        self,
        *,
        day: date,
        at: datetime,
        equity: QuoteAmount | str,
        cash: QuoteAmount | str,
        day_pnl: QuoteAmount | str,
        fees: QuoteAmount | str,
        positions: Sequence[Mapping[str, Any]],
        book: str = "main",
    ) -> None:
        values = {
            "at": at, "equity": _amount(equity), "cash": _amount(cash), "day_pnl": _amount(day_pnl),
            "fees": _amount(fees), "positions": list(positions),
        }
        with self._database.transaction() as connection:
            where = (SNAPSHOTS.c.book == book) & (SNAPSHOTS.c.day == day)
            if connection.execute(update(SNAPSHOTS).where(where).values(**values)).rowcount == 0:
                connection.execute(insert(SNAPSHOTS).values(book=book, day=day, **values))

    def list(self, book: str = "main") -> Sequence[Snapshot]:
        """Every snapshot of a book, oldest first."""
        with self._database.reading() as connection:
            rows = connection.execute(select(SNAPSHOTS).where(SNAPSHOTS.c.book == book).order_by(SNAPSHOTS.c.day))
            return [
                Snapshot(
                    book=row.book, day=row.day, at=row.at, equity=row.equity, cash=row.cash, day_pnl=row.day_pnl,
                    fees=row.fees, positions=row.positions,
                )
                for row in rows
            ]


def _amount(value: QuoteAmount | str) -> QuoteAmount:
    return QuoteAmount(value) if isinstance(value, str) else value
