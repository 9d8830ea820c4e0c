"""Snapshot: the day's performance, recorded by the shell."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from prefect import task

from tasks.context import client
from tasks.policy import READ, WRITE


@task(name="record snapshot", description="Equity, cash, fees and positions of the day.", **WRITE)
async def record_snapshot(now: datetime) -> Mapping[str, Any]:
    return client().snapshot(now)


@task(name="read performance", description="What the active book did so far.", **READ)
async def read_performance(now: datetime) -> Mapping[str, Any]:
    return client().performance(now)
