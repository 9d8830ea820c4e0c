"""What every flow needs: the moment it is for, a readable name, and a way to start a run of its own."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, TypeVar

from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext, TaskRunContext
from prefect.runtime import deployment, flow_run

from flows.hooks import keep_answer, tell_of_cancellation, tell_of_crash, tell_of_failure
from shell.clock import SystemClock, require_utc
from shell.errors import UsageError

Answer = TypeVar("Answer")

# Flows keep no results in Prefect: what matters is in the trading database. How a run ended badly is told by the shell.
FLOW: dict[str, Any] = {
    "persist_result": False, "validate_parameters": True, "retries": 0, "on_failure": [tell_of_failure],
    "on_crashed": [tell_of_crash], "on_cancellation": [tell_of_cancellation], "on_completion": [keep_answer],
}

# The parameter every flow has. What its form says of it Prefect takes from the flow's docstring ("Args:"), from nowhere else.
Moment = datetime | None


def moment(now: datetime | None) -> datetime:
    """The moment a run is for: the one given, else when it was scheduled. Raises UsageError for one without a zone."""
    given = now if now is not None else flow_run.scheduled_start_time
    try:
        # A plain datetime: Prefect's own kind, in UTC, loses its zone when a duration is taken from it.
        return datetime.fromisoformat(require_utc(given).isoformat())
    except ValueError as error:
        raise UsageError(f"now: {error}; write it like 2026-11-22T05:00:00+00:00") from None


def deployed() -> bool:
    """Whether this run was made from a deployment, by a schedule or by hand; a rehearsal's were not."""
    running = FlowRunContext.get()
    if running is not None and running.flow_run is not None and running.flow_run.parent_task_run_id is None:
        # Of a run inside no other its own record says it. `deployment.id` would ask the server anew at each call.
        return running.flow_run.deployment_id is not None
    return deployment.id is not None


def begun(at: datetime) -> datetime:
    """When the work really began: now, for a run of a deployment; else `at`, since a rehearsal's time is its own."""
    return SystemClock().now() if deployed() else at


def named(
    kind: str, form: str = "%Y-%m-%d %H:%M", *, at: Callable[[datetime], datetime] | None = None
) -> Callable[[], str]:
    """A run name such as "scan 2026-11-22 14:35", from the run's own parameters; `at` turns their moment into another."""
    shown = at or (lambda moment: moment)

    def name() -> str:
        now = flow_run.parameters.get("now") or flow_run.scheduled_start_time
        given = datetime.fromisoformat(now) if isinstance(now, str) else now
        return f"{kind} {shown(given) if given.tzinfo else given:{form}}"

    return name


async def label(*tags: str, name: str | None = None) -> None:
    """Add tags to the current run, and give it another name once it is known what it is about.

    Added to the run and not put around it: tags around a run reach its tasks, which costs (tasks.policy).
    """
    kept = [*flow_run.tags, *(tag for tag in tags if tag not in flow_run.tags)]
    async with get_client() as prefect:
        await prefect.update_flow_run(flow_run.id, name=name, tags=kept)


def night_tag(night: str) -> str:
    """What a night's runs have in common."""
    return f"night {night}"


async def as_run_of_its_own(start: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
    """Run a flow beside the current one instead of inside it.

    A nested run needs a tracking task in its parent, and on a SQLite server creating that one waits about two seconds
    for a lock that the parent's own task events hold. It also could not outlive its parent.
    """
    context = contextvars.copy_context()
    for running in (FlowRunContext, TaskRunContext):
        context.run(_leave, running)
    return await asyncio.create_task(start(), context=context)


def _leave(running: Any) -> None:
    running.__var__.set(None)
