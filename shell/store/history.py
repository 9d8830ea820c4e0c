"""What a book did, for reports and people: orders, fills, trades, equity, faults."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select

from shell.orders import Fill
from shell.portfolio.ledger import TradeClosed
from shell.store.books import FILLS, ORDERS, read_fills, read_orders, read_trades
from shell.store.database import Database
from shell.store.metadata import table_of
from shell.store.order_rows import StoredOrder, fill_of, order_of
from shell.store.tables_books import EquityRow, TradeRow
from shell.store.tables_events import FaultRow
from shell.store.tables_orders import AnswerRow, FillRow, OrderRow, ScanRow
from shell.store.types import utc_moment

EQUITY, FAULTS = table_of(EquityRow), table_of(FaultRow)
COUNTED = {
    "scans": table_of(ScanRow), "signals": table_of(AnswerRow), "orders": table_of(OrderRow),
    "fills": table_of(FillRow), "trades": table_of(TradeRow), "faults": FAULTS,
}


class TradingHistory:
    """Reads only. Everything is in the order it was recorded."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def orders(self, book: str = "main") -> list[StoredOrder]:
        with self._database.reading() as connection:
            return read_orders(connection, book)

    def fills(self, book: str = "main") -> list[Fill]:
        with self._database.reading() as connection:
            return [fill for _, fill in read_fills(connection, book)]

    def newest_fills(self, book: str, limit: int) -> list[Fill]:
        """The last `limit` fills, without reading the others."""
        newest = select(FILLS).where(FILLS.c.book == book).order_by(FILLS.c.seq.desc()).limit(limit)
        with self._database.reading() as connection:
            rows = list(reversed(connection.execute(newest).all()))
            intents = {each.intent.intent_id: each.intent for each in self.orders_of(book, [row.intent_id for row in rows])}
        return [fill_of(row, intents[row.intent_id]) for row in rows]

    def orders_of(self, book: str, intent_ids: Sequence[str]) -> list[StoredOrder]:
        """The orders of these intents, those that are known."""
        known = select(ORDERS).where(ORDERS.c.book == book, ORDERS.c.intent_id.in_(list(intent_ids))).order_by(ORDERS.c.seq)
        with self._database.reading() as connection:
            return [order_of(row) for row in connection.execute(known)]

    def trades(self, book: str = "main") -> list[TradeClosed]:
        with self._database.reading() as connection:
            return read_trades(connection, book)

    def equity(self, book: str = "main", since: datetime | None = None) -> list[tuple[datetime, Decimal]]:
        """Marks in time order, in quote units; from `since` on, if it is given."""
        statement = select(EQUITY.c.at, EQUITY.c.value).where(EQUITY.c.book == book).order_by(EQUITY.c.at)
        if since is not None:
            statement = statement.where(EQUITY.c.at >= since)
        with self._database.reading() as connection, connection.execute(statement) as found:
            # From the driver's own cursor: both columns are text, a mark is made every five minutes for ever, and a row object
            # for each costs three times what it says.
            cursor: Any = found.cursor
            return [(utc_moment(at), Decimal(value)) for at, value in cursor]

    def faults(self, book: str = "main") -> list[tuple[datetime, str]]:
        statement = select(FAULTS).where(FAULTS.c.book == book).order_by(FAULTS.c.seq)
        with self._database.reading() as connection:
            return [(row.at, row.sentence) for row in connection.execute(statement)]

    def counts(self, book: str = "main") -> dict[str, int]:
        """How many scans, signals, orders, fills, trades and faults there are."""
        with self._database.reading() as connection:
            return {
                name: connection.execute(
                    select(func.count()).select_from(table).where(table.c.book == book)
                ).scalar_one()
                for name, table in COUNTED.items()
            }
