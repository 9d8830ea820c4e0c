"""A fresh database in a folder of its own, closed afterwards: SQLite, or PostgreSQL where BRAIN_TEST_DATABASE says so."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shell.store.store import Store
from tests.shell.store.postgresql import Server, serving

ON_POSTGRESQL = os.environ.get("BRAIN_TEST_DATABASE") == "postgresql"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if ON_POSTGRESQL:
        for item in items:
            if item.get_closest_marker("sqlite"):
                item.add_marker(pytest.mark.skip(reason="it is about SQLite alone"))


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("postgresql")) as server:
        yield server


@pytest.fixture(scope="session", autouse=True)
def elsewhere(request: pytest.FixtureRequest) -> Iterator[None]:
    """Where these tests are to run on PostgreSQL, a path names a database there."""
    if not ON_POSTGRESQL:
        yield
        return
    server: Server = request.getfixturevalue("postgresql")
    opened = Store.open

    def open_there(place: str | Path, *, read_only: bool = False) -> Store:
        return opened(server.url(str(place)) if isinstance(place, Path) else place, read_only=read_only)

    patch: Any = pytest.MonkeyPatch()
    patch.setattr(Store, "open", open_there)
    yield
    patch.undo()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "brain.db"


@pytest.fixture
def store(database: Path) -> Iterator[Store]:
    with Store.open(database) as opened:
        yield opened
