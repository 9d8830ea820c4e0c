"""The one connection and its doors: `transaction()` for what changes state, `reading()` for what must see one state.

SQLite in WAL mode is the default; PostgreSQL is reached by its URL. What only one of them has is in this file alone.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from shell.errors import DatabaseBusy, DatabaseFailed, DataError, Fatal, NotNow

BUSY_TIMEOUT_MS = 5000
# PostgreSQL lets many write at once; whoever holds this lock is the one writer (D11). Any fixed number will do.
WRITER_LOCK = 7_216_094_133
# What PostgreSQL calls a lock that was waited for too long (postgresql.org, appendix A, read November 2026).
LOCK_NOT_AVAILABLE = "55P03"
# What `PRAGMA synchronous` answers for FULL (sqlite.org/pragma.html, read November 2026).
SYNCHRONOUS_FULL = 2


class Database:
    """One connection, used by one thread at a time, with one door for writing.

    `rollbacks` counts undone work: whoever remembers what it wrote forgets it when this number moves.
    """

    def __init__(self, url_or_path: str | Path, *, read_only: bool = False) -> None:
        """Raises NotNow when a read-only database is absent, DataError when the file is no database."""
        self.read_only = read_only
        self.rollbacks = 0
        self._lock = RLock()
        self._depth = 0
        self._writing = False
        self.is_sqlite, self.place, self._engine = _engine_for(url_or_path, read_only)
        event.listen(self._engine, "begin", self._on_begin)
        try:
            self._connection: Connection = self._engine.connect()
            if self.is_sqlite:
                self._set_pragmas()
        except DBAPIError as error:
            self._engine.dispose()
            raise DataError(f"{self.place} cannot be opened as a database: {error.orig}") from None

    @property
    def dialect(self) -> Any:
        return self._engine.dialect

    def close(self) -> None:
        """Close the connection. Anything uncommitted is undone."""
        with self._lock:
            self._connection.close()
            self._engine.dispose()

    @contextmanager
    def transaction(self, *, durable: bool = False) -> Iterator[Connection]:
        """All of the block or none of it. One inside another joins it: undone alone when it fails, kept with it.

        `durable` makes the commit survive a power cut, too (synchronous=FULL); it cannot be had inside another
        transaction. Raises NotNow when another process writes for longer than the timeout, Fatal when the database
        fails.
        """
        if self.read_only:
            raise NotNow(f"{self.place} was opened for reading only")
        with self._lock:
            if self._depth and (durable or not self._writing):
                raise Fatal("a commit of its own was asked for inside another transaction or reading")
            if self._depth:
                with self._nested():
                    yield self._connection
                return
            with self._synchronous_full(durable), self._outermost(writing=True):
                yield self._connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent state for several reads; inside a transaction, that transaction's."""
        with self._lock:
            if self._depth:
                yield self._connection
                return
            with self._outermost(writing=False):
                yield self._connection

    @contextmanager
    def _outermost(self, *, writing: bool) -> Iterator[None]:
        self._writing = writing
        try:
            transaction = self._connection.begin()
        except OperationalError as error:
            if not self.is_sqlite and getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
                raise DatabaseFailed(f"the database {self.place} cannot be reached: {error.orig}") from None
            raise DatabaseBusy(f"{self.place} is being written by another process: {error.orig}") from None
        self._depth = 1
        try:
            yield
            if writing:
                transaction.commit()
            else:
                transaction.rollback()
        except BaseException as error:
            self.rollbacks += 1
            self._undo(transaction)
            if isinstance(error, OperationalError):
                # The disk, the lock, the connection: what was to be written may be written later.
                raise DatabaseFailed(f"the database {self.place} failed: {error.orig}") from error
            if isinstance(error, DBAPIError):
                raise Fatal(f"the database {self.place} failed: {error.orig}") from error
            raise
        finally:
            self._depth = 0

    @contextmanager
    def _nested(self) -> Iterator[None]:
        # One name for all: the innermost of a name is meant, on either database.
        self._say("SAVEPOINT part")
        self._depth += 1
        try:
            yield
            self._say("RELEASE SAVEPOINT part")
        except BaseException:
            self.rollbacks += 1
            with suppress(SQLAlchemyError):  # See `_undo`; of a connection that is lost it is no DBAPIError.
                self._say("ROLLBACK TO SAVEPOINT part")
                self._say("RELEASE SAVEPOINT part")
            raise
        finally:
            self._depth -= 1

    @staticmethod
    def _undo(transaction: Any) -> None:
        """Roll back. One that fails too is left to the database, which undoes the rest when it is next opened."""
        try:
            transaction.rollback()
        except DBAPIError:
            transaction.close()

    @contextmanager
    def _synchronous_full(self, durable: bool) -> Iterator[None]:
        if not durable or not self.is_sqlite:
            # PostgreSQL is told at the beginning of every writing transaction.
            yield
            return
        self._pragma("synchronous=FULL")
        if self._pragma("synchronous") != (SYNCHRONOUS_FULL,):
            raise Fatal(f"{self.place} does not keep its commits through a power cut: nothing may be sent on them")
        try:
            yield
        finally:
            self._pragma("synchronous=NORMAL")

    def _on_begin(self, connection: Connection) -> None:
        # Taking the write lock at the start means that nothing can fail half-way for want of it.
        if self.is_sqlite:
            self._say("BEGIN IMMEDIATE" if self._writing else "BEGIN")
        elif self._writing:
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {BUSY_TIMEOUT_MS}")
            # Whatever its owner set: an intent is on the disk before its order leaves (D9).
            connection.exec_driver_sql("SET LOCAL synchronous_commit = on")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})")
        else:
            # One state for several reads: each statement of the default level would see what was committed before it.
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

    def _say(self, text: str) -> None:
        """Run what only moves a transaction, and fail as SQLAlchemy's own would, whose statements cost ten times as much: a
        step has a dozen of these."""
        if not self.is_sqlite:
            self._connection.exec_driver_sql(text)
            return
        driver: Any = self._connection.connection.driver_connection
        try:
            driver.execute(text)
        except sqlite3.Error as error:
            raise DBAPIError.instance(text, None, error, sqlite3.Error) from error

    def _set_pragmas(self) -> None:
        self._pragma(f"busy_timeout={BUSY_TIMEOUT_MS}")
        self._pragma("foreign_keys=ON")
        if self.read_only:
            self._pragma("query_only=ON")
            self._pragma("user_version")  # reads the file's header, so that a file of another kind is found out here
            return
        self._pragma("journal_mode=WAL")
        self._pragma("synchronous=NORMAL")

    def _pragma(self, text: str) -> Any:
        """Run outside SQLAlchemy's transactions, where pragmas must be."""
        driver: Any = self._connection.connection.driver_connection
        try:
            return driver.execute(f"PRAGMA {text}").fetchone()
        except sqlite3.DatabaseError as error:
            raise DataError(f"{self.place} cannot be opened as a database: {error}") from None


def _engine_for(url_or_path: str | Path, read_only: bool) -> tuple[bool, str, Engine]:
    """Whether it is SQLite, what to call it in sentences, and its engine."""
    text = str(url_or_path)
    if "://" in text and not text.startswith("sqlite"):
        engine = _postgresql_engine(text)
        return False, engine.url.render_as_string(hide_password=True), engine
    file = text.split("://", 1)[1].removeprefix("/") if "://" in text else text
    if file in ("", ":memory:"):
        return True, "the database in memory", _sqlite_engine("file::memory:")
    path = Path(file).absolute()
    if read_only and not path.is_file():
        raise NotNow(f"there is no database at {path} yet")
    if not read_only:
        path.parent.mkdir(parents=True, exist_ok=True)
        _make_private(path)
    return True, str(path), _sqlite_engine(f"file:{quote(str(path))}?mode={'ro' if read_only else 'rwc'}")


def _make_private(path: Path) -> None:
    """Create a new database as a file of its owner's alone, which what SQLite lays beside it takes over.

    One that is there is not touched: closing any descriptor of it would drop the locks of this process (POSIX).
    """
    with suppress(OSError):  # it exists, or cannot be made: opening it says so in a sentence
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _postgresql_engine(text: str) -> Engine:
    """Raises DataError for a URL of another database, or without the driver."""
    try:
        url = make_url(text)
        if url.get_backend_name() != "postgresql":
            raise DataError(f"{url.get_backend_name()}:// is no database this program knows: SQLite or postgresql://")
        return create_engine(url.set(drivername="postgresql+psycopg"), poolclass=StaticPool)
    except (ArgumentError, ValueError):
        raise DataError("the database's URL cannot be read; it is written postgresql://user:password@host/name") from None
    except ModuleNotFoundError:
        raise DataError("PostgreSQL needs its driver: install trading-brain[postgres]") from None


def _sqlite_engine(uri: str) -> Engine:
    def connect() -> sqlite3.Connection:
        # The driver's own transaction control is off: `_on_begin` says when one begins.
        return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)

    return create_engine("sqlite://", creator=connect, poolclass=StaticPool)
