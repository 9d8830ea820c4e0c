"""kill -9 in the middle of thousands of steps: whatever was recorded is whole, and the next start goes on from it."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from shell.store.store import Store

ROOT = Path(__file__).resolve().parents[3]
KILLS = 4


def killed_after(steps: int, database: Path) -> int:
    """Kill a trading child when it has reported this many steps; returns the number of the last one it reported."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.shell.store.crash_child", str(database)], cwd=ROOT, stdout=subprocess.PIPE,
        text=True, env=dict(os.environ),
    )
    assert child.stdout is not None
    try:
        reported = [int(child.stdout.readline()) for _ in range(steps)]
    finally:
        # It does not wait to be read, so the signal meets it anywhere in a later step.
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
    return reported[-1]


@pytest.mark.sqlite
def test_books_are_whole_after_every_kill(database, seed):
    draw = random.Random(seed)
    for kill in range(KILLS):
        reported = killed_after(draw.randint(1, 120), database)
        # As `brain status` looks at it: for reading only, with what the dead process left beside the file.
        with Store.open(database, read_only=True) as store:
            assert store.books.check("main") == [], f"after kill {kill} (seed {seed})"
            assert store.events.verify()
            found = store.history.counts()
            state = store.books.load("main")
            assert state is not None
            assert state.ledger.trades_closed == found["trades"]
            assert found["scans"] == store.facts.get("number")
            assert found["scans"] >= reported, "a step that was reported as stored is gone"
        with sqlite3.connect(database) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        connection.close()
