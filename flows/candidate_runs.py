"""The runs of candidates on the Prefect server: one each, found by its tags, begun, resumed, awaited and cancelled.

A run is `evolve`'s deployment's, tagged with the candidate once it has one, and before with the night and its place in it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from socket import gethostname
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
from prefect.states import Cancelling, Crashed, Scheduled

from shell.clock import SystemClock

EVOLVE = "evolve"
DEPLOYMENT = f"{EVOLVE}/{EVOLVE}"
POLL_SECONDS = 3.0
NEWEST = 20
GONE = "its process is gone"
# A run's process may have been replaced a moment ago, and its number not yet be written down. And of a process that was killed
# Prefect's worker reports the crash twice, the second time after its hooks: begun again in between, the run would crash of it.
YOUNG = timedelta(minutes=2)


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
    now = SystemClock().now()
    return next((run for run in await runs_of(tags) if is_alive(run) and not has_lost_its_process(run, now)), None)


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
                if has_lost_its_process(run, SystemClock().now()):
                    await prefect.set_flow_run_state(run_id, Crashed(message=GONE))
                    continue
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


def has_lost_its_process(run: FlowRun, now: datetime) -> bool:
    """Whether it is said to run, and its process on this machine is gone. Another machine's processes are not known here."""
    host, _, number = (run.infrastructure_pid or "").rpartition(":")
    if run.state is None or run.state.type is not StateType.RUNNING or host != gethostname() or not number.isdigit():
        return False
    if now - run.state.timestamp < YOUNG:
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


async def revive_run(run: FlowRun, step: str) -> bool:
    """Let a run that crashed or failed begin again, once for each `step` of its candidate. False when it has had
    that, or crashed only a moment ago."""
    tag = f"again: {step}"
    if tag in run.tags or run.state is None or SystemClock().now() - run.state.timestamp < YOUNG:
        return False
    async with get_client() as prefect:
        await prefect.update_flow_run(run.id, tags=[*run.tags, tag])
        if is_alive(run):
            # By the rules first, so that its place among the runs at once is given back.
            await prefect.set_flow_run_state(run.id, Crashed(message=GONE))
        await prefect.set_flow_run_state(run.id, Scheduled(message=f"begun again: {step}"), force=True)
    return True


async def cancel_run(run_id: UUID) -> None:
    """Have the worker end its process."""
    async with get_client() as prefect:
        await prefect.set_flow_run_state(run_id, Cancelling(message="the night's window is over"))
