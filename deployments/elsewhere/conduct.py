"""What `brain up` does for Prefect, where containers or systemd start the processes.

`python -m deployments.elsewhere.conduct` waits for the server (PREFECT_API_URL), makes the work pool, deploys prefect.yaml,
sets time zone and automation, and stays to start the night's work when somebody asks the shell for it. No trading depends on
it (D1).
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from threading import Event

from deployments.opening import settings_for
from deployments.prefect_api import PrefectApi, is_healthy
from deployments.prefect_password import password_of
from deployments.supervisor import conductor
from deployments.supervisor.requested import start_requested
from shell.clock import SystemClock, monotonic
from shell.config import Settings
from shell.errors import BrainError, NotNow, UsageError
from shell.home import Home
from tasks.context import SOCKET_VARIABLE
from tasks.socket_client import SocketClient

API_VARIABLE = "PREFECT_API_URL"
SERVER_SECONDS_MAX = 300.0
POLL_SECONDS = 2.0
ASK_SECONDS = 15.0


def main() -> int:
    """Returns the exit code: 0 when asked to stop, 1 with a sentence when Prefect cannot be set up."""
    stopping = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        home = Home.project()
        api = PrefectApi(url=api_of(os.environ), password=password_of(home))
        await_server(api.url, stopping)
        furnish(home, settings_for(home), api)
        print(f"flows are deployed at {api.url}", flush=True)  # noqa: T201
        stay(home, api, stopping)
    except BrainError as error:
        print(f"refused: {error}", file=sys.stderr, flush=True)  # noqa: T201
        return 1
    return 0


def api_of(environ: Mapping[str, str]) -> str:
    """The server's address. Raises UsageError where none is named: a guess might be somebody else's."""
    api = environ.get(API_VARIABLE, "").rstrip("/")
    if not api:
        raise UsageError(f"{API_VARIABLE} names no Prefect server, such as http://127.0.0.1:4200/api")
    return api


def await_server(api: str, stopping: Event) -> None:
    """Raises NotNow when it does not answer in time, or somebody asks to stop."""
    deadline = monotonic() + SERVER_SECONDS_MAX
    while not is_healthy(api):
        if monotonic() > deadline:
            raise NotNow(f"the Prefect server at {api} did not answer within {SERVER_SECONDS_MAX:.0f} s")
        if stopping.wait(POLL_SECONDS):
            raise NotNow("asked to stop while waiting for the Prefect server")


def furnish(home: Home, settings: Settings, api: PrefectApi) -> None:
    """Pool, deployments, time zone and automation: the same each time. Raises NotNow with what Prefect said."""
    conductor.make_pool(api)
    environment = conductor.client_environment(home, home.root, api)
    environment[SOCKET_VARIABLE] = str(control_socket(home, os.environ))
    log = home.logs / "conduct-deploy.log"
    deploying = conductor.deploy(home.root, environment, log)
    try:
        conductor.deployed(deploying, log)
    finally:
        if deploying.poll() is None:
            deploying.kill()
            deploying.wait()
    conductor.set_zone(api, "snapshot", settings.account.timezone)
    conductor.set_automation(api)


def stay(home: Home, api: PrefectApi, stopping: Event) -> None:
    """Look every few seconds whether the night's work was asked for, until somebody asks to stop."""
    shell = SocketClient(control_socket(home, os.environ), connect_seconds=0.0)
    while not stopping.wait(ASK_SECONDS):
        if told := start_requested(shell, api, SystemClock().now()):
            print(told, flush=True)  # noqa: T201


def control_socket(home: Home, environ: Mapping[str, str]) -> Path:
    """Where the shell answers: as the environment says, else in the home."""
    return Path(environ.get(SOCKET_VARIABLE) or home.control_socket)


if __name__ == "__main__":
    sys.exit(main())
