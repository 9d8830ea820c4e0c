"""Flow runs for scans that had none: made afterwards, so that Prefect shows every scan the shell made.

Such a run starts and ends when it is reported; the slot is in its name and message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import FlowFilter, FlowFilterName, FlowRunFilter, FlowRunFilterName
from prefect.states import Completed

from flows.scan import scan
from tasks.scan import slot_of

TAGS = ("trading-brain", "scan", "fallback", "reported later")


async def show_scan(row: Mapping[str, Any]) -> None:
    """Create the run of one scan, unless it is there already."""
    slot = slot_of(row)
    name = f"scan {slot:%Y-%m-%d %H:%M} (by the shell alone)"
    async with get_client() as prefect:
        if await _is_shown(prefect, name):
            return
        run = await prefect.create_flow_run(scan, name=name, tags=TAGS, parameters={"now": slot.isoformat()})
        found = f"slot {slot:%Y-%m-%d %H:%M} UTC: {row.get('signals', 0)} signals"
        told = f"{found}; no flow had asked for it, and the shell scanned it on time"
        await prefect.set_flow_run_state(run.id, Completed(message=told), force=True)


async def _is_shown(prefect: PrefectClient, name: str) -> bool:
    found = await prefect.read_flow_runs(
        flow_filter=FlowFilter(name=FlowFilterName(any_=[scan.name])),
        flow_run_filter=FlowRunFilter(name=FlowRunFilterName(any_=[name])), limit=1,
    )
    return bool(found)
