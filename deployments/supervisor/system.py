"""`brain up`: starts the shell, then what shows its work, keeps all of it running, and stops it in order.

The shell is first and needs none of the rest; nothing that happens to the rest reaches it. A supervisor that dies by force
leaves the shell trading (the kernel ends the others), and the next `brain up` or `brain down` finds it by the note.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from types import FrameType

from deployments.prefect_api import PrefectApi, is_healthy
from deployments.prefect_password import Password
from deployments.prefect_server import URL_FILE, server_command
from deployments.supervisor import conductor, postgres
from deployments.supervisor.child import Child, Program
from deployments.supervisor.note import (
    UpNote,
    end,
    holding,
    leftovers,
    process_of,
    remove_note,
    session_of,
    write_note,
)
from deployments.supervisor.requested import start_requested
from shell.clock import SystemClock, monotonic
from shell.config import Settings
from shell.errors import BadInput, NotNow
from shell.home import Home, make_private
from shell.log import get_logger
from tasks.socket_client import SocketClient

START_SECONDS_MAX = 240.0
SHELL_STOP_SECONDS = 90.0
LEFTOVER_SECONDS = 90.0
WATCH_SECONDS = 0.5
PROBE_SECONDS = 15.0
PROBES_MISSED_MAX = 4
POLL_SECONDS = 0.2

Told = Callable[[str, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to run. `root` is the project: prefect.yaml and the flows; `shell` the command of the shell, without its home;
    `password` what Prefect's server is started with."""

    home: Home
    settings: Settings
    root: Path
    shell: tuple[str, ...]
    port: int
    password: Password
    simulated: bool = False


class System:
    """One `brain up`. `tell(part, sentence)` shows progress; a part that is ready is told "ready"."""

    def __init__(self, plan: Plan, tell: Told) -> None:
        self.plan = plan
        self.api = PrefectApi(url=f"http://127.0.0.1:{plan.port}/api", password=plan.password)
        self.ui = f"http://127.0.0.1:{plan.port}"
        self._tell = tell
        self._children: dict[str, Child] = {}
        self._phase = "starting"
        self._stopping = Event()
        self._control = SocketClient(plan.home.control_socket, connect_seconds=0.0)
        self._probe_due = 0.0
        self._probes_missed = 0

    # -- life ---------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Everything is up inside the block and gone after it, however it ends.

        Raises NotNow when another start holds the home, the port is in use, or a part does not come up.
        """
        home = self.plan.home
        make_private(home.run)
        with holding(home), self._signals():
            if "server" not in leftovers(home):
                # Before anything is stopped: a shell that an earlier start left goes on trading when this one cannot begin.
                require_free(self.plan.port)
            self._clear_leftovers()
            require_free(self.plan.port)
            try:
                self._start()
                yield
            finally:
                self._stop()

    def watch(self) -> None:
        """Keep everything running until somebody asks to stop (SIGTERM, SIGINT, SIGHUP or `ask_to_stop`)."""
        while not self._stopping.wait(WATCH_SECONDS):
            now = monotonic()
            changed = [child.watch(now) for child in self._children.values()]
            if any(changed):
                self._keep_note()
            if now >= self._probe_due:
                self._probe_due = now + PROBE_SECONDS
                self._probe()
                if told := start_requested(self._control, self.api, SystemClock().now()):
                    self._tell("flows", told)

    def ask_to_stop(self) -> None:
        self._stopping.set()

    def facts(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "home": str(self.plan.home.root), "ui": self.ui, "api": self.api.url, "simulated": self.plan.simulated,
            "database": self.plan.settings.prefect.database, "control": str(self.plan.home.control_socket),
            "children": {name: child.pid for name, child in self._children.items()},
            "restarts": {name: child.restarts for name, child in self._children.items()},
        }

    # -- start --------------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        """The shell first; the others start while it does, and none of them waits for it but the worker's runs."""
        plan, config = self.plan, self.plan.settings.prefect
        self._begin(self._shell_program())
        if config.database == "embedded":
            self._start_postgres()
        database = conductor.database_url(plan.home, config)
        self._begin(self._server_program(database))
        (plan.home.prefect / URL_FILE).write_text(f"{self.api.url} {self._children['server'].pid}\n", encoding="utf-8")
        self._await("server")
        conductor.make_pool(self.api)
        environment = conductor.client_environment(plan.home, plan.root, self.api)
        log = plan.home.logs / "up-deploy.log"
        self._tell("flows", "deploying prefect.yaml")
        deploying = conductor.deploy(plan.root, environment, log)
        self._begin(self._worker_program(environment))
        try:
            conductor.deployed(deploying, log, self._stopping.is_set)
        finally:
            if deploying.poll() is None:
                deploying.kill()
                deploying.wait()
        conductor.set_zone(self.api, "snapshot", plan.settings.account.timezone)
        conductor.set_automation(self.api)
        self._tell("flows", "ready")
        self._await("worker")
        self._await("shell")
        self._phase = "up"
        self._keep_note()

    def _start_postgres(self) -> None:
        home = self.plan.home
        data, sockets = home.prefect / "postgres", home.run / "pg"
        self._tell("postgres", "setting up")
        postgres.prepare(data, home.logs / "up-postgres-setup.log")
        program = postgres.program(data, sockets, conductor.base_environment(home), home.logs / "up-postgres.log")
        self._begin(program)
        self._await("postgres")
        postgres.furnish(sockets)

    def _begin(self, program: Program) -> None:
        child = Child(program)
        self._children[program.name] = child
        self._tell(program.name, "starting")
        child.start()
        self._keep_note()

    def _await(self, name: str) -> None:
        """Raises NotNow with its last words when the child ends or does not become ready, or somebody asks to stop."""
        child, deadline = self._children[name], monotonic() + START_SECONDS_MAX
        while not child.ready():
            for each in self._children.values():
                code = each.ended()
                if code is not None:
                    raise NotNow(f"{each.name} ended with {code}: {each.tail(3)}")
            if self._stopping.is_set():
                raise NotNow("asked to stop while starting")
            if monotonic() > deadline:
                raise NotNow(f"{name} was not ready within {START_SECONDS_MAX:.0f} s: {child.tail(3)}")
            time.sleep(POLL_SECONDS)
        self._tell(name, "ready")

    # -- programs -----------------------------------------------------------------------------------------------------

    def _shell_program(self) -> Program:
        home = self.plan.home
        return Program(
            name="shell", command=self.plan.shell, environment=conductor.base_environment(home), folder=self.plan.root,
            log=home.logs / "up-shell.log", ready=self._control.alive, with_parent=False, stop_seconds=SHELL_STOP_SECONDS,
        )

    def _server_program(self, database: str) -> Program:
        home = self.plan.home
        environment = conductor.server_environment(home, self.plan.settings.prefect, self.api, database)
        return Program(
            name="server", command=tuple(server_command(self.plan.port)), environment=environment, folder=home.prefect,
            log=home.logs / "up-server.log", ready=lambda: is_healthy(self.api.url),
        )

    def _worker_program(self, environment: dict[str, str]) -> Program:
        return Program(
            name="worker", command=conductor.worker_command(), environment=environment, folder=self.plan.root,
            log=self.plan.home.logs / "up-worker.log", ready=lambda: conductor.has_worker(self.api), stop_seconds=20.0,
        )

    # -- watch and stop -----------------------------------------------------------------------------------------------

    def _probe(self) -> None:
        """A server that lives and does not answer is started anew; the shell is left alone whatever it does."""
        server = self._children["server"]
        if server.pid is None or is_healthy(self.api.url):
            self._probes_missed = 0
            return
        self._probes_missed += 1
        if self._probes_missed >= PROBES_MISSED_MAX:
            self._probes_missed = 0
            get_logger().warning("the Prefect server hangs and is started anew", pid=server.pid)
            server.kill()

    def _stop(self) -> None:
        """Shell and worker together, so that no trading waits for a flow; then what flows left; then server and database."""
        self._phase = "stopping"
        self._keep_note()
        self._end("worker", "shell")
        # What the worker's flow runs left. The others' own processes are in their sessions, and are ended by them.
        kept = {child.pid for child in self._children.values()} - {None}
        end({name: each for name, each in leftovers(self.plan.home).items() if session_of(each) not in kept}, 5.0)
        self._end("server")
        self._end("postgres")
        self._control.close()
        (self.plan.home.prefect / URL_FILE).unlink(missing_ok=True)
        shutil.rmtree(self.plan.home.run / "pg", ignore_errors=True)
        remove_note(self.plan.home)

    def _end(self, *names: str) -> None:
        present = [self._children[name] for name in names if name in self._children]
        started = monotonic()
        for child in present:
            if child.pid is not None:
                self._tell(child.name, "stopping")
            child.ask_to_stop()
        for child in present:
            child.stop(started + child.program.stop_seconds)
            self._tell(child.name, "stopped")

    def _clear_leftovers(self) -> None:
        found = leftovers(self.plan.home)
        if found:
            named = ", ".join(f"{name} ({each.pid})" for name, each in found.items())
            self._tell("earlier start", f"died and left behind {named}: stopping that first")
            end(found, LEFTOVER_SECONDS)
        remove_note(self.plan.home)

    def _keep_note(self) -> None:
        write_note(self.plan.home, UpNote(
            supervisor=process_of(os.getpid()), ui=self.ui, api=self.api.url, phase=self._phase, simulated=self.plan.simulated,
            children={name: process_of(child.pid) for name, child in self._children.items() if child.pid is not None},
        ))

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """The first signal asks to stop; the following ones change nothing, since stopping is under way."""

        def asked(number: int, frame: FrameType | None) -> None:
            self._stopping.set()

        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        before = {number: signal.signal(number, asked) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def require_free(port: int) -> None:
    """Raises BadInput for a port that somebody uses."""
    with socket.socket() as probe:
        # As the server binds it: a port whose last connections are only fading away is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            told = f"port {port} of 127.0.0.1 is in use: give another one by --prefect-port or [prefect] port"
            raise BadInput(told) from None
