"""The fence: of all processes that ever opened this database to trade, only the newest may have an order written.

A file lock keeps a second process of this machine out. It says nothing where the file system does not lock, or where two
machines share one database; the fence does. Each start takes the next epoch, and the commit that must come before an order is
sent asks for it. Whoever was overtaken can write no intent, and so send none.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from shell.errors import Fatal
from shell.store.database import Database
from shell.store.metadata import table_of
from shell.store.tables_account import FenceRow

FENCES = table_of(FenceRow)
TRADER = "trader"


class Fence:
    """One process's right to write orders. Until it is taken nothing is asked for: backtests and readers have none."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.epoch: int | None = None

    def take(self, holder: str, at: datetime) -> int:
        """Overtake whoever had it. Committed to the disk when this returns; `holder` is for sentences alone."""
        with self._database.transaction(durable=True) as connection:
            row = connection.execute(select(FENCES).where(FENCES.c.name == TRADER)).first()
            epoch = 1 if row is None else int(row.epoch) + 1
            values = {"epoch": epoch, "holder": holder, "taken_at": at}
            if row is None:
                connection.execute(insert(FENCES).values(name=TRADER, **values))
            else:
                connection.execute(update(FENCES).where(FENCES.c.name == TRADER).values(**values))
        self.epoch = epoch
        return epoch

    def check(self, connection: Connection) -> None:
        """Inside the transaction that writes an intent. Raises Fatal when another process has overtaken this one."""
        if self.epoch is None:
            return
        row = connection.execute(select(FENCES).where(FENCES.c.name == TRADER)).first()
        if row is None or int(row.epoch) != self.epoch:
            who = "a database without a fence" if row is None else f"{row.holder} since {row.taken_at:%Y-%m-%d %H:%M:%S} UTC"
            raise Fatal(
                f"another process trades on this database ({who}): this one was overtaken (epoch {self.epoch}) and may "
                "place nothing"
            )
