"""A book's ledger and marks as rows: read whole, written whole, and only when they changed."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from shell.contract import Intent
from shell.portfolio.ledger import EquityMarks, Ledger, Position
from shell.store.database import Database
from shell.store.metadata import table_of
from shell.store.tables_books import BalanceRow, MarksRow, PositionRow

BALANCES = table_of(BalanceRow)
POSITIONS = table_of(PositionRow)
MARKS = table_of(MarksRow)


class LedgerRows:
    """Remembers what it wrote last for each book, so that a step which changed nothing writes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known_at = database.rollbacks
        self._ledgers: dict[str, Ledger] = {}
        self._marks: dict[str, EquityMarks] = {}

    def save(self, connection: Connection, book: str, ledger: Ledger) -> None:
        """Make the stored balances and positions of `book` those of `ledger`."""
        self._forget_undone()
        known = self._ledgers.get(book)
        if known is ledger or known == ledger:
            return
        balances = {
            "cash": ledger.cash, "capital": ledger.capital, "fees_paid": ledger.fees_paid,
            "realised_pnl": ledger.realised_pnl, "trades_closed": ledger.trades_closed,
            "consecutive_losses": ledger.consecutive_losses,
        }
        _put(connection, BALANCES, book, balances)
        if known is None or known.positions != ledger.positions:
            connection.execute(delete(POSITIONS).where(POSITIONS.c.book == book))
            rows = [_position_values(book, place, held) for place, held in enumerate(ledger.positions.values())]
            if rows:
                connection.execute(insert(POSITIONS), rows)
        self._ledgers[book] = ledger

    def save_marks(self, connection: Connection, book: str, marks: EquityMarks) -> None:
        """Make the stored marks of `book` these."""
        self._forget_undone()
        known = self._marks.get(book)
        if known is marks or known == marks:
            return
        values = {
            "day": marks.day, "day_start": marks.day_start, "peak": marks.peak, "trades_today": marks.trades_today,
        }
        _put(connection, MARKS, book, values)
        self._marks[book] = marks

    def _forget_undone(self) -> None:
        if self._known_at != self._database.rollbacks:
            self._ledgers.clear()
            self._marks.clear()
            self._known_at = self._database.rollbacks


def read_ledger(connection: Connection, book: str) -> Ledger | None:
    """The stored ledger of `book`, None if it has none."""
    row = connection.execute(select(BALANCES).where(BALANCES.c.book == book)).first()
    if row is None:
        return None
    held = connection.execute(select(POSITIONS).where(POSITIONS.c.book == book).order_by(POSITIONS.c.place)).all()
    return Ledger(
        cash=row.cash, capital=row.capital, fees_paid=row.fees_paid, realised_pnl=row.realised_pnl,
        positions=MappingProxyType({position.symbol: _position_of(position) for position in held}),
        trades_closed=row.trades_closed, consecutive_losses=row.consecutive_losses,
    )


def read_marks(connection: Connection, book: str) -> EquityMarks | None:
    """The stored marks of `book`, None before the first."""
    row = connection.execute(select(MARKS).where(MARKS.c.book == book)).first()
    if row is None:
        return None
    return EquityMarks(day=row.day, day_start=row.day_start, peak=row.peak, trades_today=row.trades_today)


def _put(connection: Connection, table: Any, book: str, values: dict[str, Any]) -> None:
    changed = connection.execute(update(table).where(table.c.book == book).values(**values))
    if changed.rowcount == 0:
        connection.execute(insert(table).values(book=book, **values))


def _position_values(book: str, place: int, held: Position) -> dict[str, Any]:
    return {
        "book": book, "symbol": held.symbol, "place": place, "qty": held.qty, "entered_qty": held.entered_qty,
        "cost": held.cost, "proceeds": held.proceeds, "fees": held.fees, "stop_loss": held.stop_loss,
        "take_profit": held.take_profit, "horizon": held.horizon.value, "opened_at": held.opened_at,
        "version": held.version, "tag": held.tag,
    }


def _position_of(row: Any) -> Position:
    return Position(
        symbol=row.symbol, qty=row.qty, entered_qty=row.entered_qty, cost=row.cost, proceeds=row.proceeds,
        fees=row.fees, stop_loss=row.stop_loss, take_profit=row.take_profit, horizon=Intent(row.horizon),
        opened_at=row.opened_at, version=row.version, tag=row.tag,
    )
