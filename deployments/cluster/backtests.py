"""Many backtests on a Dask cluster, with the results and the order of `shell.backtest.parallel.run_many`.

The history is sent once to every worker. A task is a few jobs, run in a fresh process of that machine's with a clean
environment, each strategy behind its wall there: what a worker of Dask's own holds or breaks does not touch a result.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from typing import Any

from deployments.cluster.connection import Cluster, tasks_for
from shell.backtest.crew import WorkerLost
from shell.backtest.history_file import history_file
from shell.backtest.job import BacktestJob
from shell.backtest.parallel import JobsProgress, Outcome, Outcomes, run_apart
from shell.backtest.worker import Refusal, error_of, refusal_of
from shell.errors import BrainError
from shell.market.history import History

RESULT, REFUSED = "result", "refused"


class ClusterRuns:
    """`Runs` (shell.backtest.parallel) on a connected cluster; its `workers` are the cluster's, whatever is asked for."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def __call__(
        self, jobs: Sequence[BacktestJob], history: History, *, workers: int | None = None,
        progress: JobsProgress | None = None,
    ) -> Outcomes:
        client = self._cluster.client
        size = tasks_for(len(jobs), self._cluster.slots)
        starts = range(0, len(jobs), size)
        bars = client.scatter(_bytes_of(history), broadcast=True, hash=False)
        # Nothing is taken from an earlier run: the same question is asked anew.
        futures = [client.submit(run_there, list(jobs[at : at + size]), bars, pure=False) for at in starts]
        over = 0
        try:
            for at, future in zip(starts, futures, strict=True):
                expected = len(jobs[at : at + size])
                outcomes = _outcomes_of(future, expected)
                over += expected
                if progress is not None:
                    progress(float(over), len(jobs))
                yield from ((at + number, outcome) for number, outcome in enumerate(outcomes))
        finally:
            client.cancel(futures)


def run_there(jobs: Sequence[BacktestJob], history: bytes) -> list[tuple[str, Any]]:
    """On a worker: the jobs' outcomes, refusals as values that can be sent."""
    with tempfile.TemporaryFile() as file:
        file.write(history)
        file.flush()
        outcomes = run_apart(jobs, file.fileno())
    return [(REFUSED, refusal_of(each)) if isinstance(each, BrainError) else (RESULT, each) for each in outcomes]


def _outcomes_of(future: Any, expected: int) -> list[Outcome]:
    """What a task came to. One whose worker was lost too often costs its jobs, not the rest."""
    from distributed.scheduler import KilledWorker

    try:
        answered: list[tuple[str, Any]] = future.result()
    except KilledWorker as error:
        return [WorkerLost(f"the cluster lost every worker that tried this backtest: {error}")] * expected
    return [_outcome(kind, said) for kind, said in answered]


def _outcome(kind: str, said: Any) -> Outcome:
    if kind == REFUSED:
        refusal: Refusal = said
        return error_of(refusal)
    result: Outcome = said
    return result


def _bytes_of(history: History) -> bytes:
    with history_file(history) as descriptor, open(descriptor, "rb", closefd=False) as file:
        file.seek(0)
        return file.read()
