"""The daily fee check."""

from __future__ import annotations

from collections.abc import Mapping

from prefect import flow

from flows.run import FLOW, Moment, moment, named
from tasks.fees import update_fees


@flow(
    name="fees", flow_run_name=named("fees", "%Y-%m-%d"), **FLOW,
    description="Fetch the fee schedule of every pair; the shell uses it from then on.",
)
async def fees(now: Moment = None) -> Mapping[str, Mapping[str, float]]:
    """The fees in force, by pair.

    Args:
        now: The time it is for, with a zone, such as 2026-11-22T05:00:00+00:00; empty: when the run was scheduled.
    """
    return await update_fees(moment(now))
