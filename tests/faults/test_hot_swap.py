"""Versions change between scans while entries rest and prices tick: every order has one version, the active one is always whole.

A swap starts a strategy's process, which takes a second or so: `make faults` makes as many as it has points.
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

from shell.promotion.swap import recover
from shell.promotion.workspace import Workspace
from shell.store.store import Store
from shell.trials.candidate import source_hash
from tests.faults.swaps import BEGIN, opened, swap, work
from tests.thorough import thorough

# 25 points are the whole of `make faults`: a hundred swaps. BRAIN_FAULT_POINTS=250 makes a thousand of this file alone.
POINTS = int(os.environ.get("BRAIN_FAULT_POINTS", "5"))
SWAPS, KILLS = 4 * POINTS, max(POINTS // 5, 1)
PROJECT = Path(__file__).resolve().parents[2]


def problems(store: Store) -> list[str]:
    """What is wrong with the orders and the books; the versions are those on record."""
    versions = {row.version for row in store.strategies.list()}
    orders = store.history.orders("main")
    ids = Counter(order.intent.intent_id for order in orders)
    found = [f"{name} was made {count} times" for name, count in ids.items() if count > 1]
    found += [f"{each.intent.intent_id} is of {each.intent.version!r}" for each in orders if each.intent.version not in versions]
    slots = {scan.slot: scan.version for scan in store.scans.list("main")}
    for each in orders:
        own = each.intent.version
        if each.intent.signal_id and (of_scan := slots.get(each.intent.decided_at, own)) != own:
            found.append(f"{each.intent.intent_id} is of {own}, its scan was of {of_scan}")
    return [*found, *store.books.check("main")]


@thorough
def test_versions_change_under_load_and_every_order_has_exactly_one(tmp_path: Path) -> None:
    held = opened(tmp_path / "home")
    try:
        shell = held.shell
        shell.start(BEGIN)
        seen, rested = set(), 0
        for number in range(SWAPS):
            work(held, 1)
            rested += len(shell.engine.gateway.open_orders())
            swap(held, number)
            active = shell.active_strategy()
            assert shell.engine.config.version == active.version
            assert source_hash(shell.workspace.active()) == active.hash
            assert [each for each in shell.engine.gateway.open_orders() if each.intent.purpose.value == "entry"] == []
            seen.add(active.version)
        work(held, 1)
        assert problems(held.store) == []
        assert rested > 0
        assert len(seen) > SWAPS // 3
        assert len({order.intent.version for order in held.store.history.orders("main")}) > 1
    finally:
        held.close()


@thorough
def test_killed_in_the_middle_of_a_swap_it_is_the_old_version_or_the_new_one(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    drawn, folder, number = random.Random(seed), tmp_path / "home", 0
    begin = BEGIN
    for _ in range(KILLS):
        command = [sys.executable, "-m", "tests.faults.swaps", str(folder), begin.isoformat(), str(number)]
        with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            until = number + drawn.randrange(1, 4)
            for line in process.stdout:
                number = int(line)
                if number >= until:
                    time.sleep(drawn.random() * 0.15)
                    process.send_signal(signal.SIGKILL)
                    break
            process.wait(60)
            assert process.returncode == -signal.SIGKILL
        number += 1
        with Store.open(next(folder.rglob("brain.db"))) as store:
            known = {row.version for row in store.strategies.list()}
            active = store.strategies.active()
            assert active.version in known
            workspace = Workspace(next(folder.rglob("active")).parent)
            recover(store, workspace, begin)
            assert store.promotions.unfinished() == []
            assert source_hash(workspace.active()) == store.strategies.active().hash
            assert problems(store) == []
            last = store.scans.list("main")
            begin = max(begin, last[-1].slot) if last else begin
