"""A night that was killed and is retried by Prefect's own command goes on where it stood, and no model is paid twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from typing import Any

import pytest

from deployments.prefect_api import call
from deployments.supervisor import conductor
from deployments.supervisor.deployed_run import start
from shell.trials.candidate import Stage
from tests.deployments.supervisor.hurried_shell import START, let_time_pass
from tests.deployments.supervisor.test_system import PROJECT, Up, until, up
from tests.tasks.ai.answers import manuscript, opinion, plan
from tests.tasks.ai.messages_server import role_of, serving
from tests.tasks.sources import rule
from tests.thorough import THOROUGH

pytestmark = [*THOROUGH, pytest.mark.prefect, pytest.mark.timeout(1800)]

# By hand in the morning: the window of a night this long ago is over.
MORNING = START + timedelta(hours=4)
SETTINGS = {
    "ai.provider": "anthropic", "ai.retries_max": 1, "orchestrator.history_days_min": 30, "orchestrator.search_days_max": 6,
    "orchestrator.target_annual_sharpe": 10.0,
}
ROLES = ["analyse", "generate", "review"]


def run_of(system: Up, run_id: str) -> dict[str, Any]:
    found: dict[str, Any] = call(system.api, "GET", f"/flow_runs/{run_id}", None)
    return found


def evolutions(system: Up) -> list[dict[str, Any]]:
    query = {"deployments": {"name": {"any_": ["evolve"]}}, "sort": "EXPECTED_START_TIME_ASC"}
    found: list[dict[str, Any]] = call(system.api, "POST", "/flow_runs/filter", query)
    return found


def kill(run: dict[str, Any]) -> None:
    os.kill(int(run["infrastructure_pid"].rsplit(":", 1)[-1]), signal.SIGKILL)


def retry(system: Up, run_id: str) -> None:
    environment = conductor.client_environment(system.home, PROJECT, system.api)
    command = [sys.executable, "-m", "prefect", "flow-run", "retry", run_id]
    subprocess.run(command, env=environment, check=True, timeout=240, capture_output=True)


def retried(system: Up, run_id: str) -> str:
    """Retry a crashed run, and once more if need be: of a killed process Prefect's worker reports the crash twice, the second
    time some seconds later, which takes a run along that was retried in between."""
    state = run_of(system, run_id)["state_type"]
    if state == "CRASHED":
        time.sleep(15)
        retry(system, run_id)
    assert state != "FAILED", run_of(system, run_id)["state"]["message"]
    return str(state)


def test_a_retried_night_pays_for_no_answer_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as models:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", models.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test-canary")
        models.by_role = {"analyse": [plan()], "generate": [manuscript(rule(fast=4, slow=30))], "review": [opinion()]}
        with up("embedded", "hurried_shell", SETTINGS) as system:
            let_time_pass(system.home.root, MORNING)
            until(lambda: system.client.status().now >= MORNING, "it is morning")
            night = start(system.api, "orchestrate", {"now": MORNING.isoformat()})

            def reviewed() -> bool:
                state = run_of(system, night)["state"]
                assert state["type"] not in ("FAILED", "CRASHED", "COMPLETED"), state["message"]
                return any(stage.stage is Stage.REVIEW for each in system.client.candidates() for stage in each.stages)

            until(reviewed, "a candidate was generated and reviewed", 900)
            [first] = evolutions(system)
            kill(first)
            kill(run_of(system, night))
            for run_id in (first["id"], night):
                until(lambda run_id=run_id: run_of(system, run_id)["state_type"] == "CRASHED", "Prefect noticed")
            assert [role_of(body) for body in models.asked] == ROLES
            [candidate] = system.client.candidates()

            until(lambda: retried(system, night) == "COMPLETED", "the night ended", 1200)
            [after] = system.client.candidates()
            assert after.candidate_id == candidate.candidate_id
            assert len(after.stages) > len(candidate.stages)
            # The killed run, retried as well, finds its candidate and that there is nothing left to do.
            until(lambda: retried(system, first["id"]) in ("COMPLETED", "PAUSED"), "it ended, too", 600)
            assert [role_of(body) for body in models.asked] == ROLES
            assert len(system.client.model_calls("2026-03-02")) == len(ROLES)
