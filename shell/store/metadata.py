"""Every table in one place: what migrations are compared with."""

from typing import cast

from sqlalchemy import MetaData, Table
from sqlmodel import SQLModel

from shell.store import (
    tables_account,
    tables_books,
    tables_calls,
    tables_candidates,
    tables_candles,
    tables_events,
    tables_memory,
    tables_nights,
    tables_orders,
    tables_strategies,
)

TABLE_MODULES = (
    tables_account,
    tables_books,
    tables_calls,
    tables_candidates,
    tables_candles,
    tables_events,
    tables_memory,
    tables_nights,
    tables_orders,
    tables_strategies,
)
METADATA: MetaData = SQLModel.metadata


def table_of(model: type[SQLModel]) -> Table:
    """The Core table behind a model: statements are written with it, so that no unit of work sits between."""
    return cast(Table, model.__table__)  # type: ignore[attr-defined]
