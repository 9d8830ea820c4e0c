"""The supervisor's parts: children that come back, notes that name the right process, ports and automations."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deployments.supervisor.child import LAUNCH, Child, Program, backoff
from deployments.supervisor.conductor import deployed, zombie_automation
from deployments.supervisor.note import (
    Process,
    UpNote,
    end,
    holding,
    is_alive,
    is_up,
    leftovers,
    process_of,
    read_note,
    write_note,
)
from deployments.supervisor.system import require_free
from shell.clock import monotonic
from shell.errors import BadInput, NotNow
from shell.home import Home

SLEEPER = "import time; print('begun', flush=True); time.sleep(600)"


def until(happened: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = monotonic() + seconds
    while not happened():
        assert monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def program(folder: Path, code: str = SLEEPER, **changes: object) -> Program:
    values = {
        "name": "part", "command": (sys.executable, "-c", code), "environment": dict(os.environ), "folder": folder,
        "log": folder / "part.log", "ready": lambda: True, **changes,
    }
    return Program(**values)  # type: ignore[arg-type]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    place = Home.private(tmp_path / "home").create()
    place.run.mkdir(parents=True, exist_ok=True, mode=0o700)
    return place


def test_a_child_that_ends_comes_back_after_a_pause_that_grows(tmp_path: Path) -> None:
    child = Child(program(tmp_path, "import sys; sys.exit('cannot do it')"))
    child.start()
    until(lambda: child.ended() is not None)
    assert (child.ended(), child.tail(1)) == (1, "cannot do it")
    assert child.watch(100.0)
    assert child.due_at == 100.0 + backoff(1)
    assert not child.watch(100.5)
    assert child.watch(101.5)
    assert child.restarts == 1
    child.stop(monotonic() + 10)
    assert [backoff(count) for count in (1, 2, 3, 7, 50)] == [1, 2, 4, 60, 60]


def test_a_child_deaf_to_its_signal_is_killed_at_the_deadline(tmp_path: Path) -> None:
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    child = Child(program(tmp_path, deaf))
    child.start()
    until(lambda: child.tail(1) == "deaf")
    process = process_of(child.pid or 0)
    child.ask_to_stop()
    child.stop(monotonic() + 0.3)
    assert not is_alive(process)
    child.stop(monotonic())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_child_goes_with_its_parent_however_that_ends_and_the_shell_does_not(tmp_path: Path) -> None:
    parent = (
        "import subprocess, sys, time\n"
        "for options in (['--with-parent'], []):\n"
        f"    p = subprocess.Popen([sys.executable, '-I', '-S', {str(LAUNCH)!r}, *options, sys.executable, '-c', {SLEEPER!r}])\n"
        "    print(p.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        words = [running.stdout.readline().strip() for _ in range(4)]
        tied, free = [process_of(int(word)) for word in words if word.isdigit()]
        running.kill()
    until(lambda: not is_alive(tied))
    assert is_alive(free)
    end({"free": free}, 5.0)


def test_a_signal_ignored_by_the_starter_is_heard_by_the_child(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        child = Child(program(tmp_path))
        child.start()
    finally:
        signal.signal(signal.SIGTERM, before)
    until(lambda: child.tail(1) == "begun")
    child.ask_to_stop()
    until(lambda: child.ended() is not None)
    assert child.ended() == -signal.SIGTERM


def test_only_one_holds_a_home_and_the_second_is_told_who(home: Home) -> None:
    assert not is_up(home)
    with holding(home):
        write_note(home, UpNote(supervisor=process_of(os.getpid()), ui="http://127.0.0.1:4200"))
        assert is_up(home)
        with pytest.raises(NotNow, match=f"process {os.getpid()}.*brain down"), holding(home):
            pass
    assert not is_up(home)


def test_a_process_that_took_over_a_number_is_not_the_one_noted(home: Home) -> None:
    mine = process_of(os.getpid())
    assert is_alive(mine)
    assert not is_alive(Process(pid=mine.pid, started="1"))
    write_note(home, UpNote(supervisor=mine, children={"worker": Process(pid=mine.pid, started="1")}))
    assert leftovers(home) == {}
    (home.run / "up.json").write_text("{half")
    assert read_note(home) is None


@pytest.mark.skipif(sys.platform != "linux", reason="marks are found in /proc")
def test_what_an_earlier_start_left_is_found_by_its_mark_and_ended(home: Home) -> None:
    with subprocess.Popen([sys.executable, "-c", SLEEPER], env={**os.environ, "TRADING_BRAIN_UP": str(home.run)}) as left:
        until(lambda: leftovers(home))
        assert [each.pid for each in leftovers(home).values()] == [left.pid]
        end(leftovers(home), 5.0)
        left.wait()
    assert leftovers(home) == {}


def test_a_busy_port_is_a_sentence_before_anything_starts() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        with pytest.raises(BadInput, match="--prefect-port"):
            require_free(taken.getsockname()[1])


def test_a_start_that_is_to_stop_waits_for_no_deployment_and_a_failed_one_shows_its_log(tmp_path: Path) -> None:
    log = tmp_path / "deploy.log"
    log.write_text("no such flow\n")
    with subprocess.Popen(["sleep", "600"]) as slow:
        with pytest.raises(NotNow, match="asked to stop"):
            deployed(slow, log, lambda: True)
        assert slow.poll() is None
        slow.kill()
        slow.wait()
        with pytest.raises(NotNow, match="was not deployed:\nno such flow"):
            deployed(slow, log)


def test_the_zombie_automation_waits_for_a_heartbeat_or_an_end() -> None:
    trigger = zombie_automation()["trigger"]
    assert trigger["posture"] == "Proactive"
    assert trigger["after"] == ["prefect.flow-run.heartbeat"]
    assert set(trigger["expect"]) >= {"prefect.flow-run.heartbeat", "prefect.flow-run.Completed", "prefect.flow-run.Crashed"}
    # A run that suspends itself has no heartbeats and is not gone.
    assert trigger["match_related"] == {"prefect.resource.role": "flow", "prefect.resource.name": "!evolve"}
    # Heartbeats come every 30 seconds: two may be lost.
    assert trigger["within"] == 90
