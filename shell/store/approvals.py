"""What people decided about candidates that wait for a person: stored, so that a later night heeds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from shell.store.database import Database
from shell.store.events import EventLog
from shell.store.metadata import table_of
from shell.store.tables_candidates import ApprovalRow

APPROVALS = table_of(ApprovalRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One decision about one candidate."""

    candidate_id: str
    approved: bool
    by: str
    at: datetime


class Approvals:
    """One decision a candidate; another one takes its place, and the event log keeps both."""

    def __init__(self, database: Database, events: EventLog) -> None:
        self._database = database
        self._events = events

    def decide(self, candidate_id: str, approved: bool, by: str, at: datetime) -> Approval:
        """Record a decision. The same one again changes nothing. The caller knows that the candidate exists."""
        with self._database.transaction() as connection:
            known = self.get(candidate_id)
            if known is not None and known.approved == approved:
                return known
            values = {"approved": approved, "decided_by": by, "at": at}
            if known is None:
                connection.execute(insert(APPROVALS).values(candidate_id=candidate_id, **values))
            else:
                connection.execute(update(APPROVALS).where(APPROVALS.c.candidate_id == candidate_id).values(**values))
            payload = {"candidate": candidate_id, "approved": approved, "by": by}
            self._events.chain(connection).append("approval", at, payload, "main")
        return Approval(candidate_id=candidate_id, approved=approved, by=by, at=at)

    def get(self, candidate_id: str) -> Approval | None:
        with self._database.reading() as connection:
            row = connection.execute(select(APPROVALS).where(APPROVALS.c.candidate_id == candidate_id)).first()
        return None if row is None else _approval_of(row)

    def list(self) -> Sequence[Approval]:
        """Every decision, oldest first."""
        with self._database.reading() as connection:
            return [_approval_of(row) for row in connection.execute(select(APPROVALS).order_by(APPROVALS.c.at))]


def _approval_of(row: Any) -> Approval:
    return Approval(candidate_id=row.candidate_id, approved=row.approved, by=row.decided_by, at=row.at)
