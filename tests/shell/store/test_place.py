"""One URL puts the project's own database on PostgreSQL, and nobody else's."""

from __future__ import annotations

from pathlib import Path

import pytest

from shell.errors import DataError, NotNow
from shell.home import Home
from shell.store.place import is_project, open_store, read_store, store_place

CANARY = "pa55-c4n4ry"
URL = f"postgresql://brain:{CANARY}@127.0.0.1:1/trading"


def test_without_a_url_the_database_is_the_homes_own_file(tmp_path: Path) -> None:
    home = Home.project(tmp_path)
    assert store_place(home, {}) == tmp_path / "data" / "brain.db"
    assert store_place(home, {"BRAIN_DATABASE_URL": "  "}) == home.database


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_a_url_of_the_environment_or_of_the_env_file_is_the_projects_database(scheme: str, tmp_path: Path) -> None:
    home, url = Home.project(tmp_path), f"{scheme}://brain:{CANARY}@127.0.0.1:1/trading"
    assert store_place(home, {"BRAIN_DATABASE_URL": url}) == URL
    home.env_file.write_text(f"BRAIN_DATABASE_URL={url}\n")
    assert store_place(home, {}) == URL


@pytest.mark.parametrize("name", ["elsewhere", "."])
def test_a_private_home_never_takes_the_url(name: str, tmp_path: Path) -> None:
    """Hazard: a rehearsal's invented fills among the real ones."""
    home = Home.private(tmp_path / name, project=tmp_path)
    assert not is_project(home)
    assert store_place(home, {"BRAIN_DATABASE_URL": URL}) == home.database


def test_a_url_of_another_kind_is_refused_without_repeating_it(tmp_path: Path) -> None:
    for url in (f"mysql://brain:{CANARY}@host/x", CANARY, f"sqlite:///{CANARY}"):
        with pytest.raises(DataError, match="postgresql://") as refused:
            store_place(Home.project(tmp_path), {"BRAIN_DATABASE_URL": url})
        assert CANARY not in str(refused.value)


def test_a_server_that_is_not_there_is_a_sentence_without_the_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRAIN_DATABASE_URL", URL)
    for opening in (open_store, read_store):
        with pytest.raises(DataError) as refused:
            opening(Home.project(tmp_path))
        assert CANARY not in str(refused.value)
        assert "trading" in str(refused.value)
    assert not (tmp_path / "data" / "brain.db").exists()


def test_a_home_in_which_nothing_ran_says_what_would_begin_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="brain rehearse"):
        read_store(Home.private(tmp_path))
    Home.private(tmp_path).create()
    open_store(Home.private(tmp_path)).close()
    with read_store(Home.private(tmp_path)) as store, pytest.raises(NotNow), store.transaction():
        pass
