"""The database locked, and the disk full, at each write of a short script: real locks and real limits, none pretended.

No order leaves without its intent on the disk, what happened meanwhile is written down later, and a process that dies owing it
finds it at the exchange.
"""

from __future__ import annotations

import logging
import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog

from shell.errors import DatabaseBusy, DatabaseFailed
from shell.execution.record import StepRecord
from shell.store.database import Database
from tests.faults.account_world import AccountWorld
from tests.faults.execution_world import Tally
from tests.faults.test_execution_faults import RISK, killed, moved, stopped, taken
from tests.thorough import THOROUGH

SCRIPTS = {script.__name__: script for script in (stopped, taken, moved, killed)}
# So many writes fail before the fault is mended.
FAILURES = 3


class Saboteur:
    """Makes the writes from number `first` on fail, `times` of them; with 0 it only counts."""

    def __init__(self, database: Path, first: int, kind: str, times: int = FAILURES) -> None:
        self.writes = 0
        self.failed = 0
        self._database, self._first, self._kind, self._times = database, first, kind, times
        self._locker: sqlite3.Connection | None = None
        self._limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def before_write(self) -> None:
        self.writes += 1
        if not self._first or self.writes < self._first or self.failed >= self._times:
            self.mend()
            return
        self.failed += 1
        if self._kind == "locked" and self._locker is None:
            self._locker = sqlite3.connect(self._database, isolation_level=None)
            self._locker.execute("BEGIN IMMEDIATE")
        elif self._kind == "full":
            # A write-ahead log that may not grow; what it holds already may be read.
            log = self._database.with_name(self._database.name + "-wal")
            resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size, self._limits[1]))

    def mend(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self._limits)
        if self._locker is not None:
            self._locker.rollback()
            self._locker.close()
            self._locker = None


class Clumsy(AccountWorld):
    """A world whose steps may fail for want of the database; then the next one comes, as in the trading loop."""

    failures = 0

    def _went_on(self, part: Callable[[], StepRecord | None]) -> StepRecord:
        try:
            done = part()
        except (DatabaseBusy, DatabaseFailed):
            self.failures += 1
            self.client.pump()
            self.watch()
            self.written_first()
            done = None
        return done or StepRecord(book="main", at=self.clock.now())

    def step(self, seconds: float = 0, *, scan: bool = False) -> StepRecord:
        return self._went_on(lambda: AccountWorld.step(self, seconds, scan=scan))

    def price(self, price: str, *, tell: bool = True) -> None:
        self._went_on(lambda: AccountWorld.price(self, price, tell=tell))

    def kill(self) -> None:
        self._went_on(lambda: AccountWorld.kill(self))

    def written_first(self) -> None:
        """Every order that we named at the exchange is an intent on the disk."""
        written = {order.approved.intent.client_id for order in self._known()}
        named = {order.request.cl_ord_id for order in self.exchange_orders() if order.request.cl_ord_id}
        if named - written:
            self.tally.blame("I1", f"{named - written} left without an intent on the disk")


@contextmanager
def sabotaged(saboteur: Saboteur, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    outermost = Database._outermost

    def counted(database: Database, *, writing: bool) -> Any:
        if writing:
            saboteur.before_write()
        return outermost(database, writing=writing)

    with monkeypatch.context() as patch:
        patch.setattr(Database, "_outermost", counted)
        patch.setattr("shell.store.database.BUSY_TIMEOUT_MS", 1)
        try:
            yield
        finally:
            saboteur.mend()


def played(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch, *, kind: str = "", first: int = 0, dies: bool = False
) -> tuple[Tally, int, int]:
    """One script with one fault: what the oracle found, the writes there were, and the steps that failed."""
    with monkeypatch.context() as patch:
        patch.setattr("shell.store.database.BUSY_TIMEOUT_MS", 1)
        on = Clumsy(folder, risk=RISK)
    try:
        on.step(1)
        saboteur = Saboteur(folder / "brain.db", first, kind)
        with sabotaged(saboteur, monkeypatch):
            SCRIPTS[name](on)
        if dies:
            on.restart()
        on.quiet()
        tally = on.judge()
        on.written_first()
        return tally, saboteur.writes, on.failures
    finally:
        on.close()


@pytest.fixture(autouse=True)
def quiet_log() -> Iterator[None]:
    """Warnings would be written to a file that may not grow."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


@pytest.mark.parametrize(("name", "kind", "first", "dies"), [("stopped", "full", 2, False), ("stopped", "locked", 2, True)])
def test_a_write_that_fails_costs_no_fill_and_lets_no_order_out_unwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: str, first: int, dies: bool
) -> None:
    tally, _, failures = played(tmp_path / "world", name, monkeypatch, kind=kind, first=first, dies=dies)
    assert failures
    assert not tally.wrong.total(), tally.sentences


@pytest.mark.parametrize("name", [pytest.param(name, marks=THOROUGH) for name in SCRIPTS])
@pytest.mark.timeout(1800)
def test_every_write_locked_and_every_write_on_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    _, writes, _ = played(tmp_path / "whole", name, monkeypatch)
    total, wrong, failures, number = Tally(), [], 0, 0
    for first in range(1, writes + 1):
        for kind in ("locked", "full"):
            for dies in (False, True):
                number += 1
                tally, _, failed = played(tmp_path / str(number), name, monkeypatch, kind=kind, first=first, dies=dies)
                total, failures = total + tally, failures + failed
                if tally.wrong.total() or not failed:
                    wrong.append(f"{name} {kind} at write {first} dies={dies}, {failed} failed: {+tally.wrong} {tally.sentences[:2]}")
    print(f"{name}: {number} runs over {writes} writes, {failures} steps failed; {total.line()}")
    assert wrong == []
