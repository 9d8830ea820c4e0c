"""Scan: ask the shell for one slot. It answers with what is stored when the slot was scanned already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from prefect import task

from shell.clock import from_ms, parse_moment, require_utc, to_ms
from tasks.client import ScanOutcome
from tasks.context import client
from tasks.policy import READ, WRITE

MINUTE_MS = 60_000


def slot_at(now: datetime, minutes: int = 5) -> datetime:
    """The slot a flow run at `now` is for: the first at or after it, because runs start a little early."""
    step = minutes * MINUTE_MS
    return from_ms(-(-to_ms(now) // step) * step)


def answer_rows(outcome: ScanOutcome) -> list[dict[str, Any]]:
    """What became of each signal, as table rows."""
    return [{name: str(value) for name, value in answer.items()} for answer in outcome.answers]


@task(name="scan slot", description="One scan, once per slot.", **WRITE)
async def scan_slot(slot: datetime) -> ScanOutcome:
    return client().scan(slot)


@task(name="find unreported scans", description="Scans no flow run has reported.", **READ)
async def find_unreported(now: datetime) -> Sequence[Mapping[str, Any]]:
    return client().unreported_scans(now)


@task(name="mark scans as reported", description="These scans have a flow run now.", **WRITE)
async def mark_reported(slots: Sequence[datetime], now: datetime) -> None:
    client().mark_reported(slots, now)


@task(name="read the scan interval", description="Minutes between the active strategy's scans.", **READ)
async def read_interval() -> int:
    return client().status().scan_interval_minutes


def slot_of(scan: Mapping[str, Any]) -> datetime:
    """The slot of an unreported scan, which came as a time in process and as text over the socket."""
    slot = scan["slot"]
    return require_utc(slot) if isinstance(slot, datetime) else parse_moment(slot)
