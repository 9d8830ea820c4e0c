"""prefect.yaml: every flow has one deployment that can be loaded, and only the jobs with a time have a schedule."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect import Flow

FLOWS = {"scan", "fees", "snapshot", "orchestrate", "evolve", "aggregate", "distill", "parity", "reconcile"}
SCHEDULES = {
    "scan": ("4-59/5 * * * *", "UTC"),
    "fees": ("20 12 * * *", "UTC"),
    "snapshot": ("55 23 * * *", "America/New_York"),
    "orchestrate": ("0 0 * * *", "America/New_York"),
    "reconcile": ("*/15 * * * *", "UTC"),
    "distill": ("30 4 1 1,4,7,10 *", "America/New_York"),
}


def deployments(project: Path) -> dict[str, dict[str, Any]]:
    rows = yaml.safe_load((project / "prefect.yaml").read_text())["deployments"]
    assert len({row["name"] for row in rows}) == len(rows)
    return {row["name"]: row for row in rows}


def test_every_flow_has_one_deployment_in_the_same_pool(project: Path) -> None:
    rows = deployments(project)
    assert set(rows) == FLOWS
    for name, row in rows.items():
        assert row["work_pool"]["name"] == "trading-brain"
        # A second run of a job is one too many; a second candidate waits for the first.
        collision = "ENQUEUE" if name == "evolve" else "CANCEL_NEW"
        assert row["concurrency_limit"] == {"limit": 1, "collision_strategy": collision}


def test_schedules_are_those_of_the_specification_each_with_a_slug(project: Path) -> None:
    found = {}
    for name, row in deployments(project).items():
        for schedule in row.get("schedules", []):
            assert schedule["slug"]
            found[name] = (schedule["cron"], schedule["timezone"])
    assert found == SCHEDULES


@pytest.mark.parametrize("name", sorted(FLOWS))
def test_an_entrypoint_is_a_flow_that_runs_with_the_deployed_parameters(name: str, project: Path) -> None:
    row = deployments(project)[name]
    file, function = row["entrypoint"].split(":")
    assert (project / file).is_file()
    flow = getattr(importlib.import_module(file.removesuffix(".py").replace("/", ".")), function)
    assert isinstance(flow, Flow)
    inspect.signature(flow.fn).bind(**row["parameters"])
