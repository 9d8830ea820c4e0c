"""Our side of a reconciliation, read from the database: the orders that matter to one picture, and what is booked already."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, bindparam, or_, select

from shell.money import Price
from shell.orders import OrderState, Purpose
from shell.portfolio.account import AccountPicture
from shell.portfolio.ledger import Ledger
from shell.portfolio.reconcile_types import BookView, OurOrder
from shell.store.metadata import table_of
from shell.store.order_rows import StoredOrder, order_of
from shell.store.store import Store
from shell.store.tables_orders import FillRow, OrderRow

ORDERS, FILLS = table_of(OrderRow), table_of(FillRow)
IDS_A_QUERY = 500
# A trade's time as two doors told it, and as a clock that was set in between sees it, may differ: at the edge of a window
# none is missed.
EDGE = timedelta(minutes=1)
# Made once: an account is looked at every quarter of an hour, and making the text costs more than reading.
_LATELY = select(ORDERS).where(
    ORDERS.c.book == bindparam("of"),
    or_(
        ORDERS.c.state.in_([state.value for state in OrderState if state.working]),
        ORDERS.c.updated_at >= bindparam("since"), ORDERS.c.decided_at >= bindparam("since"),
    ),
)
_RECENT = (
    select(FILLS.c.fill_id)
    .join(ORDERS, (ORDERS.c.book == FILLS.c.book) & (ORDERS.c.intent_id == FILLS.c.intent_id))
    .where(
        FILLS.c.book == bindparam("of"), FILLS.c.filled_at >= bindparam("since"),
        ORDERS.c.purpose != Purpose.EXTERNAL.value,
    )
)
_BY_ORDER, _BY_CLIENT = (
    select(ORDERS).where(ORDERS.c.book == bindparam("of"), column.in_(bindparam("ids", expanding=True)))
    for column in (ORDERS.c.order_id, ORDERS.c.client_id)
)
_TRADED = select(FILLS.c.fill_id).where(
    FILLS.c.book == bindparam("of"), FILLS.c.fill_id.in_(bindparam("ids", expanding=True))
)


def book_view(
    store: Store, book: str, picture: AccountPicture, *, quote: str, version: str, ledger: Ledger,
    prices: Mapping[str, Price], awaited: frozenset[str] = frozenset(),
) -> BookView:
    """Everything of `book` that `picture` is to be compared with, as of one state of the database."""
    mark = store.account.mark()
    orders = (*picture.open_orders, *picture.ended_orders)
    named = {order.order_id for order in orders} | {order.parent_id for order in orders if order.parent_id}
    named |= {trade.order_id for trade in picture.trades}
    moved = {move.movement_id for move in picture.movements} | {trade.trade_id for trade in picture.trades}
    clients = {order.client_id.lower() for order in orders if order.client_id}
    with store.reading() as connection:
        known = _orders(connection, book, named, clients, picture.since)
        traded = _in(connection, _TRADED, book, {trade.trade_id for trade in picture.trades})
        return BookView(
            book=book, quote=quote, version=version, mark=mark, ledger=ledger,
            orders=[
                OurOrder(
                    intent=each.intent, client_id=each.intent.client_id, order_id=each.order_id, state=each.state,
                    updated_at=each.updated_at,
                )
                for each in known
            ],
            booked=frozenset(row.fill_id for row in traded), recent=_recent(connection, book, picture.since),
            noted=store.account.noted(moved), totals=store.account.totals(), prices=prices, awaited=awaited,
        )


def _orders(
    connection: Connection, book: str, ids: Collection[str], clients: Collection[str], since: datetime
) -> list[StoredOrder]:
    """Orders that may still fill, those decided lately, and those that the venue's orders and trades belong to."""
    rows = {row.intent_id: row for row in connection.execute(_LATELY, {"of": book, "since": since})}
    rows |= {row.intent_id: row for row in _in(connection, _BY_ORDER, book, ids)}
    rows |= {row.intent_id: row for row in _in(connection, _BY_CLIENT, book, clients)}
    return [order_of(row) for row in sorted(rows.values(), key=lambda row: row.seq)]


def _recent(connection: Connection, book: str, since: datetime) -> frozenset[str]:
    """Fills of the venue since then. What reconciliation booked for coins that left has no trade at the venue."""
    return frozenset(connection.execute(_RECENT, {"of": book, "since": since + EDGE}).scalars())


def _in(connection: Connection, statement: Select[Any], book: str, ids: Collection[str]) -> list[Any]:
    """What `statement` gives of `book` for these ids, asked for in parts that every database takes."""
    found: list[Any] = []
    asked = sorted(ids)
    for at in range(0, len(asked), IDS_A_QUERY):
        found.extend(connection.execute(statement, {"of": book, "ids": asked[at : at + IDS_A_QUERY]}))
    return found
