"""A Dask cluster by one word: the address of its scheduler, or `local:N` for N workers on this machine.

Dask hands Python objects from process to process by pickle and asks nobody who they are: whoever reaches a scheduler's port
runs code on every worker. It belongs on a network of its own, and nothing of trading (keys, books) on its machines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from deployments.null_twin.code import code_hash
from shell.errors import DataError, NotNow, UsageError
from shell.home import find_project

LOCAL = "local:"
LOCAL_WORKERS_MAX = 64
CONNECT_SECONDS_MAX = 20.0
# Tasks a worker is given over a whole run: few enough that starting a process for each costs little, enough to even out.
TASKS_PER_WORKER = 4


@dataclass(frozen=True, slots=True)
class Cluster:
    """A connected client (`distributed.Client`) and how many things its workers do at once."""

    client: Any
    slots: int


@contextmanager
def connected(where: str) -> Iterator[Cluster]:
    """The cluster at `where`, ours to use until the block ends; a local one ends with it.

    Raises UsageError for a word that names none, NotNow when it does not answer or has no workers, DataError when one of its
    workers has other code or another strategy than this project.
    """
    try:
        import distributed  # noqa: F401
    except ModuleNotFoundError:
        raise NotNow("a Dask cluster needs its library: install trading-brain[cluster]") from None
    if where.startswith(LOCAL):
        with _local(_count(where)) as address, _client(address) as client:
            yield _checked(client)
        return
    if "://" not in where and ":" not in where:
        raise UsageError(f"{where!r} names no cluster: tcp://host:8786 (its scheduler's address) or local:2")
    try:
        client = _client(where)
    except (OSError, ValueError) as error:
        raise NotNow(f"no Dask scheduler answers at {where}: {error}") from None
    with client:
        yield _checked(client)


def _client(address: str) -> Any:
    from distributed import Client

    return Client(address, timeout=CONNECT_SECONDS_MAX)  # type: ignore[no-untyped-call]


def tasks_for(count: int, slots: int) -> int:
    """How many jobs one task takes so that `count` jobs make about TASKS_PER_WORKER tasks a worker."""
    return max(1, -(-count // (slots * TASKS_PER_WORKER)))


def _count(where: str) -> int:
    text = where.removeprefix(LOCAL)
    if not text.isdigit() or not 1 <= int(text) <= LOCAL_WORKERS_MAX:
        raise UsageError(f"{where!r}: local:N starts 1 to {LOCAL_WORKERS_MAX} workers on this machine")
    return int(text)


@contextmanager
def _local(count: int) -> Iterator[str]:
    """One thread a worker, on the loopback interface, without Dask's page."""
    import logging

    from distributed import LocalCluster

    with LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=count, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None,
        silence_logs=logging.CRITICAL,
    ) as cluster:
        yield str(cluster.scheduler_address)


def _checked(client: Any) -> Cluster:
    """Same code on every worker, or results could not be the same."""
    threads: Mapping[str, int] = client.nthreads()
    if not threads:
        raise NotNow("the Dask cluster has no workers: start some (`dask worker ADDRESS` in a copy of this project)")
    own = _code()
    others = sorted(worker for worker, theirs in client.run(_code).items() if theirs != own)
    if others:
        raise DataError(
            f"workers of the Dask cluster have other code than this project: {', '.join(others)}; bring the same version there"
        )
    return Cluster(client, sum(threads.values()))


def _code() -> str:
    """Names the code and strategy of the project this process runs in."""
    return code_hash(find_project())
