"""The runs of candidates on the Prefect server: one each, found by its tags, begun, resumed, awaited and cancelled.

A run is `evolve`'s deployment's, tagged with the candidate once it has one, and before with the night and its place in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import httpx
from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowRunFilter,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import FlowPauseTimeout, NotPausedError
from prefect.flow_runs import aresume_flow_run
from prefect.states import Cancelling

EVOLVE = "evolve"
DEPLOYMENT = f"{EVOLVE}/{EVOLVE}"
POLL_SECONDS = 3.0
NEWEST = 20


def is_alive(run: FlowRun) -> bool:
    """Whether it goes on, now or when it is resumed."""
    return run.state is not None and not run.state.is_final() and run.state.type is not StateType.CANCELLING


def is_suspended(run: FlowRun) -> bool:
    return run.state is not None and run.state.is_paused()


def was_cancelled(run: FlowRun) -> bool:
    """Whether a person wants no more of it."""
    return run.state is not None and run.state.type in (StateType.CANCELLED, StateType.CANCELLING)


def place_tag(ordinal: int) -> str:
    """What a run is found by before it has a candidate, beside its night."""
    return f"place {ordinal}"


async def runs_of(tags: Sequence[str]) -> list[FlowRun]:
    """Runs of the deployment with all of these tags, the newest first."""
    async with get_client() as prefect:
        return await prefect.read_flow_runs(
            deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=[EVOLVE])),
            flow_run_filter=FlowRunFilter(tags=FlowRunFilterTags(all_=list(tags))),
            sort=FlowRunSort.EXPECTED_START_TIME_DESC, limit=NEWEST,
        )


async def alive_run(tags: Sequence[str]) -> FlowRun | None:
    """The newest of them that goes on."""
    return next((run for run in await runs_of(tags) if is_alive(run)), None)


async def begin_run(parameters: Mapping[str, Any], tags: Sequence[str], key: str | None = None) -> FlowRun:
    """Ask for a run now. Of one `key` there is one run, whatever became of it."""
    async with get_client() as prefect:
        deployment = await prefect.read_deployment_by_name(DEPLOYMENT)
        return await prefect.create_flow_run_from_deployment(
            deployment.id, parameters=dict(parameters), tags=list(tags), idempotency_key=key
        )


async def rested(run_id: UUID) -> FlowRun:
    """The run, once it has ended or suspended itself. A server that is gone for a while is waited for."""
    while True:
        try:
            async with get_client() as prefect:
                run = await prefect.read_flow_run(run_id)
            if not is_alive(run) or is_suspended(run):
                return run
        except httpx.TransportError as error:
            get_run_logger().warning(f"Prefect did not answer while a candidate's run was awaited: {error}")
        await asyncio.sleep(POLL_SECONDS)


async def resume_run(run: FlowRun, answer: Mapping[str, Any] | None = None) -> bool:
    """Let a suspended run go on, with the answer to its form where it asks one. False when somebody else was faster."""
    try:
        await aresume_flow_run(run.id, run_input=dict(answer) if answer else None)
    except (NotPausedError, FlowPauseTimeout) as late:
        get_run_logger().info(f"{run.name} was not resumed: {late}")
        return False
    return True


async def cancel_run(run_id: UUID) -> None:
    """Have the worker end its process."""
    async with get_client() as prefect:
        await prefect.set_flow_run_state(run_id, Cancelling(message="the night's window is over"))
