"""Fees: the schedule in force, fetched and kept by the shell."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from prefect import task

from tasks.context import client
from tasks.policy import READ


# Keeping the same schedule again changes nothing, so this one may be retried like a read.
@task(name="update fees", description="Maker and taker fee of every pair.", **READ)
async def update_fees(now: datetime) -> Mapping[str, Mapping[str, float]]:
    return client().update_fees(now)
