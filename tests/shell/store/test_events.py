"""The chain: same facts, same head; a changed row is found out."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shell.store import events as events_module
from shell.store.events import EMPTY_HEAD
from shell.store.store import Store
from tests.shell.store.examples import START, minutes, unguard


def fill_log(store: Store, count: int = 5) -> None:
    for number in range(count):
        store.events.append("note", minutes(number), {"number": number}, book="main" if number % 2 else "trial:t0001")


def test_an_empty_log_has_a_constant_head(store):
    assert store.events.head() == EMPTY_HEAD
    assert store.events.verify()


def test_the_same_facts_give_the_same_head_in_another_database(store, tmp_path):
    fill_log(store)
    with Store.open(tmp_path / "other.db") as other:
        fill_log(other)
        assert other.events.head() == store.events.head() != EMPTY_HEAD


@pytest.mark.parametrize("part", ["kind", "book", "payload", "at", "order"])
def test_another_fact_gives_another_head(store, tmp_path, part):
    fact = {"kind": "note", "at": START, "payload": {"x": 1}, "book": "main"}
    other_fact = fact | {
        "kind": {"kind": "other"}, "book": {"book": "b"}, "payload": {"payload": {"x": 2}},
        "at": {"at": START + timedelta(microseconds=1)}, "order": {},
    }[part]
    store.events.append(**fact)
    store.events.append("second", START, {})
    with Store.open(tmp_path / "other.db") as other:
        if part == "order":
            other.events.append("second", START, {})
        other.events.append(**other_fact)
        if part != "order":
            other.events.append("second", START, {})
        assert other.events.head() != store.events.head()


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE events SET payload = '{\"number\":7}' WHERE seq = 3",
        "UPDATE events SET kind = 'other' WHERE seq = 1",
        "UPDATE events SET book = 'other' WHERE seq = 2",
        "UPDATE events SET at = '2023-03-01T00:00:00.000001Z' WHERE seq = 1",
        "UPDATE events SET hash = replace(hash, 'a', 'b') WHERE seq = 5",
        "DELETE FROM events WHERE seq = 3",
        "DELETE FROM events WHERE seq = 1",
        "UPDATE events SET seq = 9 WHERE seq = 5",
    ],
)
def test_a_changed_or_missing_row_is_found_out(store, tampering):
    fill_log(store)
    assert store.events.verify()
    with store.transaction() as connection:
        unguard(connection, "events")
        connection.exec_driver_sql(tampering)
    assert not store.events.verify()


def test_facts_are_read_in_order_over_pages_and_by_kind_and_book(store, monkeypatch):
    monkeypatch.setattr(events_module, "PAGE_ROWS", 3)
    fill_log(store, 10)
    store.events.append("other", minutes(10), {})
    assert [event.seq for event in store.events.rows()] == list(range(1, 12))
    assert [event.payload["number"] for event in store.events.rows(kind="note", book="main")] == [1, 3, 5, 7, 9]
    assert [event.seq for event in store.events.rows(after=9)] == [10, 11]
    assert next(store.events.rows(kind="other")).at == minutes(10)


def test_facts_are_found_by_a_name_in_their_payload_taken_as_it_is(store):
    for name in ("c0001", "c00010", "c%", "c_001", "c\\"):
        store.events.append("stage", START, {"candidate": name})
    for name in ("c0001", "c%", "c_001"):
        assert [event.payload["candidate"] for event in store.events.rows(kind="stage", naming=name)] == [name]
    assert store.events.verify()


def test_what_is_undone_leaves_no_trace_in_the_chain(store):
    fill_log(store)
    head = store.events.head()

    def fill_and_fail() -> None:
        with store.transaction():
            fill_log(store)
            raise KeyError

    with pytest.raises(KeyError):
        fill_and_fail()
    assert store.events.head() == head
    assert store.events.append("note", START, {}) == 6
    assert store.events.verify()


def test_payloads_of_hostile_text_are_kept(store):
    store.events.append("note", START, {"text": "\ud800\0 é", "value": float("nan")})
    assert next(store.events.rows()).payload == {"text": "\ud800\0 é", "value": "nan"}
    assert store.events.verify()
