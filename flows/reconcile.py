"""Make visible what the shell did by itself: a flow run for every scan that none has reported. And let candidates' own runs
go on: those whose trial is due, or about which a person has decided."""

from __future__ import annotations

from prefect import flow
from prefect.artifacts import acreate_table_artifact

from flows.missing import show_scan
from flows.requests import start_requested
from flows.run import FLOW, Moment, deployed, moment, named
from flows.schedule import follow_interval
from flows.tend import tend
from tasks.beat import require_beat
from tasks.scan import find_unreported, mark_reported, read_interval, slot_of

# A run each, some 0.1 s: after a long outage the next run goes on with the rest.
REPORTED_MAX = 200


@flow(
    name="reconcile", flow_run_name=named("reconcile"), **FLOW,
    description="Create the flow runs of scans that no flow had asked for, and resume candidates' runs that are due.",
)
async def reconcile(now: Moment = None) -> int:
    """The number of scans reported. What was shown before a crash is found by its name and not shown twice.

    Raises NotNow when the shell's heartbeat is old: a failed run is what tells of a shell that cannot tell of itself.

    Args:
        now: The time it is for, with a zone, such as 2026-11-22T05:00:00+00:00; empty: when the run was scheduled.
    """
    at = moment(now)
    if deployed():
        require_beat()
    missing = list(await find_unreported(at))[:REPORTED_MAX]
    for row in missing:
        await show_scan(row)
    if missing:
        await mark_reported([slot_of(row) for row in missing], at)
        await acreate_table_artifact(
            table=[{name: str(value) for name, value in scan.items()} for scan in missing], key="unreported-scans",
            description=f"{len(missing)} scans that no flow run had reported",
        )
    if deployed():
        await tend()
        await follow_interval(await read_interval())
        await start_requested(at)
    return len(missing)
