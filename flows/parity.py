"""Comparison of live results with backtests of the same days; this version refuses it."""

from __future__ import annotations

from datetime import datetime

from prefect import flow

from flows.run import FLOW, moment, named
from shell.errors import NotNow


@flow(
    name="parity", flow_run_name=named("parity", "%Y-%m-%d"), **FLOW,
    description="Comparison of live results with backtests of the same days. Comes with a later version.",
)
async def parity(now: datetime | None = None) -> None:
    """Raises NotNow, always."""
    raise NotNow(
        f"the parity check of live results against backtests comes with a later version; nothing was done at "
        f"{moment(now):%Y-%m-%d %H:%M} UTC"
    )
