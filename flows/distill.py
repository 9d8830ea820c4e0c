"""Quarterly distillation of the strategy document; this version refuses it."""

from __future__ import annotations

from datetime import datetime

from prefect import flow

from flows.run import FLOW, moment, named
from shell.errors import NotNow


@flow(
    name="distill", flow_run_name=named("distill", "%Y-%m-%d"), **FLOW,
    description="Quarterly distillation of the strategy document. Comes with a later version.",
)
async def distill(now: datetime | None = None) -> None:
    """Raises NotNow, always."""
    raise NotNow(
        f"the quarterly distillation of the strategy document comes with a later version; nothing was done at "
        f"{moment(now):%Y-%m-%d %H:%M} UTC"
    )
