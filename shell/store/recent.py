"""What a process must know of the near past when it starts: orders a venue may still tell of, and what throttles measure."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from shell.contract import Action
from shell.execution.known import KnownOrder
from shell.execution.waiting import LATE, WAIT_MOST, WaitingExit, waiting_exit
from shell.orders import SPAWNED, OrderState
from shell.risk.refusal import RefusalCode
from shell.risk.view import RecentSignal
from shell.store.metadata import table_of
from shell.store.order_rows import answer_of, order_of
from shell.store.tables_orders import AnswerRow, FillRow, OrderRow

ORDERS, FILLS, ANSWERS = table_of(OrderRow), table_of(FillRow), table_of(AnswerRow)
# Measured back from the newest of each kind, so that nobody has to say what time it is.
KNOWN_FOR = timedelta(days=7)
SIGNALS_FOR = timedelta(days=1)
ORDERS_FOR = timedelta(minutes=1)
SIGNALS_MAX = 1_000


def known_orders(connection: Connection, book: str) -> list[KnownOrder]:
    """Orders that may still fill, and those decided within the last days, oldest first."""
    newest = connection.execute(select(func.max(ORDERS.c.decided_at)).where(ORDERS.c.book == book)).scalar()
    if newest is None:
        return []
    working = [state.value for state in OrderState if state.working]
    wanted = ORDERS.c.state.in_(working) | (ORDERS.c.decided_at >= newest - KNOWN_FOR)
    rows = connection.execute(select(ORDERS).where(ORDERS.c.book == book, wanted).order_by(ORDERS.c.seq)).all()
    fills: dict[str, set[str]] = {}
    recent = select(FILLS.c.intent_id, FILLS.c.fill_id).where(FILLS.c.book == book)
    oldest = min(row.decided_at for row in rows)
    for fill in connection.execute(recent.where(FILLS.c.filled_at >= oldest)):
        fills.setdefault(fill.intent_id, set()).add(fill.fill_id)
    known = []
    for row in rows:
        order = order_of(row)
        known.append(
            KnownOrder(
                approved=order.approved, order_id=order.order_id, sent_at=order.submitted_at or order.intent.decided_at,
                state=order.state, filled=order.filled_qty, fills=frozenset(fills.get(order.intent.intent_id, ())),
                reason=order.reason,
            )
        )
    return known


def recent_signals(connection: Connection, book: str) -> list[RecentSignal]:
    """Signals that were approved within the last day of them, oldest first."""
    rows = connection.execute(
        select(ANSWERS.c.symbol, ANSWERS.c.action, ANSWERS.c.decided_at)
        .where(ANSWERS.c.book == book, ANSWERS.c.approved)
        .order_by(ANSWERS.c.decided_at.desc()).limit(SIGNALS_MAX)
    ).all()
    return [
        (row.symbol, Action(row.action), row.decided_at)
        for row in reversed(rows) if rows[0].decided_at - row.decided_at <= SIGNALS_FOR
    ]


def waiting_exits(connection: Connection, book: str) -> list[WaitingExit]:
    """Exits that were told to wait and have no second answer, oldest first, one a symbol: the newer one holds."""
    newest = connection.execute(select(func.max(ANSWERS.c.decided_at)).where(ANSWERS.c.book == book)).scalar()
    if newest is None:
        return []
    rows = connection.execute(
        select(ANSWERS).where(ANSWERS.c.book == book, ANSWERS.c.decided_at >= newest - WAIT_MOST).order_by(ANSWERS.c.seq)
    ).all()
    answered = {row.signal_id for row in rows}
    return [
        waiting_exit(answer_of(row)) for row in rows
        if row.code == RefusalCode.EXIT_WAITING.value and row.signal_id + LATE not in answered
    ]


def order_times(connection: Connection, book: str) -> list[datetime]:
    """When orders left within the last minute of them. The stops that a venue spawned were never sent."""
    sent = (ORDERS.c.book == book) & ~ORDERS.c.intent_id.contains(SPAWNED, autoescape=True)
    statement = select(ORDERS.c.decided_at).where(sent).order_by(ORDERS.c.decided_at.desc())
    times = list(connection.execute(statement.limit(SIGNALS_MAX)).scalars())
    return [at for at in reversed(times) if times[0] - at <= ORDERS_FOR]
