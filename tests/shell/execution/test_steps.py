"""Steps that the database did not take: stored before the next one, in order, and nothing is sent while one is owed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from shell.errors import BrainError, DatabaseBusy, DatabaseFailed, Fatal, NotNow
from shell.execution.record import StepRecord
from shell.execution.steps import Steps
from shell.orders import ApprovedOrder
from shell.portfolio.ledger import Ledger
from tests.shell.store.examples import approved_order

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Moody:
    """A journal that raises what is left in `moods`, one at a call."""

    def __init__(self, *moods: BrainError) -> None:
        self.moods = list(moods)
        self.kept: list[str] = []

    def _ask(self) -> None:
        if self.moods:
            raise self.moods.pop(0)

    def write_ahead(self, orders: Sequence[ApprovedOrder]) -> None:
        self._ask()
        self.kept.append("intent")

    def record(self, step: StepRecord) -> None:
        self._ask()
        self.kept.append(step.faults[0])


def not_undone(*_books: object) -> None:
    raise AssertionError("nothing is undone here")


def eventful(name: str) -> StepRecord:
    return StepRecord(book="main", at=NOON, faults=[name])


@pytest.mark.parametrize("error", [DatabaseBusy("locked"), DatabaseFailed("full")], ids=["locked", "full"])
def test_what_was_not_stored_is_stored_before_the_next_step(error: BrainError) -> None:
    journal = Moody(error)
    steps = Steps(journal, not_undone)
    with pytest.raises(type(error)):
        steps.finish(steps.begin(eventful("one"), Ledger(), None))
    assert steps.owed == 1
    steps.finish(steps.begin(eventful("two"), Ledger(), None))
    assert (journal.kept, steps.owed) == (["one", "two"], 0)


def test_no_intent_is_written_before_what_is_owed() -> None:
    journal = Moody(DatabaseFailed("full"), DatabaseFailed("full"))
    steps = Steps(journal, not_undone)
    with pytest.raises(DatabaseFailed):
        steps.finish(steps.begin(eventful("one"), Ledger(), None))
    with pytest.raises(DatabaseFailed):
        steps.write_ahead(approved_order(1))
    assert journal.kept == []
    steps.write_ahead(approved_order(1))
    assert journal.kept == ["one", "intent"]


def test_a_step_that_an_exception_ended_is_owed_with_the_ledger_it_left() -> None:
    journal = Moody()
    steps = Steps(journal, not_undone)
    left, ledger = eventful("begun"), Ledger()
    steps.begin(left, Ledger(), None)
    steps.finish(steps.begin(StepRecord(book="main", at=NOON + timedelta(minutes=1)), ledger, None))
    assert journal.kept == ["begun"]
    assert left.ledger is ledger


@pytest.mark.parametrize("error", [NotNow("the slot was worked"), Fatal("a fill with other contents")])
def test_a_step_that_is_refused_for_what_it_says_is_undone_and_not_tried_again(error: BrainError) -> None:
    journal, undone = Moody(error), list[object]()
    steps = Steps(journal, lambda *given: undone.append(given))
    before, wrong = Ledger(), eventful("wrong")
    with pytest.raises(type(error)):
        steps.finish(steps.begin(wrong, before, None))
    assert undone == [(before, None, [wrong])]
    assert undone[0][0] is before  # type: ignore[index]
    steps.finish(steps.begin(eventful("next"), before, None))
    assert (journal.kept, steps.owed) == (["next"], 0)


def test_with_a_refused_step_all_that_came_after_it_is_undone() -> None:
    journal, undone = Moody(DatabaseFailed("full"), Fatal("a fill with other contents")), list[object]()
    steps = Steps(journal, lambda *given: undone.append(given))
    first, second, third = Ledger(), Ledger(trades_closed=1), Ledger(trades_closed=2)
    records = [eventful("wrong"), eventful("later"), eventful("under way")]
    with pytest.raises(DatabaseFailed):
        steps.finish(steps.begin(records[0], first, None))
    steps.begin(records[1], second, None)
    steps.begin(records[2], third, None)
    with pytest.raises(Fatal):
        steps.write_ahead(approved_order(1))
    assert undone == [(first, None, records)]
    steps.finish(steps.begin(eventful("next"), first, None))
    assert journal.kept == ["next"]
