"""Versions change between scans while entries rest and prices tick: every order has one version, the active one is always whole.

A swap starts a strategy's process, which takes most of its time. So of the swaps of `make faults` most have the strategy in this
process, and some in one of its own; some processes of the shell are killed in the middle of one.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shell.backtest.overfitting import probability_of_backtest_overfitting
from shell.backtest.spa import superiority
from shell.promotion.swap import recover
from shell.promotion.workspace import Workspace
from shell.store.store import Store
from shell.trials.candidate import source_hash
from tests.faults.swaps import BEGIN, RestlessHost, opened, swap, work
from tests.thorough import thorough

# 25 points are the whole of `make faults`: a thousand swaps, fifty with a process each, and ten kills.
POINTS = int(os.environ.get("BRAIN_FAULT_POINTS", "1"))
SWAPS, SWAPS_OF_PROCESSES, KILLS = 40 * POINTS, 2 * POINTS, max(2 * POINTS // 5, 1)
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


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strategies run here, and the two figures of the evidence that take longest are worked out once for the same returns."""
    for place in ("shell.service", "shell.versions"):
        monkeypatch.setattr(f"{place}.HostedStrategy", lambda *_given: RestlessHost())
    for figure in (probability_of_backtest_overfitting, superiority):
        monkeypatch.setattr(f"shell.gate.luck.{figure.__name__}", once(figure))


def once(figure: Callable[..., Any]) -> Callable[..., Any]:
    """`figure`, kept for each set of arrays and settings it was asked for."""
    known: dict[object, Any] = {}

    def kept(*given: Any, **named: Any) -> Any:
        key = (*((each.tobytes(), each.shape) if isinstance(each, np.ndarray) else each for each in given), *named.items())
        if key not in known:
            known[key] = figure(*given, **named)
        return known[key]

    return kept


@thorough
@pytest.mark.timeout(3600)
def test_versions_change_under_load_and_every_order_has_exactly_one(tmp_path: Path, in_process: None) -> None:
    swapped(tmp_path, SWAPS)


@thorough
@pytest.mark.timeout(1800)
def test_the_same_with_a_process_for_each_version(tmp_path: Path) -> None:
    swapped(tmp_path, SWAPS_OF_PROCESSES)


def swapped(folder: Path, swaps: int) -> None:
    """So many swaps between scans, each judged as it is made, and all orders at the end."""
    held = opened(folder / "home")
    try:
        shell = held.shell
        shell.start(BEGIN)
        seen, rested = set(), 0
        for number in range(swaps):
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
        assert len(seen) > swaps // 3
        orders = held.store.history.orders("main")
        assert len({order.intent.version for order in orders}) > swaps // 4
        print(f"{swaps} swaps, {len(seen)} versions, {len(orders)} orders, {rested} resting at a swap: each of one version")
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
