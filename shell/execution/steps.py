"""Steps on their way to the disk: what happened is not forgotten because the database was full or locked when it did.

The ledger in memory has moved on by then, and the gateway tells a fill once. So a step that could not be stored, or that an
exception ended early, is owed: it is stored before the next one, in order, and nothing is sent while one is owed. A process
that dies owing one loses nothing either: its database is older than the exchange, and the next start reads what is missing.
"""

from __future__ import annotations

from collections import deque

from shell.errors import DatabaseBusy, DatabaseFailed
from shell.execution.record import Journal, StepRecord
from shell.orders import ApprovedOrder
from shell.portfolio.ledger import EquityMarks, Ledger


class Steps:
    """The steps of one engine, which begins and finishes one after another."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._begun: StepRecord | None = None
        self._owed: deque[StepRecord] = deque()

    def begin(self, record: StepRecord, ledger: Ledger, marks: EquityMarks | None) -> StepRecord:
        """Begin a step. One that was begun and never finished left `ledger` and `marks` behind, and is owed."""
        if self._begun is not None:
            self._begun.ledger, self._begun.marks = ledger, marks
            self._owe(self._begun)
        self._begun = record
        return record

    def finish(self, record: StepRecord) -> None:
        """Store a step, after those that are owed. Raises what `settle` does; then it is owed itself."""
        self._begun = None
        self._owe(record)
        self.settle()

    def write_ahead(self, order: ApprovedOrder) -> None:
        """Commit an intent before it is sent (D9), after all that happened before it. Raises what `settle` does."""
        self.settle()
        self._journal.write_ahead([order])

    def settle(self) -> None:
        """Store what is owed. Raises DatabaseBusy and DatabaseFailed while the database takes nothing.

        A step that is refused for what it says is not stored later either; its error goes to the caller, who halts.
        """
        while self._owed:
            try:
                self._journal.record(self._owed[0])
            except (DatabaseBusy, DatabaseFailed):
                raise
            except BaseException:
                self._owed.popleft()
                raise
            self._owed.popleft()

    def forget(self) -> None:
        """Let go of the steps of a transaction that failed: its caller has undone what they tell of. None was owed before."""
        self._begun = None
        self._owed.clear()

    @property
    def owed(self) -> int:
        """How many steps are not on the disk."""
        return len(self._owed)

    def _owe(self, record: StepRecord) -> None:
        if record.scan is not None or record.eventful:
            self._owed.append(record)
