"""Scan: ask the shell for one slot. It answers with what is stored when the slot was scanned already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from prefect import task

from shell.clock import from_ms, to_ms
from shell.market.bars import Tier
from tasks.client import ScanOutcome
from tasks.context import client
from tasks.policy import READ, WRITE


def slot_at(now: datetime) -> datetime:
    """The slot a flow run at `now` is for: the full five minutes at or after it, because runs start a little early."""
    return from_ms(-(-to_ms(now) // Tier.M5.ms) * Tier.M5.ms)


def answer_rows(outcome: ScanOutcome) -> list[dict[str, Any]]:
    """What became of each signal, as table rows."""
    return [{name: str(value) for name, value in answer.items()} for answer in outcome.answers]


@task(name="scan slot", description="One scan, once per slot.", **WRITE)
async def scan_slot(slot: datetime) -> ScanOutcome:
    return client().scan(slot)


@task(name="find unreported scans", description="Scans no flow run has reported.", **READ)
async def find_unreported(now: datetime) -> Sequence[Mapping[str, Any]]:
    return client().unreported_scans(now)
