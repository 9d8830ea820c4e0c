"""What `brain status` promises to programs holds with a shell and without one, and an old heartbeat is told of by everybody."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deployments.cli.main import app
from deployments.prefect_api import PrefectApi
from deployments.prefect_password import kept_password
from deployments.supervisor.conductor import client_environment
from shell.calls import Calls
from shell.clock import SystemClock
from shell.contract import Action, Signal
from shell.desk import Desk
from shell.errors import NotNow
from shell.home import Home, HomeLock
from shell.main_book import KIND_FACT
from shell.watchdog import STALE, Watchdog, heartbeat_file
from tasks.beat import BEAT_VARIABLE, require_beat
from tests.shell.beside import answered
from tests.shell.live_kit import BTC, START, STEP, live_shell
from tests.shell.page.homes import home_at
from tests.shell.scripted import ScriptedHost

PROMISED = {
    "mode": str, "halted": list, "positions": list, "cash": float, "total_value": float, "strategy": dict, "prefect": dict,
    "last_scan": str,
}


def status(home: Path) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["status", "--home", str(home), "--json"])
    assert done.exit_code == 0, done.output
    (line,) = done.stdout.strip().splitlines()
    facts: dict[str, Any] = json.loads(line)
    return facts


def test_the_promised_keys_are_the_same_with_and_without_a_running_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    buy = Signal(BTC, Action.BUY, 0.05, stop_loss=95.0)
    with live_shell(tmp_path, monkeypatch, ScriptedHost({0: [buy]})) as made:
        loop, calls = made.loop(), Calls()
        loop.turn(START)
        made.bars(0)
        loop.turn(START + STEP + timedelta(seconds=2))
        made.price(BTC, 100.0, START + STEP + timedelta(seconds=4))
        loop.turn(START + STEP + timedelta(seconds=5))
        watchdog = Watchdog(Home.private(tmp_path), SystemClock(), {}, every=0.05)
        with answered(Desk(made.shell), calls):
            watchdog.start(calls)
            for _ in range(200):
                if watchdog.beats:
                    break
                watchdog._quit.wait(0.05)
            running = status(tmp_path)
            watchdog.stop()
        made.store.facts.set(KIND_FACT, "live")
    stopped = status(tmp_path)
    for told in (running, stopped):
        assert {name: type(told[name]) for name in PROMISED} == PROMISED
        assert told["strategy"].keys() >= {"version", "hash"} and told["prefect"].keys() >= {"reachable", "pid"}
        assert [each["symbol"] for each in told["positions"]] == [BTC]
        assert datetime.fromisoformat(told["last_scan"]) == START + STEP
    assert (running["shell"]["running"], running["mode"]) == (True, "paper")
    assert 0 <= running["heartbeat_age"] < STALE.total_seconds()
    assert (stopped["shell"]["running"], stopped["heartbeat_age"]) == (False, None)
    assert stopped["mode"] == "live", "the books' own kind, whatever the settings say by now"


def test_an_old_heartbeat_is_told_by_status_doctor_and_the_reconcile_flow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = home_at(tmp_path)
    prefect = PrefectApi(url="http://127.0.0.1:1/api", password=kept_password(home.prefect))
    monkeypatch.setenv(BEAT_VARIABLE, client_environment(home, tmp_path, prefect)[BEAT_VARIABLE])
    assert require_beat() is None, "a shell that was stopped in good order alarms nobody"
    old = datetime.now(UTC) - timedelta(minutes=7)
    heartbeat_file(home).parent.mkdir(parents=True, exist_ok=True)
    heartbeat_file(home).write_text(json.dumps({"at": old.isoformat(), "pid": os.getpid()}), encoding="utf-8")
    with pytest.raises(NotNow, match=r"heartbeat is 42\d s old: it was killed or hangs"):
        require_beat()
    doctor = CliRunner().invoke(app, ["doctor", "--home", str(tmp_path), "--offline", "--json"])
    (beat,) = [each for each in json.loads(doctor.stdout.splitlines()[-1])["checks"] if each["name"] == "heartbeat"]
    assert (beat["state"], "the shell was killed" in beat["sentence"]) == ("wrong", True)
    with HomeLock(home):
        hung = CliRunner().invoke(app, ["doctor", "--home", str(tmp_path), "--offline", "--json"])
    assert "its trading thread hangs" in hung.stdout
