"""Prefect's side of `brain up`: its environment, its work pool, deployments, schedules and automation, set each time anew.

Spoken over its REST interface, so that the supervisor never imports prefect (two seconds, a hundred megabytes).
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from deployments.prefect_api import PrefectApi, call, send
from deployments.prefect_server import DATABASE, private_environment
from deployments.supervisor import postgres
from deployments.supervisor.note import MARK
from shell.clock import monotonic
from shell.config import PrefectConfig
from shell.errors import NotNow, Transient
from shell.home import Home
from shell.watchdog import heartbeat_file
from tasks.beat import BEAT_VARIABLE
from tasks.context import SOCKET_VARIABLE

POOL = "trading-brain"
ROOT_VARIABLE = "TRADING_BRAIN_HOME"
DEPLOY_SECONDS_MAX = 240.0
HEARTBEAT_SECONDS = 30
ZOMBIE = "runs whose process is gone"
ZOMBIE_WITHIN = timedelta(seconds=90)
HEARTBEAT = "prefect.flow-run.heartbeat"
TERMINAL = tuple(f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed"))
# Its runs suspend themselves. Now and then Prefect evaluates the last heartbeat after the suspension that followed it, and
# misses the next one: a run that merely waits would be called crashed (measured). `flows.tend` looks for processes itself.
SUSPENDING = "evolve"
WORKER_POLL_SECONDS = 5
POLL_SECONDS = 0.2


def base_environment(home: Home) -> dict[str, str]:
    """For every child: ours without anybody's Prefect settings, marked as belonging to this home."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return environment | {MARK: str(home.run), "PYTHONUNBUFFERED": "1"}


def client_environment(home: Home, root: Path, api: PrefectApi) -> dict[str, str]:
    """For the worker, its flow runs and `prefect deploy`: the server, its password, the shell's socket and the project."""
    path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH", "")]))
    return base_environment(home) | private_environment(home.prefect) | api.password.of_client() | {
        "PREFECT_API_URL": api.url, "PREFECT_LOGGING_LEVEL": "INFO",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS),
        "PREFECT_WORKER_QUERY_SECONDS": str(WORKER_POLL_SECONDS), ROOT_VARIABLE: str(root),
        SOCKET_VARIABLE: str(home.control_socket), BEAT_VARIABLE: str(heartbeat_file(home)), "PYTHONPATH": path,
    }


def server_environment(home: Home, config: PrefectConfig, api: PrefectApi, database: str) -> dict[str, str]:
    """For the server: its password, its database, its pages' own address, and how long it keeps what."""
    return base_environment(home) | private_environment(home.prefect) | api.password.of_server() | {
        "PREFECT_API_DATABASE_CONNECTION_URL": database, "PREFECT_SERVER_UI_API_URL": api.url,
        # Beside the password: no other page in the same browser may read what its interface answers.
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": api.url.removesuffix("/api"),
        "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": f"PT{int(config.keep_events.total_seconds())}S",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(int(config.keep_runs.total_seconds())),
    }


def database_url(home: Home, config: PrefectConfig) -> str:
    """What the setting names."""
    match config.database:
        case "embedded":
            return postgres.url_of(home.run / "pg")
        case "sqlite":
            return f"sqlite+aiosqlite:///{home.prefect / DATABASE}"
        case _:
            return config.database


def worker_command() -> tuple[str, ...]:
    return (
        sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL, "--type", "process", "--name", "trading-brain",
    )


def has_worker(api: PrefectApi) -> bool:
    """Whether a worker of our pool polls."""
    try:
        found = call(api, "POST", f"/work_pools/{POOL}/workers/filter", {})
    except (NotNow, Transient):
        return False
    return any(each.get("status") == "ONLINE" for each in found)


def make_pool(api: PrefectApi) -> None:
    """The work pool, if it is not there."""
    answer = send(api, "POST", "/work_pools/", {"name": POOL, "type": "process", "description": "Runs flows as processes."})
    if answer.status_code not in (httpx.codes.CREATED, httpx.codes.OK, httpx.codes.CONFLICT):
        raise NotNow(f"Prefect made no work pool: {answer.status_code} {answer.text[:200]}")


def deploy(root: Path, environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Begin to deploy everything in prefect.yaml; `deployed` waits for it."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"], cwd=root, env=dict(environment), stdout=file,
            stderr=file, stdin=subprocess.DEVNULL, start_new_session=True,
        )


def deployed(process: subprocess.Popen[bytes], log: Path, stopping: Callable[[], bool] = lambda: False) -> None:
    """Raises NotNow with the end of its log when the deployment fails, or at once when somebody asks to stop."""
    deadline = monotonic() + DEPLOY_SECONDS_MAX
    while (code := process.poll()) is None:
        if stopping():
            raise NotNow("asked to stop while deploying prefect.yaml")
        if monotonic() > deadline:
            raise NotNow(f"prefect.yaml was not deployed within {DEPLOY_SECONDS_MAX:.0f} s: {log} has its last words")
        time.sleep(POLL_SECONDS)
    if code:
        end = "\n".join(log.read_text(errors="replace").splitlines()[-6:])
        raise NotNow(f"prefect.yaml was not deployed:\n{end}")


def set_zone(api: PrefectApi, name: str, zone: str) -> None:
    """Let a deployment's crons follow the user's local days. A schedule paused by hand stays paused."""
    deployment = call(api, "GET", f"/deployments/name/{name}/{name}", None)
    for kept in deployment["schedules"]:
        wanted = {**kept["schedule"], "timezone": zone}
        if wanted != kept["schedule"]:
            call(api, "PATCH", f"/deployments/{deployment['id']}/schedules/{kept['id']}", {"schedule": wanted})


def set_automation(api: PrefectApi) -> None:
    """A run whose heartbeats stop has lost its process: it is marked as crashed instead of running for ever."""
    wanted = zombie_automation()
    known = call(api, "POST", "/automations/filter", {"automations": {"name": {"any_": [ZOMBIE]}}})
    if not known:
        call(api, "POST", "/automations/", wanted)
    for first, each in enumerate(known):
        path = f"/automations/{each['id']}"
        send(api, "DELETE" if first else "PUT", path, None if first else wanted)


def zombie_automation() -> dict[str, Any]:
    """The automation as Prefect takes it."""
    return {
        "name": ZOMBIE, "description": "No heartbeat for 90 seconds: the process was killed, or its machine is gone.",
        "enabled": True,
        "trigger": {
            "type": "event", "posture": "Proactive", "after": [HEARTBEAT], "expect": [HEARTBEAT, *TERMINAL],
            "match": {"prefect.resource.id": "prefect.flow-run.*"},
            "match_related": {"prefect.resource.role": "flow", "prefect.resource.name": f"!{SUSPENDING}"},
            "for_each": ["prefect.resource.id"], "threshold": 1,
            "within": ZOMBIE_WITHIN.total_seconds(),
        },
        "actions": [{
            "type": "change-flow-run-state", "state": "CRASHED",
            "message": "No heartbeat for 90 seconds: its process is gone. The shell and its trading are not affected.",
        }],
    }
