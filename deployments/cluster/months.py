"""A null test's months on a Dask cluster: what a local crew of processes says, in the same words."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Mapping, Sequence
from typing import Any

from deployments.cluster.connection import Cluster
from deployments.null_twin.crew import MonthCrew
from deployments.null_twin.worker import NIGHT
from shell.errors import Transient
from shell.home import find_project

# A month and what was said of it.
Months = Generator[tuple[int, Mapping[str, Any]], None, None]


def months_on(cluster: Cluster, values: Mapping[str, Any], months: Sequence[int]) -> Months:
    """Each month's result or refusal as soon as it is over, as `MonthCrew.live_through` gives them; nights are not told.

    `values` is what a crew is told once; a folder of real prices named in it must be there on every machine. Raises Transient
    when every worker that tried a month was lost.
    """
    from distributed import as_completed
    from distributed.scheduler import KilledWorker

    asked = {name: value for name, value in values.items() if name != "scratch"}
    futures = {cluster.client.submit(month_there, asked, month, pure=False): month for month in months}
    try:
        for future in as_completed(list(futures)):  # type: ignore[no-untyped-call]
            try:
                yield futures[future], future.result()
            except KilledWorker as error:
                raise Transient(f"the cluster lost every worker that lived through a month: {error}") from None
    finally:
        cluster.client.cancel(list(futures))


def month_there(values: Mapping[str, Any], month: int) -> Mapping[str, Any]:
    """On a worker: one month in a fresh process, in a folder of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="null-test-") as scratch,
        MonthCrew({**values, "scratch": scratch}, find_project(), 1) as crew,
    ):
        for _, said in crew.live_through([month]):
            if NIGHT not in said:
                return said
    raise Transient(f"month {month} ended without a word")
