"""One started shell for all tests of what is beside it, because starting one costs seconds: cleared between files."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deployments.opening import OpenHome
from tests.shell.telegram.kit import cleared, opened_home


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenHome]:
    with opened_home(tmp_path_factory.mktemp("beside") / "home", orchestrator__approval="ask") as held:
        yield held


@pytest.fixture(scope="module")
def opened(started: OpenHome) -> OpenHome:
    """The shared shell, holding nothing and halted by nothing, with every message told."""
    return cleared(started)
