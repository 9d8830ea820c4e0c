"""Of all processes that open one database to trade, only the newest may have an order written."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from shell.errors import Fatal
from shell.store.store import Store
from tests.shell.store.examples import START, approved_order, minutes
from tests.thorough import THOROUGH

PROJECT = Path(__file__).parents[3]


def test_without_a_fence_taken_nothing_is_asked_for(store: Store) -> None:
    store.journal("main").write_ahead([approved_order(1)])
    assert [event.kind for event in store.events.rows(kind="order_intended")] == ["order_intended"]


def test_whoever_was_overtaken_can_write_no_intent(database: Path) -> None:
    with Store.open(database) as first, Store.open(database) as second:
        assert first.fence.take("first", START) == 1
        first.journal("main").write_ahead([approved_order(1)])
        assert second.fence.take("second", minutes(1)) == 2
        with pytest.raises(Fatal, match="another process trades on this database \\(second since 2023-03-01 00:01:00 UTC\\)"):
            first.journal("main").write_ahead([approved_order(2)])
        second.journal("main").write_ahead([approved_order(2)])
        # The refusal undid the whole commit, its event included.
        assert [event.kind for event in second.events.rows(kind="order_intended")] == ["order_intended"] * 2


def test_a_restart_takes_the_next_epoch_and_an_older_copy_an_older_one(database: Path) -> None:
    for epoch in (1, 2, 3):
        with Store.open(database) as store:
            assert store.fence.take("a process", minutes(epoch)) == epoch


def test_a_fence_that_was_taken_away_stops_as_well(store: Store) -> None:
    store.fence.take("a process", START)
    with store.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM fences")
    with pytest.raises(Fatal, match="a database without a fence"):
        store.journal("main").write_ahead([approved_order(1)])


@pytest.mark.parametrize(
    ("how", "count"),
    [("fence", 4), pytest.param("lock", 20, marks=THOROUGH), pytest.param("lock", 1000, marks=THOROUGH), pytest.param("fence", 100, marks=THOROUGH)],
)
def test_of_simultaneous_starts_exactly_one_trades(tmp_path: Path, how: str, count: int) -> None:
    """Hazard 22: the lock lets one of them in; and where a file system locks nothing, the fence lets one of them write."""
    with Store.open(tmp_path / "brain.db"):
        pass
    command = [sys.executable, "-m", "tests.shell.store.contenders", str(tmp_path), str(count), how]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"R": count - 1, "T": 1}
