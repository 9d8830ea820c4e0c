"""Make visible what the shell did by itself: scans that no flow run reported."""

from __future__ import annotations

from datetime import datetime

from prefect import flow
from prefect.artifacts import acreate_table_artifact

from flows.run import FLOW, moment, named
from tasks.scan import find_unreported


@flow(
    name="reconcile", flow_run_name=named("reconcile"), **FLOW,
    description="Report scans that the shell made without being asked by a flow.",
)
async def reconcile(now: datetime | None = None) -> int:
    """The number of scans reported."""
    missing = await find_unreported(moment(now))
    if missing:
        await acreate_table_artifact(
            table=[{name: str(value) for name, value in scan.items()} for scan in missing], key="unreported-scans",
            description=f"{len(missing)} scans that no flow run had reported",
        )
    return len(missing)
