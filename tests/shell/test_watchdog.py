"""The dead-man's beat: there while the trading thread answers, old when it hangs, gone after a stop in good order."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import cast

import pytest

from shell.calls import Calls
from shell.clock import SystemClock
from shell.desk import Desk
from shell.home import Home
from shell.watchdog import Watchdog, heartbeat_age, heartbeat_file
from tests.shell.beside import answered

DESK = cast(Desk, object())


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.private(tmp_path, project=tmp_path).create()


def age(home: Home) -> timedelta | None:
    return heartbeat_age(home, datetime.now(UTC))


def wait_for(test, seconds: float = 20.0) -> None:
    pause = Event()
    for _ in range(int(seconds / 0.02)):
        if test():
            return
        pause.wait(0.02)
    raise AssertionError("did not happen in time")


def test_a_shell_that_answers_beats_and_systemd_hears_it(home: Home, tmp_path: Path) -> None:
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd, answered(DESK) as calls:
        systemd.bind(str(address))
        systemd.settimeout(20)
        watchdog = Watchdog(home, SystemClock(), {"NOTIFY_SOCKET": str(address), "WATCHDOG_USEC": "300000"})
        assert age(home) is None
        watchdog.start(calls)
        assert [systemd.recv(100) for _ in range(2)] == [b"READY=1\nWATCHDOG=1", b"WATCHDOG=1"]
        beat = age(home)
        assert beat is not None and beat < timedelta(seconds=20)
        assert watchdog.health().ok
        watchdog.stop()
        watchdog.stop()
        told = [systemd.recv(100)]
        while told[-1] != b"STOPPING=1":
            told.append(systemd.recv(100))
    assert age(home) is None


def test_a_shell_that_hangs_leaves_its_beat_to_grow_old(home: Home) -> None:
    calls, release = Calls(), Event()
    watchdog = Watchdog(home, SystemClock(), {}, every=0.05)
    with answered(DESK, calls):
        watchdog.start(calls)
        wait_for(lambda: watchdog.beats > 0)
        heartbeat_file(home).write_text('{"at": "2026-01-01T00:00:00Z", "pid": 1}')
        with pytest.raises(Exception, match="did not finish"):
            calls.ask(lambda _: release.wait(30), seconds=0.1)
        beats = watchdog.beats
        wait_for(lambda: not watchdog.health().ok)
        assert "did not answer" in watchdog.health().sentence
        assert watchdog.beats <= beats + 1
        release.set()
        wait_for(lambda: watchdog.health().ok)
        watchdog.stop()


def test_a_beat_that_cannot_be_read_proves_nothing(home: Home) -> None:
    for text in ("", "{", "[]", '{"at": 5}', '{"at": "yesterday"}'):
        heartbeat_file(home).write_text(text)
        assert age(home) == timedelta.max
