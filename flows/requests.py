"""Runs that a person asked the shell for, such as `/orchestrate` in Telegram: the shell notes the wish, a flow does it."""

from __future__ import annotations

from datetime import datetime

from prefect import get_run_logger, task
from prefect.client.orchestration import get_client

from shell.by_hand import REQUESTED_FLOWS
from tasks.context import client
from tasks.policy import WRITE


@task(name="take a request", description="Who asked for a flow by hand, once.", **WRITE)
async def take_request(flow: str, now: datetime) -> str:
    return client().take_request(flow, now)


async def start_requested(now: datetime) -> None:
    """Start a run of the deployment of each flow that somebody asked for."""
    for flow in REQUESTED_FLOWS:
        by = await take_request(flow, now)
        if not by:
            continue
        async with get_client() as prefect:
            deployment = await prefect.read_deployment_by_name(f"{flow}/{flow}")
            run = await prefect.create_flow_run_from_deployment(deployment.id, tags=["by hand", f"asked for by {by}"])
        get_run_logger().info(f"{flow}, asked for by {by}: {run.name}")
