"""The journal of one book: a step is stored whole, in one transaction, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from shell.errors import Fatal, NotNow
from shell.execution.record import ScanDone, StepRecord
from shell.orders import ApprovedOrder, Fill, OrderState, OrderUpdate, SubmittedOrder
from shell.portfolio.ledger import Ledger
from shell.store.books import write_capital
from shell.store.database import Database
from shell.store.events import Chain, EventLog
from shell.store.fence import Fence
from shell.store.halts import write_halt
from shell.store.ledger_rows import LedgerRows
from shell.store.metadata import table_of
from shell.store.order_rows import (
    answer_values,
    fact_of,
    fill_of,
    fill_values,
    intent_fact,
    order_of,
    order_values,
    submitted_fact,
    trade_values,
    update_fact,
)
from shell.store.prepared import PreparedInsert
from shell.store.tables_books import EquityRow, TradeRow
from shell.store.tables_events import FaultRow
from shell.store.tables_orders import AnswerRow, FillRow, OrderRow, ScanRow

SCANS, ANSWERS, ORDERS = table_of(ScanRow), table_of(AnswerRow), table_of(OrderRow)
FILLS, TRADES, EQUITY, FAULTS = table_of(FillRow), table_of(TradeRow), table_of(EquityRow), table_of(FaultRow)

# Built once: their parts are what costs, not what they run.
_THIS_ORDER = (ORDERS.c.book == bindparam("of_book")) & (ORDERS.c.intent_id == bindparam("of_intent"))
_ORDER_OF_INTENT = select(ORDERS).where(_THIS_ORDER)
_CHANGE_ORDER = update(ORDERS).where(_THIS_ORDER)
_FILL_OF_ID = select(FILLS).where(FILLS.c.book == bindparam("of_book"), FILLS.c.fill_id == bindparam("of_fill"))


class PreparedStep:
    """The inserts that most steps need, compiled once a database and shared by its journals."""

    def __init__(self, database: Database) -> None:
        self.scan = PreparedInsert(SCANS, database)
        self.equity = PreparedInsert(EQUITY, database)
        self.answer = PreparedInsert(ANSWERS, database)
        self.order = PreparedInsert(ORDERS, database)
        self.fill = PreparedInsert(FILLS, database)
        self.trade = PreparedInsert(TRADES, database)


class SqlJournal:
    """Implements `shell.execution.record.Journal` for one book."""

    def __init__(
        self, book: str, database: Database, events: EventLog, ledgers: LedgerRows, prepared: PreparedStep, fence: Fence
    ) -> None:
        self.book = book
        self._database = database
        self._events = events
        self._ledgers = ledgers
        self._prepared = prepared
        self._fence = fence
        self._equity_at: datetime | None = None

    def write_ahead(self, orders: Sequence[ApprovedOrder]) -> None:
        """Commit intents to the disk itself before anything is sent (D9).

        Raises Fatal inside another transaction, which could undo them, for an intent that is already there, and in a
        process that a newer one has overtaken.
        """
        if not orders:
            return
        with self._database.transaction(durable=True) as connection:
            self._fence.check(connection)
            chain = self._events.chain(connection)
            for approved in orders:
                self._mine(approved.intent.book)
                if _order_row(connection, self.book, approved.intent.intent_id) is not None:
                    raise Fatal(f"intent {approved.intent.intent_id} of {self.book} is written already: never send it")
                seq = chain.append("order_intended", approved.intent.decided_at, intent_fact(approved), self.book)
                self._prepared.order.run(connection, order_values(approved, seq=seq))

    def record(self, step: StepRecord) -> None:
        """Store everything that happened in `step`.

        Raises NotNow when its scan slot was recorded before, Fatal when a fill id returns with other contents, a fill
        belongs to no known order, or the database fails. In every case nothing of the step is kept.
        """
        self._mine(step.book)
        with self._database.transaction() as connection:
            if step.scan is not None:
                self._scan(connection, step.at, step.scan)
            chain = self._events.chain(connection)
            if step.scan is not None:
                chain.append("scan", step.at, _scan_fact(step.scan), self.book)
            if step.eventful:
                self._facts(connection, chain, step)
            if step.ledger is not None:
                self._ledgers.save(connection, self.book, step.ledger)
            if step.marks is not None:
                self._ledgers.save_marks(connection, self.book, step.marks)
            if step.equity is not None:
                self._equity(connection, step.at, step.equity.value)

    def _mine(self, book: str) -> None:
        if book != self.book:
            raise Fatal(f"a fact of book {book} came to the journal of {self.book}")

    def _scan(self, connection: Connection, at: datetime, scan: ScanDone) -> None:
        try:
            self._prepared.scan.run(
                connection,
                {
                    "book": self.book, "slot": scan.slot, "at": at, "origin": scan.origin, "version": scan.version,
                    "signals": scan.signals, "approved": scan.approved, "fault": scan.fault,
                    "milliseconds": scan.milliseconds, "reported_at": None,
                },
            )
        except IntegrityError:
            raise NotNow(f"the scan slot {scan.slot:%Y-%m-%d %H:%M} of {self.book} was already worked") from None

    def _facts(self, connection: Connection, chain: Chain, step: StepRecord) -> None:
        """The order is that of cause and effect: capital, answers, orders, what became of them, results."""
        for event in step.capital:
            write_capital(connection, chain, self.book, event)
        for answer in step.answers:
            values = answer_values(answer, seq=0)
            values["seq"] = chain.append("answer", step.at, fact_of(values), self.book)
            self._prepared.answer.run(connection, values)
        for order in step.submitted:
            self._submitted(connection, chain, order)
        for change in step.updates:
            self._updated(connection, chain, change)
        for fill in step.fills:
            self._filled(connection, chain, fill)
        for trade in step.trades:
            values = trade_values(trade, seq=0)
            values["seq"] = chain.append("trade", trade.closed_at, fact_of(values), self.book)
            self._prepared.trade.run(connection, values)
        for halt in step.halts_raised:
            write_halt(connection, chain, halt)
        for sentence in step.faults:
            seq = chain.append("fault", step.at, {"sentence": sentence}, self.book)
            connection.execute(insert(FAULTS).values(seq=seq, book=self.book, at=step.at, sentence=sentence))
        for symbol in step.protection_moved:
            chain.append("protection_moved", step.at, _protection_fact(symbol, step.ledger), self.book)

    def _submitted(self, connection: Connection, chain: Chain, order: SubmittedOrder) -> None:
        self._mine(order.intent.book)
        seq = chain.append("order_submitted", order.submitted_at, submitted_fact(order), self.book)
        taken = {
            "order_id": order.order_id, "submitted_at": order.submitted_at, "state": OrderState.OPEN.value,
            "updated_at": order.submitted_at,
        }
        known = _order_row(connection, self.book, order.intent.intent_id)
        if known is None:
            self._prepared.order.run(connection, order_values(order.approved, seq=seq) | taken)
        elif known.order_id not in (None, order.order_id):
            raise Fatal(f"intent {order.intent.intent_id} became {known.order_id} and now {order.order_id}, too")
        else:
            self._change(connection, order.intent.intent_id, taken)

    def _updated(self, connection: Connection, chain: Chain, change: OrderUpdate) -> None:
        """An order that ended does not come back: a late report of an earlier state is kept as an event only."""
        chain.append("order_update", change.at, update_fact(change), self.book)
        known = _order_row(connection, self.book, change.intent_id)
        if known is None or (change.state.working and not OrderState(known.state).working):
            return
        if change.state is OrderState.UNKNOWN and known.order_id is not None and not change.order_id:
            # Found in the same step in which its answer was lost.
            return
        values = {"state": change.state.value, "reason": change.reason, "updated_at": change.at}
        if change.order_id and known.order_id is None:
            values |= {"order_id": change.order_id, "submitted_at": change.at}
        self._change(connection, change.intent_id, values)

    def _filled(self, connection: Connection, chain: Chain, fill: Fill) -> None:
        """Book one execution once: the same one again changes nothing (I2)."""
        self._mine(fill.intent.book)
        row = _order_row(connection, self.book, fill.intent.intent_id)
        if row is None:
            raise Fatal(f"fill {fill.fill_id} belongs to intent {fill.intent.intent_id}, which was never recorded")
        order = order_of(row)
        known = connection.execute(_FILL_OF_ID, {"of_book": self.book, "of_fill": fill.fill_id}).first()
        if known is not None:
            if fill_of(known, order.intent) != fill:
                raise Fatal(f"fill {fill.fill_id} of {self.book} came a second time with other contents")
            return
        values = fill_values(fill, seq=0)
        values["seq"] = chain.append("fill", fill.filled_at, fact_of(values), self.book)
        self._prepared.fill.run(connection, values)
        filled = order.filled_qty + fill.qty
        changes: dict[str, Any] = {"filled_qty": filled, "updated_at": fill.filled_at}
        if filled >= order.intent.qty:
            changes["state"] = OrderState.FILLED.value
        self._change(connection, fill.intent.intent_id, changes)

    def _change(self, connection: Connection, intent_id: str, values: dict[str, Any]) -> None:
        connection.execute(_CHANGE_ORDER, {"of_book": self.book, "of_intent": intent_id, **values})

    def _equity(self, connection: Connection, at: datetime, value: Decimal) -> None:
        """One mark a moment; a later one of the same moment takes its place. Moments need not come in order: a scan is told at
        its slot, after prices that were seen since."""
        if self._equity_at is None or at <= self._equity_at:
            where = (EQUITY.c.book == self.book) & (EQUITY.c.at == at)
            changed = connection.execute(update(EQUITY).where(where).values(value=value))
            if changed.rowcount:
                return
        self._prepared.equity.run(connection, {"book": self.book, "at": at, "value": value})
        self._equity_at = max(at, self._equity_at or at)


def _order_row(connection: Connection, book: str, intent_id: str) -> Any:
    return connection.execute(_ORDER_OF_INTENT, {"of_book": book, "of_intent": intent_id}).first()


def _scan_fact(scan: ScanDone) -> dict[str, Any]:
    return {
        "slot": scan.slot, "origin": scan.origin, "version": scan.version, "signals": scan.signals,
        "approved": scan.approved, "fault": scan.fault,
    }


def _protection_fact(symbol: str, ledger: Ledger | None) -> dict[str, Any]:
    held = ledger.positions.get(symbol) if ledger is not None else None
    return {
        "symbol": symbol,
        "stop_loss": held.stop_loss if held is not None else None,
        "take_profit": held.take_profit if held is not None else None,
    }

