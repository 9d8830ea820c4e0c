"""Whatever dies and whenever, every scan slot is scanned once and is on the runs page: expected, done, visible."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from datetime import datetime
from functools import partial

import pytest

from deployments.prefect_api import call, is_healthy
from deployments.supervisor import conductor
from deployments.supervisor.deployed_run import follow, require_completed, start
from deployments.supervisor.note import is_alive
from shell.clock import monotonic
from shell.errors import NotNow, OutcomeUnknown, Transient
from shell.slots import REQUESTED
from shell.store.place import read_store
from tests.deployments.supervisor.hurried_shell import START, STEP, let_time_pass
from tests.deployments.supervisor.test_system import NOBODY, Up, until, up
from tests.thorough import THOROUGH

pytestmark = [*THOROUGH, pytest.mark.prefect, pytest.mark.timeout(2700)]

# 25 points are the whole of `make faults`: thirty slots, and a dozen deaths or so.
SLOTS = 5 + int(os.environ.get("BRAIN_FAULT_POINTS", "1"))
PARTS = ("shell", "server", "worker")
DEATHS_PCT, ASKED_PCT, AWAITED_PCT = 0.4, 0.7, 0.6
# By chance a slot comes while its run begins, or once it has registered: which it does this soon after it began, or never.
AHEAD_SECONDS_MAX, BEGIN_SECONDS_MAX, REGISTER_SECONDS = 6.0, 60.0, 4.0


def test_every_slot_is_scanned_once_and_visible_whatever_dies(seed: int) -> None:
    drawn = random.Random(seed)
    with up("sqlite", "hurried_shell", {"slots": True}) as system:
        for deployment in call(system.api, "POST", "/deployments/filter", {}):
            # The machine's time is not this shell's: a scan of the schedule would lie months ahead of it.
            call(system.api, "POST", f"/deployments/{deployment['id']}/pause_deployment", None)
        expected = [START + number * STEP for number in range(1, SLOTS + 1)]
        deaths: Counter[str] = Counter()
        for slot in expected:
            if drawn.random() < ASKED_PCT and asked(system, slot) and drawn.random() < AWAITED_PCT:
                begun(system, slot)
            time.sleep(drawn.random() * AHEAD_SECONDS_MAX)
            let_time_pass(system.home.root, slot)
            if drawn.random() < DEATHS_PCT:
                time.sleep(drawn.random())
                deaths[killed(system, drawn.choice(PARTS))] += 1
            until(partial(reached, system, slot), f"the shell came to {slot}")
        until(lambda: is_healthy(system.api.url) and conductor.has_worker(system.api), "all of it is back")
        # One more slot, so that the last of the others is over and can be told of.
        let_time_pass(system.home.root, expected[-1] + STEP)
        until(partial(reached, system, expected[-1] + STEP), "the last slot is over")
        until(lambda: shown(system, expected), "the rest is shown")

        done = scanned(system)
        seen = visible(system)
        share = [sum(slot in found for slot in expected) / SLOTS for found in (expected, done, seen)]
        origins = dict(Counter(done.values()))
        print(f"\nseed {seed}: {SLOTS} slots, {dict(deaths)} killed, origins {origins}: expected {share[0]:.0%}, done {share[1]:.0%}, "
              f"visible {share[2]:.0%}")
        assert share == [1.0, 1.0, 1.0]
        assert REQUESTED in origins, "no run registered in time: the test saw half of what it is for"


def asked(system: Up, slot: datetime) -> bool:
    """Ask for a run of the scan's deployment; whether Prefect was there to be asked."""
    try:
        start(system.api, "scan", {"now": slot.isoformat()})
    except (NotNow, Transient):
        return False
    return True


def begun(system: Up, slot: datetime) -> None:
    """Wait until the slot's run has begun and registered, as long as that may take where nothing is dead."""
    deadline = monotonic() + BEGIN_SECONDS_MAX
    while monotonic() < deadline:
        try:
            if slot in visible(system):
                time.sleep(REGISTER_SECONDS)
                return
        except (NotNow, Transient):
            pass
        time.sleep(0.5)


def killed(system: Up, name: str) -> str:
    """Kill this part, or nothing when it is dead already; its name."""
    victim = system.child(name)
    if victim == NOBODY or not is_alive(victim):
        return "nobody"
    os.kill(victim.pid, signal.SIGKILL)
    return name


def reached(system: Up, slot: datetime) -> bool:
    try:
        return system.client.status().now >= slot
    except (NotNow, Transient, OutcomeUnknown):
        return False


def shown(system: Up, expected: list[datetime]) -> bool:
    """Reconcile at the shell's own time; whether there is nothing left to show."""
    now = system.client.status().now
    require_completed(follow(system.api, "", start(system.api, "reconcile", {"now": now.isoformat()}), lambda line: None))
    return not system.client.unreported_scans(now) and set(expected) <= visible(system)


def scanned(system: Up) -> dict[datetime, str]:
    """Every scan of the main book after the first, and whose it was. Raises AssertionError for a slot scanned twice."""
    with read_store(system.home) as store:
        scans = [scan for scan in store.scans.list("main") if scan.slot > START]
    assert len({scan.slot for scan in scans}) == len(scans)
    return {scan.slot: scan.origin for scan in scans}


def visible(system: Up) -> set[datetime]:
    """The slots of the scans on the runs page."""
    query = {"flows": {"name": {"any_": ["scan"]}}, "limit": 200}
    names = [run["name"] for run in call(system.api, "POST", "/flow_runs/filter", query)]
    return {
        datetime.fromisoformat(f"{name[5:15]}T{name[16:21]}+00:00") for name in names if name.startswith("scan 20")
    }
