"""The trial ledger's own chain: the facts that decide promotions, linked one to the next, apart from orders and fills.

The event log proves that nothing was changed, but to show it one has to hand out every fill. These links carry the hash of
a payload instead of the payload, so that a certificate can hold them all and prove that no trial was left out. They are
made from the same facts in the same transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from shell.store.database import Database
from shell.store.metadata import table_of
from shell.store.tables_events import TrialLinkRow
from shell.store.types import utc_text

LINKS = table_of(TrialLinkRow)
EMPTY_LEDGER = "0" * 64
# Every kind of fact that bears on which candidate was tried, how it scored, and which version trades.
LEDGER_KINDS = frozenset({
    "segments", "candidate", "searches", "stage", "selection_look", "score", "vault_look", "paper_started",
    "paper_changed", "rerun", "promotion", "promotion_aborted", "rollback", "strategy_active", "quarantine",
})


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialLink:
    """One link; `seq` is the number of its event."""

    number: int
    seq: int
    kind: str
    at: datetime
    payload_hash: str
    hash: str


class TrialChain:
    """Reads the links."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def head(self) -> str:
        """The hash over the whole trial ledger; `EMPTY_LEDGER` before the first fact."""
        with self._database.reading() as connection:
            return last_link(connection)[1]

    def links(self, upto_seq: int | None = None) -> Iterator[TrialLink]:
        """Links in order, to the one of event `upto_seq` at most."""
        statement = select(LINKS).order_by(LINKS.c.number)
        if upto_seq is not None:
            statement = statement.where(LINKS.c.seq <= upto_seq)
        with self._database.reading() as connection:
            rows = connection.execute(statement).all()
        for row in rows:
            yield TrialLink(
                number=row.number, seq=row.seq, kind=row.kind, at=row.at, payload_hash=row.payload_hash, hash=row.hash
            )


def add_link(connection: Connection, seq: int, kind: str, at: datetime, payload: str) -> None:
    """Link the event `seq`, whose canonical payload is `payload`, to the ledger."""
    number, previous = last_link(connection)
    digest = payload_digest(payload)
    connection.execute(
        insert(LINKS).values(
            number=number + 1, seq=seq, kind=kind, at=at, payload_hash=digest,
            hash=link_digest(previous, number + 1, seq, kind, utc_text(at), digest),
        )
    )


def last_link(connection: Connection) -> tuple[int, str]:
    row = connection.exec_driver_sql("SELECT number, hash FROM trial_links ORDER BY number DESC LIMIT 1").fetchone()
    return (0, EMPTY_LEDGER) if row is None else (int(row[0]), str(row[1]))


def payload_digest(payload: str) -> str:
    return hashlib.sha256(payload.encode()).hexdigest()


def link_digest(previous: str, number: int, seq: int, kind: str, at: str, payload_hash: str) -> str:
    """The hash of one link. `at` is written as `utc_text` does."""
    return hashlib.sha256(f"{previous}\n{number}\n{seq}\n{kind}\n{at}\n{payload_hash}".encode()).hexdigest()
