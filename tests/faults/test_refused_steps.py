"""A fill that the ledger or the database refuses: the books go back, nothing is sold twice, and a look at the account mends it.

The refusal stands for a defect nobody knows of; the only one that was known is a test of the journal's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shell.contract import Action, Signal
from shell.errors import Fatal
from shell.execution.record import StepRecord
from shell.orders import Fill, Purpose
from shell.portfolio.ledger import Ledger, apply_fill
from shell.store.journal import SqlJournal
from tests.faults.account_world import AccountWorld
from tests.shell.exchange.live.stage import BTC, buy
from tests.thorough import THOROUGH


class Refusing(AccountWorld):
    """A world that goes on after a step was refused, as the loop does."""

    def step(self, seconds: float = 0, *, scan: bool = False) -> StepRecord:
        try:
            return super().step(seconds, scan=scan)
        except Fatal as error:
            if "a defect" not in str(error):
                raise
            self.follow()
            return StepRecord(book="main", at=self.clock.now())

    def tick(self, price: str) -> None:
        try:
            self.price(price)
        except Fatal as error:
            if "a defect" not in str(error):
                raise
        self.watch()


@pytest.fixture
def opens(tmp_path: Path) -> Iterator[Callable[..., Refusing]]:
    made: list[Refusing] = []

    def opened(*script: Any) -> Refusing:
        made.append(Refusing(tmp_path / "world", dict(enumerate(script))))
        made[-1].step(1)
        return made[-1]

    yield opened
    for each in made:
        each.close()


def contradict_first(monkeypatch: pytest.MonkeyPatch, purpose: Purpose) -> list[object]:
    """The first fill of this purpose cannot be booked: the ledger says that it cannot be."""
    refused: list[object] = []

    def once(ledger: Ledger, fill: Fill) -> Any:
        if not refused and fill.intent.purpose is purpose:
            refused.append(fill)
            raise Fatal("a defect")
        return apply_fill(ledger, fill)

    monkeypatch.setattr("shell.engine.apply_fill", once)
    return refused


def refuse_first(monkeypatch: pytest.MonkeyPatch, purpose: Purpose) -> list[object]:
    """The first step with a fill of this purpose cannot be stored."""
    refused: list[object] = []
    record = SqlJournal.record

    def once(journal: SqlJournal, step: StepRecord) -> None:
        if not refused and any(fill.intent.purpose is purpose for fill in step.fills):
            refused.append(step)
            raise Fatal("a defect")
        record(journal, step)

    monkeypatch.setattr(SqlJournal, "record", once)
    return refused


@pytest.mark.parametrize(
    "purpose",
    [Purpose.EXIT, *(pytest.param(each, marks=THOROUGH) for each in (Purpose.ENTRY, Purpose.STOP, Purpose.TARGET))],
)
@pytest.mark.parametrize("fails", [refuse_first, contradict_first])
@pytest.mark.parametrize("restarts", [False, pytest.param(True, marks=THOROUGH)], ids=["goes on", "restarts"])
def test_books_go_back_and_follow_the_account_when_a_fill_cannot_be_booked_or_stored(
    opens: Callable[..., Refusing], purpose: Purpose, fails: Callable[..., list[object]], restarts: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refused = fails(monkeypatch, purpose)
    close = [Signal(BTC, Action.CLOSE)] if purpose is Purpose.EXIT else []
    on = opens([buy(target=30_500.0)], close, close)
    on.scan()
    on.settle(3)
    if purpose is Purpose.STOP:
        on.tick("28990.0")
    if purpose is Purpose.TARGET:
        on.tick("30500.0")
    if purpose is Purpose.EXIT:
        on.scan()
    on.settle(2)
    for _ in range(4):
        on.tick("30500.0" if purpose is Purpose.TARGET else "29900.0")
        on.settle(1)
    assert len(refused) == 1
    if restarts:
        on.restart()
    on.quiet()
    assert not on.engine.protector.unsure
    assert (on.held() > 0) == (purpose is Purpose.ENTRY)
    tally = on.judge()
    assert not tally.wrong.total(), tally.sentences


def test_the_strategy_hears_once_of_a_fill_that_was_undone_and_booked_afresh(
    opens: Callable[..., Refusing], monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = refuse_first(monkeypatch, Purpose.ENTRY)
    on = opens([buy(target=30_500.0)])
    on.scan()
    for _ in range(4):
        on.settle(1)
        on.watch()
    on.quiet()
    assert len(refused) == 1 and on.held() > 0
    assert len(on.engine.seat.owed) == 1
