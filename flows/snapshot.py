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
    at = moment(now)
    taken = await record_snapshot(at)
    await show_equity(await read_equity(at))
    return taken
