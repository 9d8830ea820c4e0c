"""A Dask cluster changes where runs happen and no result: two workers on this machine against processes of this machine."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

from deployments.cluster import connection
from deployments.cluster.backtests import ClusterRuns
from deployments.cluster.connection import Cluster, connected, tasks_for
from shell.backtest.parallel import run_many
from shell.errors import DataError, NotNow, UsageError
from tests.deployments.test_cli import answer, brain
from tests.deployments.test_cli_search import data, holder  # noqa: F401
from tests.shell.backtest.test_parallel import MARKET, TREND, job, told
from tests.shell.scripted import START
from tests.thorough import thorough

WORKERS = 2


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with connected(f"local:{WORKERS}") as made:
        yield made


def address(cluster: Cluster) -> str:
    return str(cluster.client.scheduler.address)


@pytest.mark.parametrize("word", ["nowhere", "local:", "local:0", "local:x", "local:65"])
def test_a_word_that_names_no_cluster_is_wrong_usage(word: str) -> None:
    with pytest.raises(UsageError), connected(word):
        pass


@pytest.mark.parametrize(("jobs", "slots", "size"), [(1, 2, 1), (8, 2, 1), (9, 2, 2), (1000, 2, 125), (3, 64, 1)])
def test_every_worker_has_a_few_tasks(jobs: int, slots: int, size: int) -> None:
    assert tasks_for(jobs, slots) == size


@thorough
def test_results_refusals_and_their_order_are_those_of_this_machine(cluster: Cluster) -> None:
    assert cluster.slots == WORKERS
    jobs = [
        job(TREND.replace("BARS = 12", f"BARS = {bars}"), end=START + timedelta(days=1), fast=bars % 2 == 0)
        for bars in range(6, 14)
    ]
    jobs[2] = job("import os\n" + TREND)
    jobs[5] = job(TREND.replace("held = {", "held = 1 / 0; {"))
    here = [(number, told(outcome)) for number, outcome in run_many(jobs, MARKET, workers=2)]
    shares: list[tuple[float, int]] = []
    runs = ClusterRuns(cluster)(jobs, MARKET, progress=lambda done, total: shares.append((done, total)))
    assert [(number, told(outcome)) for number, outcome in runs] == here
    assert len({outcome[0] for _, outcome in here}) > 4, "settings that differ in what they give"
    assert shares[-1] == (8.0, 8)


@thorough
def test_a_worker_that_is_killed_costs_time_and_no_result(cluster: Cluster) -> None:
    jobs = [job(TREND.replace("BARS = 12", f"BARS = {bars}")) for bars in (8, 12, 16, 20)]
    here = [told(outcome) for _, outcome in run_many(jobs, MARKET, workers=2)]
    victim = next(iter(cluster.client.run(os.getpid).values()))
    Timer(0.5, os.kill, (victim, signal.SIGKILL)).start()
    assert [told(outcome) for _, outcome in ClusterRuns(cluster)(jobs, MARKET)] == here
    cluster.client.wait_for_workers(WORKERS, timeout=60)
    assert victim not in cluster.client.run(os.getpid).values()


def figures(facts: dict[str, Any]) -> dict[str, Any]:
    """Without what the place and the time decide."""
    return {name: value for name, value in facts.items() if name not in ("seconds", "workers")}


@thorough
@pytest.mark.parametrize(
    "arguments", [("search", "--trials", "6"), ("walk-forward", "--train-days", "1", "--test-days", "1", "--trials", "3")],
    ids=["search", "walk-forward"],
)
def test_the_commands_answer_alike(
    arguments: tuple[str, ...], cluster: Cluster, data: Path, holder: Path  # noqa: F811
) -> None:
    command = [*arguments, "--strategy", str(holder), "--data", str(data), "--seed", "5", "--json"]
    here, there = brain(*command), brain(*command, "--cluster", address(cluster))
    assert (here.returncode, there.returncode) == (0, 0), here.stderr + there.stderr
    assert figures(answer(there)) == figures(answer(here))
    assert answer(there)["workers"] == WORKERS


@thorough
def test_a_null_test_counts_alike(cluster: Cluster, tmp_path: Path) -> None:
    command = ["null-test", "--months", "2", "--nights", "3", "--seed", "3", "--json", "--fresh"]
    here = brain(*command, "--workers", "2", "--out", tmp_path / "here.jsonl")
    there = brain(*command, "--cluster", address(cluster), "--out", tmp_path / "there.jsonl")
    assert (here.returncode, there.returncode) == (0, 0), here.stderr + there.stderr
    timed = {"journal", "seconds_a_month", "cpu_seconds_a_month", "seconds_by_step"}
    alike = [
        {name: value for name, value in figures(answer(done)).items() if name not in timed} for done in (here, there)
    ]
    assert alike[1] == alike[0]
    assert alike[0]["candidates_scored"] > 0


@thorough
def test_a_worker_with_other_code_is_refused(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_code", lambda: "other")
    with pytest.raises(DataError, match="other code"):
        connection._checked(_StillTheOldCode(cluster.client))


class _StillTheOldCode:
    """The client, asking its workers what they would have answered without this test's change."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def nthreads(self) -> Any:
        return self._client.nthreads()

    def run(self, _asked: Any) -> Any:
        from deployments.null_twin.code import code_hash
        from shell.home import find_project

        return self._client.run(lambda: code_hash(find_project()))


@thorough
def test_a_scheduler_that_does_not_answer_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "CONNECT_SECONDS_MAX", 1.0)
    with pytest.raises(NotNow, match="no Dask scheduler"), connected("tcp://127.0.0.1:9"):
        pass
