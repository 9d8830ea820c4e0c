"""One scan of the market: register the slot with the shell, wait for its scan, report what became of its signals.

The shell decides and records, at the slot's own moment, asked or not (D1). This run makes it visible.
"""

from __future__ import annotations

from datetime import timedelta

from prefect import flow, get_run_logger
from prefect.artifacts import acreate_table_artifact

from flows.requests import start_requested
from flows.run import FLOW, Moment, deployed, label, moment, named
from flows.schedule import follow_interval
from shell.slots import FALLBACK
from tasks.client import ScanOutcome
from tasks.scan import answer_rows, mark_reported, read_interval, scan_slot, slot_at

# Above what a client waits for a slot: a shell that never answers must not hold the next slot's run up.
TIMEOUT_SECONDS = 285
NEAR = timedelta(minutes=2)


@flow(
    name="scan", flow_run_name=named("scan", at=slot_at), timeout_seconds=TIMEOUT_SECONDS, **FLOW,
    description="One scan slot: the strategy looks at the market, risk answers every signal. Once per slot.",
)
async def scan(now: Moment = None) -> ScanOutcome | None:
    """One slot's scan. None when the interval has changed and no slot is near: the schedule is moved, and the next run has one.

    Args:
        now: The slot, or a moment a little before it, such as 2026-11-22T14:35:00+00:00; empty: when the run was scheduled.
    """
    at = moment(now)
    slot = slot_at(at)
    if deployed():
        interval = await read_interval()
        slot = slot_at(at, interval)
        if await follow_interval(interval) and slot - at > NEAR:
            get_run_logger().info(f"no slot is near: the next one is {slot:%Y-%m-%d %H:%M} UTC")
            return None
        if slot != slot_at(at):
            await label(name=f"scan {slot:%Y-%m-%d %H:%M}")
    outcome = await scan_slot(slot)
    if outcome.origin == FALLBACK:
        # This run came too late to register, and shows the scan all the same: nobody need report it again.
        await mark_reported([slot], at)
    told = f"{outcome.signals} signals, {outcome.approved} approved"
    get_run_logger().info(f"slot {outcome.slot:%Y-%m-%d %H:%M} UTC, {outcome.origin}: {told}")
    if outcome.answers:
        await acreate_table_artifact(
            table=answer_rows(outcome), key="scan-answers", description=f"Slot {outcome.slot:%Y-%m-%d %H:%M}: {told}",
        )
    if deployed():
        await start_requested(at)
    return outcome
