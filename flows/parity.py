"""Parity: does the main book do what a backtest over the same bars says? Each difference is explained, or an alarm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prefect import flow
from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact

from flows.run import FLOW, Moment, moment, named
from tasks.parity import check_parity, difference_rows


@flow(
    name="parity", flow_run_name=named("parity", "%Y-%m-%d"), **FLOW,
    description="Run what the main book did since the last comparison again, and explain every difference.",
)
async def parity(now: Moment = None) -> Mapping[str, Any]:
    """Compare since the last comparison; the night does it as well, so this one usually has little to do.

    Args:
        now: The time it is for, with a zone, such as 2026-11-22T05:00:00+00:00; empty: when the run was scheduled.
    """
    compared = await check_parity(moment(now))
    if compared["differences"]:
        await acreate_table_artifact(
            table=difference_rows(compared), key="parity-differences", description=str(compared["reason"])
        )
    else:
        await acreate_markdown_artifact(str(compared["reason"]), key="parity", description="Parity")
    return compared
