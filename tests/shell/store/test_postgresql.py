"""The same store on PostgreSQL: one writer, one state for a reader, facts that stay. The other tests here run on it, too,
with BRAIN_TEST_DATABASE=postgresql."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import psycopg
import pytest

from shell.errors import DataError, Fatal, NotNow
from shell.money import QuoteAmount
from shell.store import database as database_module
from shell.store.books import Books
from shell.store.ledger_check import GUARDED, check_ledger
from shell.store.store import Store
from tests.shell.store.examples import START
from tests.shell.store.postgresql import Server
from tests.shell.store.test_candidates import PROPOSAL
from tests.shell.store.test_ledger_check import PARTS, SCORE


@pytest.fixture
def url(postgresql: Server, request: pytest.FixtureRequest) -> str:
    return postgresql.url(request.node.nodeid)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store.open(url) as opened:
        yield opened


def test_a_step_of_the_books_is_read_back_to_the_last_digit(store: Store, url: str) -> None:
    store.books.ensure_capital("main", QuoteAmount("10000.12345678"), START)
    with Store.open(url, read_only=True) as reader:
        state = reader.books.load("main")
        assert state is not None
        assert state.ledger.cash.value == Decimal("10000.12345678")
        with pytest.raises(NotNow, match="reading only"):
            reader.outbox.add("system", "info", "no", START)
    assert isinstance(store.books, Books)


def test_what_the_ledger_keeps_can_neither_be_changed_nor_removed_nor_emptied(store: Store, url: str) -> None:
    store.candidates.register(PROPOSAL, START)
    store.looks.lay_out(PARTS, START)
    store.candidates.record_score(SCORE)
    for table in GUARDED:
        with store.reading() as connection:
            filled = connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one() > 0
        for sql in [f"TRUNCATE {table} CASCADE", *([f"DELETE FROM {table}"] if filled else [])]:
            with pytest.raises(Fatal, match="append-only"), store.transaction() as connection:
                connection.exec_driver_sql(sql)
    with psycopg.connect(url, autocommit=True) as beside:
        for sql in ("UPDATE trial_scores SET sharpe = 0.5", "UPDATE candidates SET code = 'pass'"):
            with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
                beside.execute(sql)
    assert check_ledger(store).whole


def test_a_guard_that_was_switched_off_is_told_and_so_is_what_was_done_meanwhile(store: Store, url: str) -> None:
    store.candidates.register(PROPOSAL, START)
    store.candidates.record_score(SCORE)
    with psycopg.connect(url, autocommit=True) as beside:
        beside.execute("ALTER TABLE trial_scores DISABLE TRIGGER trial_scores_no_update")
        beside.execute("UPDATE trial_scores SET sharpe = 0.5")
    problems = " ".join(check_ledger(store).problems)
    assert "trial_scores has lost what keeps it append-only (no_update)" in problems
    assert "trial_scores: the row of fact" in problems


def test_another_writer_is_waited_for_and_then_named(store: Store, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "BUSY_TIMEOUT_MS", 50)
    with Store.open(url) as other, other.transaction():
        with pytest.raises(NotNow, match="being written by another process"):
            store.outbox.add("system", "info", "no", START)
        assert store.outbox.list() == []
    store.outbox.add("system", "info", "yes", START)
    assert [message.text for message in store.outbox.list()] == ["yes"]


def test_several_reads_see_one_state(store: Store, url: str) -> None:
    with Store.open(url, read_only=True) as reader:
        with reader.reading():
            assert reader.outbox.list() == []
            store.outbox.add("system", "info", "meanwhile", START)
            assert reader.outbox.list() == []
        assert len(reader.outbox.list()) == 1


def test_a_connection_that_is_cut_is_fatal_and_a_new_one_finds_the_books(store: Store, url: str) -> None:
    store.outbox.add("system", "info", "before", START)
    with psycopg.connect(url, autocommit=True) as beside:
        beside.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
                       "AND datname = current_database()")
    with pytest.raises(Fatal):
        store.outbox.add("system", "info", "lost", START)
    with Store.open(url) as again:
        assert [message.text for message in again.outbox.list()] == ["before"]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("mysql://u@h/d", "SQLite or postgresql"),
        ("postgresql://nobody:secret@127.0.0.1:1/none", "cannot be opened as a database"),
        ("postgresql://u:secret@h:port/x", "cannot be read"),
    ],
)
def test_a_url_that_leads_nowhere_is_told_without_its_password(wrong: str, told: str) -> None:
    with pytest.raises(DataError, match=told) as refused:
        Store.open(wrong)
    assert "secret" not in str(refused.value)
