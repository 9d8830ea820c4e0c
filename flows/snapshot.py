"""The daily snapshot of performance, at 23:55 local time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prefect import flow

from flows.picture import show_equity
from flows.run import FLOW, Moment, moment, named
from tasks.snapshot import read_equity, record_snapshot


@flow(
    name="snapshot", flow_run_name=named("snapshot", "%Y-%m-%d"), **FLOW,
    description="Record equity, cash, fees and positions of the day.",
)
async def snapshot(now: Moment = None) -> Mapping[str, Any]:
    """The day as recorded.

    Args:
        now: The time it is for, with a zone, such as 2026-11-22T05:00:00+00:00; empty: when the run was scheduled.
    """
    at = moment(now)
    taken = await record_snapshot(at)
    await show_equity(await read_equity(at))
    return taken
