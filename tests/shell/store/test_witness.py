"""What a witness beside the database says of it: nothing while it goes on, and a sentence once an older copy took its place."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

from shell.store.store import Store
from shell.store.witness import NAME, Witness

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def grown(path: Path, *sentences: str) -> str:
    """A process that adds these facts, notes the last one, and ends; what it was told of the database at its start."""
    with Store.open(path) as store:
        witness = Witness(path.parent, store.events)
        told = witness.contradicts()
        for sentence in sentences:
            store.events.append("note", NOW, {"sentence": sentence})
        witness.note()
    return told


def test_an_older_copy_is_told_and_the_database_that_went_on_is_not(tmp_path: Path) -> None:
    path, copy = tmp_path / "brain.db", tmp_path / "copy.db"
    assert grown(path, "first") == ""
    shutil.copyfile(path, copy)
    assert grown(path, "second") == ""
    assert grown(path) == ""
    shutil.copyfile(copy, path)
    assert grown(path, "another second").startswith("the database is an older copy")
    # It was told once; from here on this copy is the database.
    assert grown(path) == ""
    path.unlink()
    assert "does not have the fact 2" in grown(path)


def test_a_witness_that_is_absent_or_unreadable_says_nothing(tmp_path: Path) -> None:
    assert grown(tmp_path / "brain.db", "first") == ""
    (tmp_path / NAME).write_bytes(b"\xff\xfe nonsense")
    assert grown(tmp_path / "brain.db") == ""


def test_the_newest_fact_is_told_with_its_number_and_hash_together(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "brain.db")
    try:
        assert store.events.newest() == (0, store.events.head())
        store.events.append("note", NOW, {"sentence": "first"})
        assert store.events.newest() == (store.events.newest_seq(), store.events.head()) == (1, store.events.head())
        Witness(tmp_path, store.events).note()
        assert (tmp_path / NAME).read_text() == f"1 {store.events.head()}\n"
    finally:
        store.close()
