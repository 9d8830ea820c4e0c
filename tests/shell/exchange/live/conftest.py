"""A stage in a folder of its own, closed afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.shell.exchange.live.stage import Stage

Opens = Callable[..., Stage]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Opens]:
    opened: list[Stage] = []

    def make(script: Any = None, **options: Any) -> Stage:
        opened.append(Stage(tmp_path, script, **options))
        return opened[-1]

    yield make
    for each in opened:
        each.close()
