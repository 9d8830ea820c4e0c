"""The store: opens and migrates the trading database and holds its repositories."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from sqlalchemy import Connection

from shell.errors import NotNow
from shell.store import migrations
from shell.store.account import AccountStore
from shell.store.approvals import Approvals
from shell.store.books import Books
from shell.store.candidates import Candidates
from shell.store.database import Database
from shell.store.documents import Documents
from shell.store.events import EventLog
from shell.store.facts import Facts
from shell.store.fence import Fence
from shell.store.halts import Halts
from shell.store.history import TradingHistory
from shell.store.journal import PreparedStep, SqlJournal
from shell.store.ledger_rows import LedgerRows
from shell.store.looks import Looks
from shell.store.model_calls import ModelCalls
from shell.store.model_roles import ModelRoles
from shell.store.night_inputs import NightInputs
from shell.store.nights import Nights
from shell.store.outbox import Outbox
from shell.store.paper import PaperTrials
from shell.store.parity import ParityRuns
from shell.store.promotions import Promotions
from shell.store.scans import Scans
from shell.store.snapshots import Snapshots
from shell.store.strategies import Strategies
from shell.store.trial_chain import TrialChain


class Store:
    """One trading database. Only the shell's process opens it for writing (D11); anybody may read beside it.

    It may be used from several threads: a transaction keeps the others waiting until it ends.
    """

    def __init__(self, database: Database, schema_version: str) -> None:
        self.schema_version = schema_version
        self._database = database
        self._prepared = PreparedStep(database)
        self._ledgers = LedgerRows(database)
        self.events = EventLog(database)
        self.facts = Facts(database)
        self.fence = Fence(database)
        self.account = AccountStore(database, self.events, self.facts)
        self.books = Books(database, self.events, self.facts, self._ledgers)
        self.halts = Halts(database, self.events, self._ledgers)
        self.strategies = Strategies(database, self.events)
        self.candidates = Candidates(database, self.events)
        self.approvals = Approvals(database, self.events)
        self.looks = Looks(database, self.events)
        self.trial_chain = TrialChain(database)
        self.paper = PaperTrials(database, self.events)
        self.promotions = Promotions(database)
        self.nights = Nights(database, self.events)
        self.night_inputs = NightInputs(database, self.events)
        self.documents = Documents(database, self.events)
        self.parity = ParityRuns(database, self.events)
        self.model_calls = ModelCalls(database, self.events)
        self.model_roles = ModelRoles(database, self.events, self.night_inputs)
        self.outbox = Outbox(database)
        self.snapshots = Snapshots(database)
        self.scans = Scans(database)
        self.history = TradingHistory(database)

    @classmethod
    def open(cls, url_or_path: str | Path, *, read_only: bool = False) -> Store:
        """Open the database, creating it and bringing its schema up to date unless `read_only`.

        Raises NotNow if it is read-only and absent or not up to date, or newer than this code; DataError if the file is
        not a database.
        """
        database = Database(url_or_path, read_only=read_only)
        try:
            return cls(database, _ready(database))
        except BaseException:
            database.close()
            raise

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_sqlite(self) -> bool:
        return self._database.is_sqlite

    @property
    def place(self) -> str:
        """What to call it in sentences: the file, or the URL without its password."""
        return self._database.place

    def transaction(self, *, durable: bool = False) -> AbstractContextManager[Connection]:
        """All of the block or none of it; see `Database.transaction`."""
        return self._database.transaction(durable=durable)

    def reading(self) -> AbstractContextManager[Connection]:
        """One consistent state for several reads."""
        return self._database.reading()

    @property
    def rollbacks(self) -> int:
        """How often something was undone; see `Database`."""
        return self._database.rollbacks

    def journal(self, book: str) -> SqlJournal:
        """Where the steps of `book` are recorded."""
        return SqlJournal(book, self._database, self.events, self._ledgers, self._prepared, self.fence)


def _ready(database: Database) -> str:
    """The schema's version once it is the one this code needs."""
    with database.reading() as connection:
        version = migrations.current_version(connection)
    if version == migrations.HEAD:
        return version
    if version and version not in migrations.known_versions():
        raise NotNow(
            f"{database.place} has schema version {version}, this program knows {migrations.HEAD}: use a newer program"
        )
    if database.read_only:
        raise NotNow(f"{database.place} has not been set up for this version yet: start the shell once, it does that")
    with database.transaction() as connection:
        # Another process may have done it while this one waited for the lock.
        if migrations.current_version(connection) != migrations.HEAD:
            migrations.upgrade(connection)
    return migrations.HEAD
