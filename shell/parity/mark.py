"""A book at one moment, kept so that the same engine can go on from there a second time: its rows, its strategy's state, and
what the strategy has not heard yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import Column, Connection, Date, Table, func, insert, select
from sqlalchemy.types import TypeDecorator

from shell.contract import Action, Intent
from shell.engine import Engine
from shell.host.port import ClosedNotice, FillNotice
from shell.orders import Fill, OrderState
from shell.store.books import BALANCES, FILLS, ORDERS, Books, BookState, read_fills
from shell.store.database import Database
from shell.store.events import EventLog
from shell.store.facts import Facts
from shell.store.halts import HALTS
from shell.store.ledger_rows import MARKS, POSITIONS, LedgerRows
from shell.store.metadata import METADATA
from shell.store.parity import ParityMark
from shell.store.store import Store
from shell.store.types import PlainText, utc_moment, utc_text

_TABLES: tuple[Table, ...] = (BALANCES, POSITIONS, MARKS, HALTS, ORDERS)
_WORKING = [state.value for state in OrderState if state.working]


def take_mark(store: Store, engine: Engine, state: Mapping[str, Any] | None, now: datetime) -> ParityMark:
    """The book of `engine` at `now`, between two steps; `state` is what its strategy wants kept."""
    book = engine.config.book
    with store.transaction() as connection:
        if engine.marks is not None:
            # Between scans they move in memory alone.
            store.books.save_marks(book, engine.marks)
        rows = {table.name: _rows(connection, table, book) for table in _TABLES}
        booked = connection.execute(select(func.max(FILLS.c.seq)).where(FILLS.c.book == book)).scalar()
    last = engine.last_scan
    return ParityMark(
        at=now, version=engine.config.version,
        rows={
            "tables": rows, "state": None if state is None else dict(state), "last_scan": utc_text(last) if last else None,
            "booked": booked or 0, "owed": [[type(each).__name__, *each] for each in engine.seat.owed],
        },
    )


def fills_after(mark: ParityMark, store: Store, book: str) -> list[Fill]:
    """The fills that were booked after the mark, in their order. A market order of the mark's own scan fills at once at an
    exchange, so before the mark, and on paper at the next bar's open, which has the same time and is booked after it."""
    with store.reading() as connection:
        fills = read_fills(connection, book)
    if "booked" not in mark.rows:
        return [fill for _, fill in fills if fill.filled_at >= mark.at]
    return [fill for seq, fill in fills if seq > mark.rows["booked"]]


def owed_at(mark: ParityMark) -> list[FillNotice | ClosedNotice]:
    """What the strategy had not heard yet at the mark."""
    found: list[FillNotice | ClosedNotice] = []
    for name, *fields in mark.rows.get("owed", ()):
        if name == ClosedNotice.__name__:
            found.append(ClosedNotice(*fields))
        else:
            symbol, action, qty, price, horizon = fields
            found.append(FillNotice(symbol, Action(action), qty, price, Intent(horizon)))
    return found


def restored(mark: ParityMark, store: Store, book: str) -> BookState | None:
    """The book as it stood at the mark, with the trades it had closed by then; None for a book that had nothing."""
    database = Database(":memory:")
    try:
        with database.transaction() as connection:
            METADATA.create_all(connection)
            for table in _TABLES:
                values = [_values(table, row) for row in mark.rows["tables"][table.name]]
                if values:
                    connection.execute(insert(table), values)
        events = EventLog(database)
        known = Books(database, events, Facts(database), LedgerRows(database)).load(book)
    finally:
        database.close()
    if known is None:
        return None
    trades = [trade for trade in store.history.trades(book) if trade.closed_at <= mark.at]
    last = mark.rows["last_scan"]
    return replace(
        known, recent_trades=trades, unanswered=0, last_scan=utc_moment(last) if last else None,
    )


def _rows(connection: Connection, table: Table, book: str) -> list[dict[str, Any]]:
    statement = select(table).where(table.c.book == book)
    if table is HALTS:
        statement = statement.where(table.c.lifted_at.is_(None))
    if table is ORDERS:
        statement = statement.where(table.c.state.in_(_WORKING))
    dialect = connection.dialect
    return [
        {column.name: _text(column, row._mapping[column.name], dialect) for column in table.columns}
        for row in connection.execute(statement)
    ]


def _text(column: Column[Any], value: Any, dialect: Any) -> Any:
    """A column's value as JSON holds it: what the column itself would write."""
    if isinstance(column.type, TypeDecorator):
        return column.type.process_bind_param(value, dialect)
    return value.isoformat() if isinstance(value, date) else value


def _values(table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row again as values its columns take."""
    found: dict[str, Any] = {}
    for column in table.columns:
        value = row[column.name]
        if isinstance(column.type, TypeDecorator) and not isinstance(column.type, PlainText):
            value = column.type.process_result_value(value, None)  # type: ignore[arg-type]
        elif value is not None and isinstance(column.type, Date):
            value = date.fromisoformat(value)
        found[column.name] = value
    return found
