"""Snapshot: the day's performance, recorded by the shell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from prefect import task

from tasks.context import client
from tasks.policy import READ, WRITE

PICTURE_DAYS = timedelta(days=30)


@task(name="record snapshot", description="Equity, cash, fees and positions of the day.", **WRITE)
async def record_snapshot(now: datetime) -> Mapping[str, Any]:
    return client().snapshot(now)


@task(name="read the equity", description="The last days' equity, for a picture.", **READ)
async def read_equity(now: datetime) -> Sequence[tuple[datetime, float]]:
    return [(each.at, each.value) for each in client().equity(now - PICTURE_DAYS)]


@task(name="read performance", description="What the active book did so far.", **READ)
async def read_performance(now: datetime) -> Mapping[str, Any]:
    return client().performance(now)
