"""Steps on their way to the disk: what happened is not forgotten because the database was full or locked when it did.

The ledger in memory has moved on by then, and the gateway tells a fill once. So a step that could not be stored, or that an
exception ended early, is owed: it is stored before the next one, in order, and nothing is sent while one is owed. A process
that dies owing one loses nothing either: its database is older than the exchange, and the next start reads what is missing.

A step that the database refuses for what it says can never be stored. Nor may its effects stay in memory, where the next step
would store a ledger that no fact explains. They are undone, with all later steps, as if the process had died before it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shell.errors import DatabaseBusy, DatabaseFailed
from shell.execution.record import Journal, StepRecord
from shell.orders import ApprovedOrder
from shell.portfolio.ledger import EquityMarks, Ledger

Undo = Callable[[Ledger, EquityMarks | None, Sequence[StepRecord]], None]


@dataclass(frozen=True, slots=True)
class Owed:
    """A step that is not on the disk, and the books before it."""

    record: StepRecord
    ledger: Ledger
    marks: EquityMarks | None


class Steps:
    """The steps of one engine, which begins and finishes one after another. `undo` is given the books to go back to, and the
    steps that did not happen."""

    def __init__(self, journal: Journal, undo: Undo) -> None:
        self._journal = journal
        self._undo = undo
        self._begun: StepRecord | None = None
        self._before: tuple[Ledger, EquityMarks | None] = (Ledger(), None)
        self._owed: deque[Owed] = deque()

    def begin(self, record: StepRecord, ledger: Ledger, marks: EquityMarks | None) -> StepRecord:
        """Begin a step. One that was begun and never finished left `ledger` and `marks` behind, and is owed."""
        if self._begun is not None:
            self._begun.ledger, self._begun.marks = ledger, marks
            self._owe(self._begun)
        self._begun, self._before = record, (ledger, marks)
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

        A step that is refused for what it says is undone with all after it; its error goes to the caller, who halts.
        """
        while self._owed:
            try:
                self._journal.record(self._owed[0].record)
            except (DatabaseBusy, DatabaseFailed):
                raise
            except BaseException:
                refused, undone = self._owed[0], [owed.record for owed in self._owed]
                # The step that is under way builds on what is undone.
                undone += [self._begun] if self._begun is not None else []
                self.forget()
                self._undo(refused.ledger, refused.marks, undone)
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
            self._owed.append(Owed(record, *self._before))
