"""Aggregate: move candles down the tiers and into the archive, in one re-runnable step of the shell's."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from prefect import task

from tasks.context import client
from tasks.policy import WRITE


@task(name="aggregate candles", description="5m to 1h to 1d, the rest into the archive.", **WRITE)
async def aggregate_candles(now: datetime) -> Mapping[str, int]:
    return dict(client().aggregate(now))
