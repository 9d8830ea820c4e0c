"""Many backtests of one history on the local cores, with the same results in the same order however many workers run.

One worker runs here, as a loop would. Several are processes of their own (see `shell.backtest.worker`), executed anew
with a clean environment; they map one nameless copy of the history instead of each being sent it. When the caller
stops, is interrupted or dies, every worker ends and takes its strategy's process with it.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol

from shell.backtest.crew import Crew
from shell.backtest.history_file import history_file
from shell.backtest.job import BacktestJob, run_job
from shell.backtest.result import BacktestResult
from shell.backtest.run import Progress
from shell.backtest.worker import PROGRESS
from shell.clock import to_ms
from shell.errors import BrainError, UsageError
from shell.market.frames import open_ms_of
from shell.market.history import History

WORKERS_MAX = 128
# Rough, for deciding whether starting workers pays: a strategy's process starts in half a second, ...
START_SECONDS = 0.5
# ... a plain strategy then runs at some such pace, ...
BARS_PER_SECOND = 50_000
# ... and a worker costs a second of a core before its first bar.
WORTH_SECONDS = 6.0

Outcome = BacktestResult | BrainError
Outcomes = Generator[tuple[int, Outcome], None, None]
# How many of how many jobs are done; a job under way counts in part.
JobsProgress = Callable[[float, int], None]


class Runs(Protocol):
    """Whatever runs many jobs as `run_many` does: here, or on other machines. Where changes no result."""

    def __call__(
        self, jobs: Sequence[BacktestJob], history: History, *, workers: int | None = None,
        progress: JobsProgress | None = None,
    ) -> Outcomes: ...


def run_many(
    jobs: Sequence[BacktestJob], history: History, *, workers: int | None = None, progress: JobsProgress | None = None
) -> Outcomes:
    """Each job's number and outcome, in the order of `jobs`; for `workers` None see `workers_for`.

    The outcome is what `run_job` returns or the BrainError it raises: a refused or broken strategy is an outcome like
    any other. A worker that dies costs its job (WorkerLost), not the rest. Raises UsageError for a number of workers
    out of range. Closing the generator ends everything; so do an exception in the caller and the caller's death.
    """
    count = min(workers_for(workers, fast=_all_fast(jobs)), len(jobs))
    return _in_turn(jobs, history, progress) if count <= 1 else _side_by_side(jobs, history, count, progress)


def run_short(jobs: Sequence[BacktestJob], history: History) -> list[Outcome]:
    """Outcomes of `fast` jobs that do not repay starting workers, in the order of `jobs`, as many at a time as there are cores:
    each has a process of its own anyway, so that all there is to do here is to wait for it, which threads can."""
    assert _all_fast(jobs), "a certified run's engine is in this process, and no thread speeds it up"
    with ThreadPoolExecutor(workers_for(None, fast=True), thread_name_prefix="short run") as waiting:
        begun = [waiting.submit(_outcome, job, history) for job in jobs]
        try:
            return [each.result() for each in begun]
        except BaseException:
            # Whoever gave up waits for the runs on their way, which are short, and for no others.
            waiting.shutdown(cancel_futures=True)
            raise


def run_apart(jobs: Sequence[BacktestJob], history_descriptor: int) -> Sequence[Outcome]:
    """Each job's outcome, in turn in one process of its own, on the history in a file (see `history_file`): for a caller
    whose environment and threads are somebody else's, such as a cluster's worker."""
    return [outcome for _, outcome in _by_crew(jobs, history_descriptor, 1, None)]


def workers_for(workers: int | None, *, fast: bool) -> int:
    """`workers`, or as many as keep the cores this process may use busy: a `fast` run takes one, a certified run two, its
    strategy's process and its engine's, which look out for each other without pause. Raises UsageError for a number out of
    range.
    """
    if workers is None:
        cores = available_cores()
        return max(1, min(cores if fast else cores // 2, WORKERS_MAX))
    if not 1 <= workers <= WORKERS_MAX:
        raise UsageError(f"{workers} workers are out of range: 1 to {WORKERS_MAX}")
    return workers


def available_cores() -> int:
    """Cores this process may run on: fewer than the machine has where it is confined to some of them."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def workers_worth(jobs: Sequence[BacktestJob], history: History) -> int:
    """How many workers to use where nobody said: what keeps the cores busy if the jobs repay starting them, else one.

    Changes how long `jobs` take and nothing else. Judged by the bars to be run, since no strategy's pace is known before.
    """
    seconds = sum(START_SECONDS + _bars(job, history) / BARS_PER_SECOND for job in jobs)
    return workers_for(None, fast=_all_fast(jobs)) if seconds >= WORTH_SECONDS else 1


def _all_fast(jobs: Sequence[BacktestJob]) -> bool:
    return all(job.fast for job in jobs)


def _bars(job: BacktestJob, history: History) -> int:
    """5-minute bars between start and end, all symbols together."""
    count = 0
    for frame in history.m5.values():
        times = open_ms_of(frame)
        first = 0 if job.start is None else times.searchsorted(to_ms(job.start))
        last = len(times) if job.end is None else times.searchsorted(to_ms(job.end))
        count += max(0, int(last) - int(first))
    return count


def _in_turn(jobs: Sequence[BacktestJob], history: History, progress: JobsProgress | None) -> Outcomes:
    told = _Told(len(jobs), progress)
    for number, job in enumerate(jobs):
        outcome = _outcome(job, history, partial(told.part, number))
        told.finished(number)
        yield number, outcome


def _outcome(job: BacktestJob, history: History, progress: Progress | None = None) -> Outcome:
    try:
        return run_job(job, history, progress)
    except BrainError as error:
        return error


def _side_by_side(
    jobs: Sequence[BacktestJob], history: History, count: int, progress: JobsProgress | None
) -> Outcomes:
    with history_file(history) as descriptor:
        yield from _by_crew(jobs, descriptor, count, progress)


def _by_crew(
    jobs: Sequence[BacktestJob], descriptor: int, count: int, progress: JobsProgress | None
) -> Outcomes:
    told = _Told(len(jobs), progress)
    queued = deque(enumerate(jobs))
    early: dict[int, Outcome] = {}
    following = 0
    with Crew(descriptor, count) as crew:
        while following < len(jobs):
            while queued and crew.has_room:
                number, job = queued.popleft()
                lost = crew.employ(number, job)
                if lost is not None:
                    early[number] = lost
            for number, kind, said in crew.listen():
                if kind == PROGRESS:
                    told.part(number, *said)
                else:
                    early[number] = said
                    told.finished(number)
            while following in early:
                yield following, early.pop(following)
                following += 1


class _Told:
    """What the caller was told: the sum of every job's share."""

    def __init__(self, total: int, progress: JobsProgress | None) -> None:
        self._shares = [0.0] * total
        self._progress = progress

    def part(self, number: int, done: int, total: int) -> None:
        self._tell(number, done / total if total else 0.0)

    def finished(self, number: int) -> None:
        self._tell(number, 1.0)

    def _tell(self, number: int, share: float) -> None:
        self._shares[number] = share
        if self._progress is not None:
            self._progress(sum(self._shares), len(self._shares))
