"""One candidate's life after its gate is one run: it suspends, outlives every process, and goes on when the shell says so."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from typing import Any

import pytest

from deployments.prefect_api import call, is_healthy, send
from deployments.supervisor import conductor
from deployments.supervisor.deployed_run import follow, require_completed, start
from shell.trials.candidate import Verdict
from tests.deployments.supervisor.hurried_shell import START, let_time_pass
from tests.deployments.supervisor.test_system import PROJECT, Up, until, up
from tests.thorough import THOROUGH

pytestmark = [*THOROUGH, pytest.mark.prefect, pytest.mark.timeout(1800)]

CANDIDATE = "c0001"
STEP = timedelta(minutes=5)


def runs_of(system: Up, candidate_id: str) -> list[dict[str, Any]]:
    query = {"flow_runs": {"tags": {"all_": [candidate_id]}}, "deployments": {"name": {"any_": ["evolve"]}}}
    found: list[dict[str, Any]] = call(system.api, "POST", "/flow_runs/filter", query)
    return found


def the_run(system: Up) -> dict[str, Any]:
    [run] = runs_of(system, CANDIDATE)
    return run


def times_suspended(system: Up) -> int:
    states = call(system.api, "GET", f"/flow_run_states/?flow_run_id={the_run(system)['id']}", None)
    return [state["name"] for state in states].count("Suspended")


def killed(system: Up, name: str) -> None:
    before = system.child(name)
    os.kill(before.pid, signal.SIGKILL)
    until(lambda: system.comes_back(name, before), f"{name} came back")


def reconciled(system: Up) -> None:
    """A reconciliation at the shell's own time, which is not the machine's."""
    now = system.client.status().now.isoformat()
    require_completed(follow(system.api, "", start(system.api, "reconcile", {"now": now}), lambda line: None))


def reconciled_until_alive(system: Up) -> bool:
    """A run that crashed is left alone for two minutes."""
    time.sleep(30)
    reconciled(system)
    return bool(the_run(system)["state_name"] != "Crashed")


def answered(system: Up, run: dict[str, Any], **answer: Any) -> int:
    return send(system.api, "POST", f"/flow_runs/{run['id']}/resume", {"run_input": answer}).status_code


def test_a_candidates_one_run_outlives_every_process_and_asks_a_person_before_it_promotes() -> None:
    with up("embedded", "hurried_shell") as system:
        begun = start(system.api, "evolve", {"candidate_id": CANDIDATE, "now": START.isoformat()})
        resting = follow(system.api, "", begun, lambda line: None)
        require_completed(resting)
        assert resting.answer["stage"] == "paper"
        assert resting.answer["trial_due_at"] == "2026-03-03T05:00:00Z"
        assert resting.name == 'evolve c0001 "it trends", on paper until 2026-03-03 05:00'

        # Before it is due nothing resumes it, and nothing that dies ends it. Heartbeats are missed after 90 seconds.
        for name in ("shell", "server", "worker"):
            killed(system, name)
        until(lambda: is_healthy(system.api.url) and conductor.has_worker(system.api), "all of it is back")
        until(system.client.alive, "the shell is back")
        reconciled(system)
        assert the_run(system)["id"] == begun
        assert the_run(system)["state_name"] == "Suspended"

        # A person who resumes it too early changes nothing.
        assert answered(system, the_run(system)) == 201
        until(lambda: times_suspended(system) == 2, "it rests again")
        # Neither does a crash, wherever it comes from: the same run begins again.
        state = {"state": {"type": "CRASHED", "message": "made up"}, "force": True}
        call(system.api, "POST", f"/flow_runs/{begun}/set_state", state)
        until(lambda: reconciled_until_alive(system), "it began again", 900)
        until(lambda: times_suspended(system) == 3, "it rests once more")
        [trial] = system.client.paper_trials()

        # Due: the trial is judged, and its run asks a person. What is no answer is refused.
        let_time_pass(system.home.root, trial.due_at + 3 * STEP)
        until(lambda: system.client.status().now >= trial.due_at + 3 * STEP, "the trial is due", 600)
        reconciled(system)
        until(lambda: the_run(system)["name"].endswith("waits for a person"), "its trial is judged")
        until(lambda: the_run(system)["state_name"] == "Suspended", "it asks")
        assert [system.client.paper_trials(), system.client.approval(CANDIDATE, system.client.status().now)] == [[], "waiting"]
        assert answered(system, the_run(system), approve="perhaps", by="Ann") == 200
        assert answered(system, the_run(system), approve=True) == 200
        assert the_run(system)["state_name"] == "Suspended"

        assert answered(system, the_run(system), approve=True, by="Ann") == 201
        until(lambda: the_run(system)["state_name"] == "Completed", "it is promoted")
        assert the_run(system)["name"] == 'evolve c0001 "it trends", active as v002'
        assert system.client.candidate(CANDIDATE).verdict is Verdict.PROMOTED
        assert system.client.status().active.version == "v002"
        reconciled(system)
        assert [run["id"] for run in runs_of(system, CANDIDATE)] == [begun]


def decided_by_command(system: Up, word: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "deployments.cli.main", word, CANDIDATE, "--home", str(system.home.root), "--by", "Ann", "--json"],
        cwd=PROJECT, capture_output=True, text=True, timeout=300, check=False, env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def test_with_its_form_closed_prefects_page_decides_nothing_and_a_command_does() -> None:
    closed = {"candidate": True, "orchestrator.approval": "ask", "orchestrator.approval_form": False}
    with up("sqlite", "hurried_shell", closed) as system:
        begun = start(system.api, "evolve", {"candidate_id": CANDIDATE, "now": START.isoformat()})
        require_completed(follow(system.api, "", begun, lambda line: None))
        [trial] = system.client.paper_trials()
        let_time_pass(system.home.root, trial.due_at + 3 * STEP)
        until(lambda: system.client.status().now >= trial.due_at + 3 * STEP, "the trial is due", 600)
        reconciled(system)
        until(lambda: the_run(system)["name"].endswith("waits for a person"), "its trial is judged")
        until(lambda: the_run(system)["state_name"] == "Suspended", "it waits")
        # Whoever resumes it on the page, with a yes that no form asked for, decides nothing: it waits again.
        suspended = times_suspended(system)
        answered(system, the_run(system), approve=True, by="somebody on this machine")
        until(lambda: times_suspended(system) == suspended + 1, "it waits again")
        assert system.client.approval(CANDIDATE, system.client.status().now) == "waiting"

        told = decided_by_command(system, "approve")
        assert (told["approved"], told["by"], told["shell_running"]) == (True, "Ann", True)
        reconciled(system)
        until(lambda: the_run(system)["state_name"] == "Completed", "it is promoted")
        assert system.client.candidate(CANDIDATE).verdict is Verdict.PROMOTED
        assert system.client.status().active.version == "v002"
