"""A deployed cron really gets scheduled runs.

With SQLAlchemy 2.1, Prefect 3.8.8 answers its health check and runs flows on request, but never schedules anything.
Nothing but waiting for a scheduled run shows it, so a real server is started and `scan` is deployed from prefect.yaml.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from deployments.prefect_api import PrefectApi
from deployments.prefect_password import kept_password
from deployments.prefect_server import PrefectServer, private_environment
from shell.clock import monotonic
from tests.thorough import thorough

SCHEDULED_SECONDS_MAX = 45.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PrefectServer]:
    """A server with its scheduler, of which no process is left afterwards."""
    with PrefectServer(tmp_path / "prefect", kept_password(tmp_path / "prefect"), services=True) as server:
        server.wait()
        yield server
    environments = (path for path in Path("/proc").glob("[0-9]*/environ"))
    assert [path for path in environments if str(tmp_path).encode() in contents(path)] == []


def contents(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def deploy(server: PrefectServer, project: Path, folder: Path, name: str) -> None:
    """`prefect deploy` one deployment of the project's prefect.yaml, from a copy, beside which nothing of ours lies."""
    folder.mkdir()
    shutil.copy(project / "prefect.yaml", folder)
    shutil.copytree(project / "flows", folder / "flows", ignore=shutil.ignore_patterns("__pycache__"))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}
    environment |= private_environment(folder / "client") | server.password.of_client()
    environment |= {"PREFECT_API_URL": server.api_url, "TRADING_BRAIN_HOME": str(folder)}
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--name", name]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def scheduled_runs(client: httpx.Client) -> list[dict[str, Any]]:
    query = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}, "sort": "EXPECTED_START_TIME_ASC", "limit": 50}
    answer = client.post("/flow_runs/filter", json=query)
    answer.raise_for_status()
    return list(answer.json())


@thorough  # the lock keeps the versions it is about
@pytest.mark.prefect
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_deployed_cron_gets_scheduled_runs(server: PrefectServer, project: Path, tmp_path: Path) -> None:
    headers = PrefectApi(url=server.api_url, password=server.password).headers()
    with httpx.Client(base_url=server.api_url, headers=headers, timeout=30) as client:
        client.post("/work_pools/", json={"name": "trading-brain", "type": "process"}).raise_for_status()
        deploy(server, project, tmp_path / "project", "scan")
        deadline = monotonic() + SCHEDULED_SECONDS_MAX
        while not (runs := scheduled_runs(client)) and monotonic() < deadline:
            time.sleep(0.5)
        assert runs, f"no run was scheduled within {SCHEDULED_SECONDS_MAX:.0f} s of deploying a cron"
        assert all(run["auto_scheduled"] for run in runs)
        minutes = {int(run["expected_start_time"][14:16]) % 5 for run in runs}
        assert minutes == {4}, "a slot's run begins a minute before it"
        (deployment,) = client.post("/deployments/filter", json={}).json()
        assert deployment["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"
        assert deployment["pull_steps"][0]["prefect.deployments.steps.set_working_directory"]["directory"] == str(
            tmp_path / "project"
        )
