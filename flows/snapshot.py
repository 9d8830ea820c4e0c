"""The daily snapshot of performance, at 23:55 local time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prefect import flow

from flows.run import FLOW, Moment, moment, named
from tasks.snapshot import record_snapshot


@flow(
    name="snapshot", flow_run_name=named("snapshot", "%Y-%m-%d"), **FLOW,
    description="Record equity, cash, fees and positions of the day.",
)
async def snapshot(now: Moment = None) -> Mapping[str, Any]:
    return await record_snapshot(moment(now))
