"""A world whose books are compared with the account, too, as a running shell does: gateway and reconciliation together.

Its database can be copied as a backup would be, and taken back to an older copy while the exchange goes on.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from deployments.live_account import LiveAccount
from shell.config import PaperConfig, Settings
from shell.errors import BrainError, DatabaseFailed, Fatal, NotNow
from shell.exchange.kraken.signing import Credentials
from shell.exchange.live.connection import LiveConnection
from shell.exchange.live.gateway import LiveGateway
from shell.execution.client_id import NO_MARK
from shell.execution.record import StepRecord
from shell.home import Home
from shell.money import QuoteAmount
from shell.risk.halts import HaltKind
from shell.secrets import Secret
from shell.store.account import MARK_FACT
from shell.store.books import BookState
from shell.venue import MarketFacts, Venue
from tests.faults.execution_world import World
from tests.shell.exchange.live.in_process import InProcess, NoWaiting, OwnLoop
from tests.shell.exchange.live.stage import BTC, FEES, PAPER

T = TypeVar("T")
# A refused start is tried again by the supervisor; faults end in between, or the test has hung.
STARTS_MAX = 20
START_AGAIN_SECONDS = 20
ENTRY_EXPIRY = timedelta(hours=1)
SETTINGS = Settings(paper=PaperConfig(limit_entry_expiry=ENTRY_EXPIRY))


class Ended:
    """A look that was taken at once and is only looked at in a later round: older than the books by then."""

    def __init__(self, value: Any, error: BrainError | None) -> None:
        self._value = value
        self._error = error

    def done(self) -> bool:
        return True

    def result(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._value


class LoopBridge:
    """The bridge of a connection over a client's own loop."""

    def __init__(self, loop: OwnLoop) -> None:
        self.call = loop.call

    def begin(self, make: Callable[[], Awaitable[T]], seconds: float) -> Ended:
        try:
            return Ended(self.call(make, seconds), None)
        except BrainError as error:
            return Ended(None, error)


def connection_of(client: InProcess) -> LiveConnection:
    bridge: Any = LoopBridge(client._loop)
    return LiveConnection(bridge, client.rest, client.api, client.names, client.venue, client.feed)


class AccountWorld(World):
    """Reconciles at each start and in every step. A broken invariant that the shell finds itself is blamed as `fatal`."""

    account: LiveAccount
    reconciling: Venue

    def open(self) -> None:
        super().open()
        for _ in range(STARTS_MAX):
            try:
                self.reconciling.reconcile(self.engine, self.clock.now())
                return
            except NotNow:
                self.store.close()
                self.client.close()
                self.wait(START_AGAIN_SECONDS)
                super().open()
        raise AssertionError(f"the shell did not start in {STARTS_MAX} tries")

    def _gateway(self, *, book: str, funds: Callable[[], QuoteAmount], state: BookState | None) -> LiveGateway:
        self.store.facts.once(MARK_FACT, NO_MARK)
        pairs = {BTC: self.client.names.pair(BTC).pair}
        assert PAPER.limit_entry_expiry == ENTRY_EXPIRY
        self.account = LiveAccount(
            connection_of(self.client), home=Home.private(self.folder), settings=SETTINGS,
            credentials=Credentials(key=Secret(self.desk.key), secret=Secret(self.desk.secret)), store=self.store,
            facts=MarketFacts(pairs=pairs, fees=FEES_OF, source="test", real=False), clock=self.clock, pace=NoWaiting(),
            notify=lambda *_told: None,
        )
        self.reconciling = self.account.venue()
        assert self.reconciling.gateway is not None
        made = self.reconciling.gateway(book=book, funds=funds, state=state)
        assert isinstance(made, LiveGateway)
        self.gateway = made
        return made

    def step(self, seconds: float = 0, *, scan: bool = False) -> StepRecord:
        record = super().step(seconds, scan=scan)
        self.follow()
        return record

    def follow(self) -> None:
        try:
            self.reconciling.follow(self.engine, self.clock.now())
        except DatabaseFailed:
            raise
        except Fatal as error:
            self.tally.blame("fatal", str(error))
        self.watch()

    def lift(self) -> None:
        super().lift()
        if HaltKind.BOOKS_DIFFER in self.engine.halts:
            self.store.halts.lift(HaltKind.BOOKS_DIFFER, "main", "a test", self.clock.now())
            self.engine.lift(HaltKind.BOOKS_DIFFER)

    # -- copies ---------------------------------------------------------------------------------------------------

    def copied(self, name: str) -> Path:
        """A copy of the database as a backup of the running shell takes it."""
        copy = self.folder / name
        copy.unlink(missing_ok=True)
        with closing(sqlite3.connect(self.folder / "brain.db")) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
        return copy

    def restored(self, copy: Path) -> None:
        """The process dies; an operator puts an older copy in the database's place, and starts it again."""
        self.close()
        for name in ("brain.db-wal", "brain.db-shm"):
            (self.folder / name).unlink(missing_ok=True)
        os.replace(copy, self.folder / "brain.db")
        self.open()
        self.tally.restarts += 1


FEES_OF = {BTC: FEES}
