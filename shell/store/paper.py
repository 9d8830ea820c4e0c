"""Paper trials as rows, and what their books hold to be judged on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import func, insert, select, update

from shell.answers import PaperTrial
from shell.errors import Rejected
from shell.orders import Fill, SignalAnswer
from shell.store.books import read_fills
from shell.store.database import Database
from shell.store.events import EventLog
from shell.store.metadata import table_of
from shell.store.order_rows import answer_of
from shell.store.tables_events import FaultRow
from shell.store.tables_nights import PaperTrialRow
from shell.store.tables_orders import AnswerRow, ScanRow

TRIALS, ANSWERS, SCANS, FAULTS = table_of(PaperTrialRow), table_of(AnswerRow), table_of(ScanRow), table_of(FaultRow)


class TrialState(StrEnum):
    """RUNNING and EXTENDED go on; the others have ended."""

    RUNNING = "running"
    EXTENDED = "extended"
    PASSED = "passed"
    FAILED = "failed"
    PROMOTED = "promoted"
    ABORTED = "aborted"


class PaperTrials:
    """Trials by id "t0001", each with the book "trial:t0001"."""

    def __init__(self, database: Database, events: EventLog) -> None:
        self._database = database
        self._events = events

    def start(self, candidate_id: str, *, started_at: datetime, due_at: datetime) -> PaperTrial:
        """Begin a trial; the one that a candidate has already is returned unless it was aborted."""
        with self._database.transaction() as connection:
            where = (TRIALS.c.candidate_id == candidate_id) & (TRIALS.c.state != TrialState.ABORTED.value)
            known = connection.execute(select(TRIALS).where(where)).first()
            if known is not None:
                return _trial_of(known)
            number = 1 + (connection.execute(select(func.max(TRIALS.c.number))).scalar() or 0)
            trial_id = f"t{number:04d}"
            connection.execute(
                insert(TRIALS).values(
                    trial_id=trial_id, number=number, candidate_id=candidate_id, book=f"trial:{trial_id}",
                    started_at=started_at, due_at=due_at, state=TrialState.RUNNING.value, result=None,
                )
            )
            payload = {"trial": trial_id, "candidate": candidate_id, "due_at": due_at}
            self._events.chain(connection).append("paper_started", started_at, payload, "main")
            return self.get(trial_id)

    def get(self, trial_id: str) -> PaperTrial:
        """Raises Rejected for one that does not exist."""
        return _trial_of(self._row(trial_id))

    def result(self, trial_id: str) -> Mapping[str, Any] | None:
        """What a trial ended with, None before."""
        found: Mapping[str, Any] | None = self._row(trial_id).result
        return found

    def list(self, state: str | None = None) -> Sequence[PaperTrial]:
        """Trials in the order they began."""
        statement = select(TRIALS).order_by(TRIALS.c.number)
        if state is not None:
            statement = statement.where(TRIALS.c.state == TrialState(state).value)
        with self._database.reading() as connection:
            return [_trial_of(row) for row in connection.execute(statement)]

    def update(
        self,
        trial_id: str,
        *,
        state: str | None = None,
        due_at: datetime | None = None,
        result: Mapping[str, Any] | None = None,
        at: datetime | None = None,
    ) -> PaperTrial:
        """Change what is given. The event carries `at`, or the trial's due time where that is not known."""
        changes: dict[str, Any] = {}
        if state is not None:
            changes["state"] = TrialState(state).value
        if due_at is not None:
            changes["due_at"] = due_at
        if result is not None:
            changes["result"] = result
        with self._database.transaction() as connection:
            known = self._row(trial_id)
            changed = {name: value for name, value in changes.items() if getattr(known, name) != value}
            if changed:
                connection.execute(update(TRIALS).where(TRIALS.c.trial_id == trial_id).values(**changed))
                payload = {"trial": trial_id, "candidate": known.candidate_id, **changed}
                self._events.chain(connection).append("paper_changed", at or known.due_at, payload, "main")
            return self.get(trial_id)

    def facts_of(self, book: str, *, before: datetime) -> tuple[Sequence[SignalAnswer], Sequence[Fill], int, int]:
        """What a trial's book did before a moment: answers, fills, the number of scans and that of faults."""
        with self._database.reading() as connection:
            answers = connection.execute(
                select(ANSWERS).where(ANSWERS.c.book == book, ANSWERS.c.decided_at < before).order_by(ANSWERS.c.seq)
            )
            scans = select(func.count()).select_from(SCANS).where(SCANS.c.book == book, SCANS.c.slot < before)
            faults = select(func.count()).select_from(FAULTS).where(FAULTS.c.book == book, FAULTS.c.at < before)
            return (
                [answer_of(row) for row in answers],
                [fill for _, fill in read_fills(connection, book) if fill.filled_at < before],
                connection.execute(scans).scalar_one(),
                connection.execute(faults).scalar_one(),
            )

    def _row(self, trial_id: str) -> Any:
        with self._database.reading() as connection:
            row = connection.execute(select(TRIALS).where(TRIALS.c.trial_id == trial_id)).first()
        if row is None:
            raise Rejected(f"there is no paper trial {trial_id}")
        return row


def _trial_of(row: Any) -> PaperTrial:
    return PaperTrial(
        trial_id=row.trial_id, candidate_id=row.candidate_id, started_at=row.started_at, due_at=row.due_at,
        state=row.state,
    )
