"""What a night's models cost, in one sentence for the report and the message."""

from __future__ import annotations

from datetime import datetime

from prefect import task

from tasks.client import ShellClient
from tasks.context import client
from tasks.night import night_of
from tasks.policy import READ


def costs_of(shell: ShellClient, now: datetime) -> str:
    """The night's and the month's money; "" for a night without a call."""
    spending = shell.spending(night_of(now))
    return spending.sentence if spending.calls or spending.night_usd else ""


@task(name="read costs", description="What the night's models cost.", **READ)
async def read_costs(now: datetime) -> str:
    return costs_of(client(), now)
