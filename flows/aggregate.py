"""Candle aggregation by itself; the night does the same as one of its steps."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from prefect import flow

from flows.run import FLOW, moment, named
from tasks.aggregate import aggregate_candles


@flow(
    name="aggregate", flow_run_name=named("aggregate", "%Y-%m-%d"), **FLOW,
    description="Move candles from 5m to 1h to 1d and into the archive; safe to repeat.",
)
async def aggregate(now: datetime | None = None) -> Mapping[str, int]:
    return await aggregate_candles(moment(now))
