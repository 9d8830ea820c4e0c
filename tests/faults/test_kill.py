"""kill -9 at seeded moments: after each the books agree to the last unit; in the end no order is doubled, no fill lost.

The interrupted book is compared with one that ran through: its fills must be the same, in number, price and time.
`make faults` raises the number of crash points by BRAIN_FAULT_POINTS.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from shell.backtest.run import MemoryJournal
from shell.orders import Fill
from shell.portfolio.ledger import CapitalEvent
from shell.store.store import Store
from tests.faults.busy_book import BEGIN, BOOK, CASH, begin, go

POINTS = int(os.environ.get("BRAIN_FAULT_POINTS", "3"))
STEPS_PER_POINT = 24
# A step takes some milliseconds, most of them waiting for the disk: kills land before, within and after its commits.
INTO_STEP_SECONDS = 0.03


def key(fill: Fill) -> tuple[object, ...]:
    return fill.symbol, fill.side, fill.qty.value, fill.price.value, fill.fee.value, fill.filled_at


def undisturbed(seed: int, steps: int) -> Counter[tuple[object, ...]]:
    """The fills of the same book when nothing happens to it."""
    journal = MemoryJournal()
    engine, first = begin(journal, seed, None)
    engine.add_capital(CapitalEvent(amount=CASH, at=BEGIN, reason="capital"))
    go(engine, first, steps)
    return Counter(key(fill) for fill in journal.fills)


def live(folder: Path, seed: int, steps: int, project: Path, *, kill: tuple[int, float] | None) -> bool:
    """One life of the process: whether it was killed, in the step and that many seconds into it that `kill` names."""
    command = [sys.executable, "-m", "tests.faults.busy_book", str(folder), str(seed), str(steps)]
    with (folder / "complaint.txt").open("w+") as complaint:
        process = subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, stderr=complaint, text=True)
        assert process.stdout is not None
        for count, _ in enumerate(process.stdout, 1):
            if kill is not None and count == kill[0]:
                time.sleep(kill[1])
                process.send_signal(signal.SIGKILL)
        process.wait(120)
        complaint.seek(0)
        assert process.returncode in (0, -signal.SIGKILL), complaint.read()
    return process.returncode != 0


def wounds(folder: Path) -> list[str]:
    """What is wrong with the books as they lie on disk."""
    with Store.open(folder / "brain.db", read_only=True) as store:
        problems = store.books.check(BOOK)
        return problems if store.events.verify() else [*problems, "the event log's chain is broken"]


@pytest.mark.faults
@pytest.mark.timeout(1800)
def test_no_kill_doubles_an_order_or_loses_a_fill(tmp_path: Path, seed: int, project: Path) -> None:
    draw = random.Random(seed)
    steps = POINTS * STEPS_PER_POINT
    killed = 0
    for _ in range(POINTS):
        moment = draw.randint(1, STEPS_PER_POINT // 2), draw.uniform(0.0, INTO_STEP_SECONDS)
        killed += live(tmp_path, seed, steps, project, kill=moment)
        assert wounds(tmp_path) == []
    assert not live(tmp_path, seed, steps, project, kill=None)
    assert wounds(tmp_path) == []
    with Store.open(tmp_path / "brain.db", read_only=True) as store:
        fills = list(store.history.fills(BOOK))
        orders = list(store.events.rows(kind="order_intended", book=BOOK))
    expected, found = undisturbed(seed, steps), Counter(key(fill) for fill in fills)
    doubled = len(orders) - len({event.payload["intent_id"] for event in orders})
    lost, invented = (expected - found).total(), (found - expected).total()
    print(f"{killed} crash points, duplicate orders {doubled}, lost fills {lost}, invented fills {invented}")
    assert (doubled, lost, invented) == (0, 0, 0)
    assert killed == POINTS, "a life ended before it was killed: the test proves less than it says"
    assert found.total() > steps // 4
