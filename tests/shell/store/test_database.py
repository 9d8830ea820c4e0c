"""The doors: all or nothing, one writer, readers who change nothing."""

from __future__ import annotations

import sqlite3
import threading

import pytest
from sqlalchemy import event

from shell.errors import DatabaseFailed, DataError, Fatal, NotNow
from shell.store import database as database_module
from shell.store.store import Store
from tests.shell.store.examples import START


def texts(store: Store) -> list[str]:
    return [message.text for message in store.outbox.list()]


def add_and_fail(store: Store, text: str, error: BaseException) -> None:
    with store.transaction():
        store.outbox.add("system", "info", text, START)
        raise error


@pytest.mark.parametrize("error", [KeyError(), KeyboardInterrupt()])
def test_a_failed_or_interrupted_transaction_leaves_nothing(store, error):
    with pytest.raises(type(error)):
        add_and_fail(store, "half", error)
    assert texts(store) == []
    store.outbox.add("system", "info", "whole", START)
    assert texts(store) == ["whole"]


def test_a_transaction_inside_another_is_kept_or_undone_with_it(store):
    def outer() -> None:
        with store.transaction():
            with store.transaction():
                store.outbox.add("system", "info", "inner", START)
            raise KeyError

    with pytest.raises(KeyError):
        outer()
    assert texts(store) == []


def test_an_inner_failure_that_is_handled_undoes_the_inner_part_alone(store):
    with store.transaction():
        store.outbox.add("system", "info", "outer", START)
        with pytest.raises(KeyError):
            add_and_fail(store, "inner", KeyError())
    assert texts(store) == ["outer"]


def test_a_durable_commit_cannot_be_had_inside_a_transaction(store):
    with pytest.raises(Fatal), store.transaction(), store.transaction(durable=True):
        pass


@pytest.mark.sqlite
def test_synchronous_is_full_while_a_durable_transaction_runs_and_normal_after(store):
    def level() -> int:
        with store.reading() as connection:
            return connection.exec_driver_sql("PRAGMA synchronous").scalar()

    with store.transaction(durable=True) as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    assert level() == 1
    with store.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_writing_while_reading_is_refused(store):
    with pytest.raises(Fatal), store.reading():
        store.outbox.add("system", "info", "no", START)


def test_a_reader_sees_one_state_and_writes_nothing(store, database):
    store.outbox.add("system", "info", "first", START)
    with Store.open(database, read_only=True) as reader:
        with reader.reading():
            assert texts(reader) == ["first"]
            store.outbox.add("system", "info", "second", START)
            assert texts(reader) == ["first"]
        assert texts(reader) == ["first", "second"]
        with pytest.raises(NotNow, match="reading only"):
            reader.outbox.add("system", "info", "third", START)
        with pytest.raises(Fatal), reader.reading() as connection:
            connection.exec_driver_sql("DELETE FROM outbox")
    assert texts(store) == ["first", "second"]


@pytest.mark.sqlite
def test_reading_needs_a_database_that_is_there_and_set_up(tmp_path):
    with pytest.raises(NotNow, match="there is no database at"):
        Store.open(tmp_path / "none.db", read_only=True)
    assert list(tmp_path.iterdir()) == []
    sqlite3.connect(tmp_path / "empty.db").execute("VACUUM").close()
    with pytest.raises(NotNow, match="start the shell once"):
        Store.open(tmp_path / "empty.db", read_only=True)


@pytest.mark.sqlite
@pytest.mark.parametrize("read_only", [False, True])
def test_a_file_that_is_no_database_is_refused_with_its_name(tmp_path, read_only):
    file = tmp_path / "notes.db"
    file.write_text("no database " * 100)
    with pytest.raises(DataError, match=r"notes\.db cannot be opened as a database"):
        Store.open(file, read_only=read_only)
    assert file.read_text() == "no database " * 100


@pytest.mark.sqlite
def test_a_path_with_odd_characters_is_a_path(tmp_path):
    for name in ("a b?mode=ro&x.db", "ü#%41.db"):
        Store.open(tmp_path / name).close()
        assert (tmp_path / name).is_file()


@pytest.mark.sqlite
def test_a_url_names_the_same_database_as_its_path(database):
    with Store.open(f"sqlite:///{database}") as store:
        store.outbox.add("system", "info", "by url", START)
    with Store.open(database) as store:
        assert texts(store) == ["by url"]


@pytest.mark.sqlite
def test_another_writer_is_waited_for_and_then_named(database, monkeypatch):
    monkeypatch.setattr(database_module, "BUSY_TIMEOUT_MS", 50)
    with Store.open(database) as store:
        other = sqlite3.connect(database, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(NotNow, match="being written by another process"):
            store.outbox.add("system", "info", "no", START)
        other.execute("ROLLBACK")
        other.close()
        store.outbox.add("system", "info", "yes", START)
        assert texts(store) == ["yes"]


def test_threads_take_turns(store):
    def add(name: str) -> None:
        for number in range(50):
            with store.transaction():
                store.outbox.add("system", "info", f"{name}{number}", START)
                store.events.append("note", START, {"by": name, "number": number})

    threads = [threading.Thread(target=add, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(texts(store)) == 200
    assert store.events.verify()


def test_a_failing_statement_is_fatal_and_leaves_nothing(store):
    def fail() -> None:
        with store.transaction() as connection:
            store.outbox.add("system", "info", "half", START)
            connection.exec_driver_sql("INSERT INTO nowhere VALUES (1)")

    with pytest.raises(Fatal, match="nowhere"):
        fail()
    assert texts(store) == []


def test_parts_inside_parts_are_undone_each_alone_and_counted(store):
    before = store._database.rollbacks
    with store.transaction():
        with store.transaction():
            store.outbox.add("system", "info", "first", START)
            with store.transaction():
                store.outbox.add("system", "info", "second", START)
            with pytest.raises(KeyError):
                add_and_fail(store, "third", KeyError())
            store.outbox.add("system", "info", "fourth", START)
        with pytest.raises(KeyError):
            add_and_fail(store, "fifth", KeyError())
        store.outbox.add("system", "info", "sixth", START)
    assert sorted(texts(store)) == ["first", "fourth", "second", "sixth"]
    assert store._database.rollbacks == before + 2


@pytest.mark.sqlite
def test_a_part_that_the_database_refuses_fails_like_any_statement(store):
    def lost_beneath() -> None:
        with store.transaction() as connection:
            connection.connection.driver_connection.execute("ROLLBACK")
            with store.transaction():
                # SQLite opens a transaction for a savepoint alone: its release ends it, and the next one has none to end.
                connection.connection.driver_connection.execute("RELEASE SAVEPOINT part")

    with pytest.raises(DatabaseFailed, match="no such savepoint"):
        lost_beneath()
    store.outbox.add("system", "info", "after", START)
    assert texts(store) == ["after"]


def test_a_connection_that_is_lost_inside_a_part_fails_as_one_that_is_lost_anywhere(store):
    def lose(context):
        context.is_disconnect = True

    event.listen(store._database._engine, "handle_error", lose)
    with pytest.raises(DatabaseFailed), store.transaction(), store.transaction() as connection:
        connection.exec_driver_sql("SELECT no_such_function()")
