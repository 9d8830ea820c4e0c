"""One scan of the market: ask the shell for the slot, report what became of its signals."""

from __future__ import annotations

from datetime import datetime

from prefect import flow
from prefect.artifacts import acreate_table_artifact

from flows.run import FLOW, moment, named
from tasks.client import ScanOutcome
from tasks.scan import answer_rows, scan_slot, slot_at


@flow(
    name="scan", flow_run_name=named("scan"), **FLOW,
    description="One scan slot: the strategy looks at the market, risk answers every signal. Once per slot.",
)
async def scan(now: datetime | None = None) -> ScanOutcome:
    """`now` may be a little before the slot; default: when the run was scheduled."""
    outcome = await scan_slot(slot_at(moment(now)))
    if outcome.answers:
        await acreate_table_artifact(
            table=answer_rows(outcome), key="scan-answers",
            description=f"Slot {outcome.slot:%Y-%m-%d %H:%M}: {outcome.signals} signals, {outcome.approved} approved",
        )
    return outcome
