"""Candle aggregation by itself; the night does the same as one of its steps."""

from __future__ import annotations

from collections.abc import Mapping

from prefect import flow

from flows.run import FLOW, Moment, moment, named
from tasks.aggregate import aggregate_candles


@flow(
    name="aggregate", flow_run_name=named("aggregate", "%Y-%m-%d"), **FLOW,
    description="Move candles from 5m to 1h to 1d and into the archive; safe to repeat.",
)
async def aggregate(now: Moment = None) -> Mapping[str, int]:
    """Move what has closed and what has left its tier.

    Args:
        now: The time it is for, with a zone, such as 2026-11-22T05:00:00+00:00; empty: when the run was scheduled.
    """
    return await aggregate_candles(moment(now))
