"""The whole system as real processes, each killed in turn: the shell goes on, the rest comes back, and nothing is left."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from deployments.prefect_api import PrefectApi, call, is_healthy
from deployments.prefect_password import PASSWORD_FILE, password_of
from deployments.supervisor import conductor
from deployments.supervisor.deployed_run import follow, require_completed, start
from deployments.supervisor.note import Process, is_alive, is_up, leftovers, read_note
from shell.clock import monotonic
from shell.errors import Rejected
from shell.home import Home
from shell.secrets import Secret
from tasks.socket_client import SocketClient
from tests.thorough import THOROUGH

pytestmark = [*THOROUGH, pytest.mark.prefect, pytest.mark.timeout(1500)]

UP_SECONDS_MAX = 420.0
BACK_SECONDS_MAX = 300.0
NOBODY = Process(pid=0, started="nobody")
PROJECT = Path(__file__).parents[3]


def until(happened: Callable[[], object], what: str, seconds: float = BACK_SECONDS_MAX) -> None:
    deadline = monotonic() + seconds
    while not happened():
        assert monotonic() < deadline, f"within {seconds:.0f} s it did not happen that {what}"
        time.sleep(0.3)


class Up:
    """A running system and how to reach its parts."""

    def __init__(self, folder: Path, database: str, shell: str = "shell_stand_in", overrides: Any = None) -> None:
        self.home = Home.private(folder)
        if overrides is not None:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "overrides.json").write_text(json.dumps(overrides), encoding="utf-8")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._log = (folder.parent / "up.log").open("ab")
        self._command = [
            sys.executable, "-m", "tests.deployments.supervisor.up_stand_in", str(folder), str(self.port), database,
            f"tests.deployments.supervisor.{shell}",
        ]
        self.client = SocketClient(self.home.control_socket, connect_seconds=30)
        self.begin()

    def begin(self) -> None:
        self.process = subprocess.Popen(
            self._command, cwd=PROJECT, stdout=self._log, stderr=self._log, env={**os.environ, "PYTHONPATH": str(PROJECT)}
        )
        until(lambda: self.process.poll() is not None or self._is_up(), "the system was up", UP_SECONDS_MAX)
        assert self.process.poll() is None, Path(self._log.name).read_text()[-2000:]

    def _is_up(self) -> bool:
        note = read_note(self.home)
        return note is not None and note.phase == "up" and note.supervisor.pid == self.process.pid

    def child(self, name: str) -> Process:
        """The present process of a part; one that cannot be while it is being started again."""
        note = read_note(self.home)
        return NOBODY if note is None else note.children.get(name, NOBODY)

    def comes_back(self, name: str, before: Process) -> bool:
        return self.child(name) not in (before, NOBODY)

    @property
    def api(self) -> PrefectApi:
        return PrefectApi(url=f"http://127.0.0.1:{self.port}/api", password=password_of(self.home))

    def trades_on(self, shell: Process) -> None:
        """The same shell process answers, and its own time goes on."""
        assert self.child("shell") == shell
        before = self.client.status().now
        until(lambda: self.client.status().now > before, "the shell's time went on", 30)
        assert is_alive(shell)


@contextmanager
def up(database: str, shell: str = "shell_stand_in", overrides: Any = None) -> Iterator[Up]:
    folder = Path(tempfile.mkdtemp(prefix="up-"))
    system = Up(folder / "home", database, shell, overrides)
    try:
        yield system
    finally:
        system.process.terminate()
        system.process.wait(200)
        left = leftovers(system.home)
        shutil.rmtree(folder)
        assert left == {}


def run_now(system: Up, flow: str) -> Any:
    run = follow(system.api, "", start(system.api, flow, {}), lambda line: None)
    require_completed(run)
    return run.answer


def content_of(path: Path) -> bytes:
    """What it holds; nothing where it is gone by now, or another user's."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""


def part_of(pid: int, named: dict[int, str]) -> str:
    """Which child of the supervisor a process is, or comes from; "nobody's" for any other, "gone" for one that ended."""
    while pid > 1 and pid not in named:
        stat = content_of(Path(f"/proc/{pid}/stat"))
        if not stat:
            return "gone"
        pid = int(stat.rpartition(b")")[2].split()[1])
    return named.get(pid, "nobody's")


def require_kept_to_prefect(system: Up) -> None:
    """Prefect's password is in its own file, and in the environments of server, worker and flows and of no other process: the
    shell and its strategy have none. It is in no log, database or argument."""
    api = system.api
    secret = api.password.secret.reveal().encode()
    files = [path for path in system.home.root.parent.rglob("*") if path.is_file()]
    assert any(path.name == "up-worker.log" for path in files) and any("postgres" in path.parts for path in files)
    assert [path for path in files if secret in content_of(path)] == [system.home.prefect / PASSWORD_FILE]
    named = {system.child(name).pid: name for name in ("shell", "postgres", "server", "worker")}
    holders = set()
    for each in Path("/proc").glob("[0-9]*"):
        assert secret not in content_of(each / "cmdline")
        if secret in content_of(each / "environ"):
            holders.add(part_of(int(each.name), named))
    assert holders - {"gone"} == {"server", "worker"}
    wrong = replace(api, password=replace(api.password, secret=Secret("brain:not-this-one-012345")))
    with pytest.raises(Rejected, match="does not take the password"):
        call(wrong, "POST", "/flows/filter", {})


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked at in /proc")
def test_every_process_killed_in_turn_and_the_shell_trades_on() -> None:
    with up("embedded") as system:
        shell = system.child("shell")
        assert {name: pid for name, pid in run_now(system, "snapshot").items() if name == "cash"} == {"cash": "10000"}
        require_kept_to_prefect(system)

        # The worker, by force: it is started again and runs flows.
        worker = system.child("worker")
        os.kill(worker.pid, signal.SIGKILL)
        until(lambda: system.comes_back("worker", worker), "the worker came back")
        system.trades_on(shell)
        until(lambda: conductor.has_worker(system.api), "the worker polls")

        # The server: the shell does not notice, history is kept, and what comes back is the same address.
        server = system.child("server")
        os.kill(server.pid, signal.SIGKILL)
        system.trades_on(shell)
        until(lambda: system.comes_back("server", server) and is_healthy(system.api.url), "the server came back")
        found = call(system.api, "POST", "/flow_runs/filter", {"flow_runs": {"name": {"like_": "snapshot"}}})
        assert [run["state_type"] for run in found] == ["COMPLETED"]

        # The server hangs: it answers nobody, and is replaced.
        server = system.child("server")
        os.kill(server.pid, signal.SIGSTOP)
        system.trades_on(shell)
        until(lambda: system.comes_back("server", server) and is_healthy(system.api.url), "a hung one was replaced")

        # Its database: the server rides it out.
        database = system.child("postgres")
        os.kill(database.pid, signal.SIGKILL)
        system.trades_on(shell)
        until(lambda: system.comes_back("postgres", database) and conductor.has_worker(system.api), "the database came back")

        # The shell itself: it is started again.
        os.kill(shell.pid, signal.SIGKILL)
        until(lambda: system.comes_back("shell", shell) and system.client.alive(), "the shell came back")
        assert system.client.status().halted == ()


def test_a_killed_supervisor_leaves_the_shell_trading_and_the_next_start_clears_up() -> None:
    with up("sqlite") as system:
        shell, worker, server = (system.child(name) for name in ("shell", "worker", "server"))
        os.kill(system.process.pid, signal.SIGKILL)
        system.process.wait()
        assert not is_up(system.home)
        until(lambda: not is_alive(worker) and not is_alive(server), "the kernel ended worker and server", 60)
        system.trades_on(shell)
        system.begin()
        assert not is_alive(shell)
        assert system.client.status().total_value == 10_000.0
        done = subprocess.run(
            [sys.executable, "-m", "deployments.cli.main", "down", "--home", str(system.home.root), "--json"], cwd=PROJECT,
            capture_output=True, text=True, timeout=240, check=False, env={**os.environ, "PYTHONPATH": str(PROJECT)},
        )
        assert json.loads(done.stdout.splitlines()[-1])["was_up"], done.stderr
        assert system.process.wait(60) == 0
        assert leftovers(system.home) == {}
        assert not system.home.control_socket.exists()
        assert read_note(system.home) is None


def session_processes(process: Process) -> list[int]:
    """A child of the supervisor leads a session: itself and everything it started."""
    found = []
    for each in Path("/proc").iterdir():
        if each.name.isdigit():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if os.getsid(int(each.name)) == process.pid:
                    found.append(int(each.name))
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="limits of another process are set by prlimit")
def test_no_room_for_run_history_stops_no_trading_and_it_goes_on_when_there_is_room() -> None:
    with up("embedded") as system:
        shell, database = system.child("shell"), system.child("postgres")
        # As on a full disk, no file of the database grows any more, and no byte beyond the first pages is written.
        for pid in session_processes(database):
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (8192, 8192))
        query = {"name": "no room", "flow_id": str(uuid4())}
        assert httpx.post(f"{system.api.url}/flows/", json=query, headers=system.api.headers(), timeout=120).is_error
        system.trades_on(shell)
        assert system.client.snapshot(system.client.status().now)["cash"] == "10000"
        time.sleep(5)
        system.trades_on(shell)

        # Room again: its processes are replaced by ones without the limit, whether they died of it or not.
        now = system.child("postgres")
        if now == database:
            os.kill(database.pid, signal.SIGKILL)
        until(lambda: system.comes_back("postgres", database), "the database came back")
        until(lambda: conductor.has_worker(system.api), "the worker polls")
        assert run_now(system, "snapshot")["cash"] == "10000"
        assert system.child("shell") == shell
