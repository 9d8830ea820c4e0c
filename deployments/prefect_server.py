"""A private Prefect server for one home: its own database and port, on the loopback interface, gone when we are.

Prefect is the visible conductor, never the authority (D1): it keeps run history, artifacts and states; the trading database
knows nothing of it.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from deployments.prefect_password import Password, kept_password
from shell.clock import monotonic
from shell.errors import NotNow

START_SECONDS_MAX = 120.0
STOP_SECONDS_MAX = 10.0
DRAIN_SECONDS_MAX = 10.0
POLL_SECONDS = 0.2
URL_FILE = "server.url"
# uvicorn, but ended by the kernel (Linux: PR_SET_PDEATHSIG, SIGTERM) when the process that started it dies, however it does.
SERVE = (
    "import ctypes, sys; hasattr(ctypes.CDLL(None), 'prctl') and ctypes.CDLL(None).prctl(1, 15, 0, 0, 0); "
    "import uvicorn; sys.argv[0] = 'uvicorn'; uvicorn.main()"
)
DATABASE = "prefect.db"

# What a server without deployments has no use for; the recorder of task runs and the event persister stay on.
_IDLE_SERVICES = ("SCHEDULER", "LATE_RUNS", "FOREMAN", "CANCELLATION_CLEANUP", "PAUSE_EXPIRATIONS", "TRIGGERS")

# Written together, not one by one: each write of theirs may come between the reading and the writing of a transaction that
# begins a run, which SQLite then refuses, and the client asks again only after two seconds. So its page is half a minute behind
# with tasks, not with runs of flows; what is left at the end is written when the server stops.
_TOGETHER = {
    "TASK_RUN_RECORDER_BATCH_SIZE": "200", "TASK_RUN_RECORDER_FLUSH_INTERVAL": "30",
    "EVENT_PERSISTER_BATCH_SIZE": "500", "EVENT_PERSISTER_FLUSH_INTERVAL": "30",
}


def template_path() -> Path:
    """Where an empty database of the installed Prefect version is kept, to start new homes from."""
    return Path(sys.prefix) / f"prefect-{version('prefect')}.db"


def private_environment(home: Path) -> dict[str, str]:
    """What a process needs to use Prefect with `home` and nobody else's settings; nothing is reported to anyone."""
    return {
        "PREFECT_HOME": str(home), "PREFECT_PROFILES_PATH": str(home / "profiles.toml"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false", "PREFECT_LOGGING_LEVEL": "WARNING",
        "PREFECT_CLI_COLORS": "false",
    }


def server_command(port: int) -> list[str]:
    """The command of a server on the loopback interface."""
    return [
        sys.executable, "-c", SERVE, "--factory", "prefect.server.api.server:create_app", "--host", "127.0.0.1",
        "--port", str(port), "--log-level", "warning", "--timeout-graceful-shutdown", "2",
    ]


class PrefectServer:
    """One server process. `start` returns at once; `wait` blocks until it answers."""

    def __init__(self, home: Path, password: Password, *, services: bool = False) -> None:
        self._home = home
        self.password = password
        self._services = services
        self._process: subprocess.Popen[bytes] | None = None
        self._log = home / "server.log"
        self.port = _free_port()

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    def start(self) -> Self:
        self._home.mkdir(parents=True, exist_ok=True)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        environment |= private_environment(self._home) | self.password.of_server()
        # The page asks this server, not the port that Prefect takes by default.
        environment["PREFECT_SERVER_UI_API_URL"] = self.api_url
        environment["PREFECT_API_DATABASE_CONNECTION_URL"] = f"sqlite+aiosqlite:///{self._home / DATABASE}"
        if not self._services:
            environment |= {f"PREFECT_SERVER_SERVICES_{name}_ENABLED": "false" for name in _IDLE_SERVICES}
            environment |= {f"PREFECT_SERVER_SERVICES_{name}": value for name, value in _TOGETHER.items()}
        database = self._home / DATABASE
        template = template_path()
        if template.is_file() and not database.exists():
            shutil.copyfile(template, database)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                server_command(self.port), env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, cwd=self._home,
            )
        (self._home / URL_FILE).write_text(f"{self.api_url} {self._process.pid}\n", encoding="utf-8")
        return self

    def wait(self, seconds: float = START_SECONDS_MAX) -> None:
        """Block until the server answers. Raises NotNow with the end of its log when it does not."""
        deadline = monotonic() + seconds
        while monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            try:
                if httpx.get(f"{self.api_url}/health", timeout=2.0).status_code == 200:
                    self._keep_template()
                    return
            except httpx.TransportError:
                pass
            time.sleep(POLL_SECONDS)
        self.stop()
        raise NotNow(f"the Prefect server did not start within {seconds:.0f} s; the end of {self._log}:\n{self._tail()}")

    def stop(self) -> None:
        """End the server and everything it started; never raises."""
        process, self._process = self._process, None
        if process is None:
            return
        (self._home / URL_FILE).unlink(missing_ok=True)
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, number)
            except ProcessLookupError:
                break
            try:
                process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                continue
            break

    def _keep_template(self) -> None:
        """Keep the freshly made database beside the installed Prefect: making one takes 14 s, copying it none."""
        template = template_path()
        if template.exists() or not os.access(template.parent, os.W_OK):
            return
        staged = template.with_name(f"{template.name}.{os.getpid()}")
        with closing(sqlite3.connect(self._home / DATABASE)) as made, closing(sqlite3.connect(staged)) as copy:
            made.backup(copy)
        os.replace(staged, template)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _tail(self) -> str:
        try:
            return "\n".join(self._log.read_text(errors="replace").splitlines()[-5:])
        except OSError:
            return "(no log)"


@contextmanager
def using(server: PrefectServer, home: Path) -> Iterator[None]:
    """Make this process's flows report to `server` while the block runs."""
    os.environ.update(private_environment(home))
    os.environ["PREFECT_API_URL"] = server.api_url
    # Imported here: prefect takes two seconds to import and reads the environment when it is.
    from prefect.settings import (
        PREFECT_API_AUTH_STRING,
        PREFECT_API_URL,
        PREFECT_HOME,
        PREFECT_LOGGING_LEVEL,
        PREFECT_SERVER_ALLOW_EPHEMERAL_MODE,
        temporary_settings,
    )

    updates = {
        # Not into our own environment, as the rest is: every child would inherit it.
        PREFECT_API_AUTH_STRING: server.password.secret.reveal(), PREFECT_API_URL: server.api_url, PREFECT_HOME: home,
        PREFECT_SERVER_ALLOW_EPHEMERAL_MODE: False, PREFECT_LOGGING_LEVEL: "WARNING",
    }
    try:
        with temporary_settings(updates=updates):
            yield
    finally:
        _deliver_the_rest()
        for name in ("PREFECT_API_URL", *private_environment(home)):
            os.environ.pop(name, None)


@asynccontextmanager
async def shared_clients() -> AsyncIterator[None]:
    """Let the flows that are run in the block, on this loop, share one client of each kind; the server must answer already.

    Else every run makes its own, and each of those first loads all certificates, for a server that is asked without TLS.
    """
    from prefect.context import AsyncClientContext, SyncClientContext

    with SyncClientContext():
        async with AsyncClientContext():
            yield


def _deliver_the_rest() -> None:
    """Let Prefect's background workers hand over their last events and logs while the server still listens."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    for worker in (EventsWorker, APILogWorker):
        worker.drain_all(timeout=DRAIN_SECONDS_MAX)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def prepare() -> None:
    """Make the empty database once, at set-up, so that no later start waits for it."""
    with tempfile.TemporaryDirectory() as folder, PrefectServer(Path(folder), kept_password(Path(folder))) as server:
        server.wait()


if __name__ == "__main__":
    prepare()
