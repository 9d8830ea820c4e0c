"""What happens when a run ends: whoever may have to act is told by the shell's outbox, never by Prefect alone.

Prefect passes these parameters by position in the run's own process and by name from the worker: they must be called exactly
`flow`, `flow_run` and `state`.
"""

from __future__ import annotations

from typing import Any

from prefect.logging import get_logger

from flows.answers import keep
from shell.errors import BrainError
from tasks.context import client

# Runs that somebody waits for (`brain run`): their answer is kept as an artifact, which is the only way out of their process.
AD_HOC = "ad hoc"
MESSAGE_CHARS_MAX = 600


def tell_of_failure(flow: Any, flow_run: Any, state: Any) -> None:
    _tell(flow, flow_run, state, "failed")


def tell_of_crash(flow: Any, flow_run: Any, state: Any) -> None:
    _tell(flow, flow_run, state, "crashed")


def tell_of_cancellation(flow: Any, flow_run: Any, state: Any) -> None:
    _tell(flow, flow_run, state, "was cancelled")


async def keep_answer(flow: Any, flow_run: Any, state: Any) -> None:
    """Keep what an ad hoc run returned as JSON in an artifact."""
    if AD_HOC not in flow_run.tags:
        return
    await keep(await state.aresult(raise_on_failure=False), flow_run.id, flow_run.name)


def _tell(flow: Any, flow_run: Any, state: Any, ended: str) -> None:
    """Put it into the outbox. A shell that cannot be reached has told of its own end, and the run shows the failure."""
    message = " ".join(str(state.message or "no reason given").split())[:MESSAGE_CHARS_MAX]
    try:
        shell = client()
        now = shell.status().now
        # A flow that fails in every run, such as the scans', is one message a day and not one every five minutes.
        key = f"flow:{flow.name}:{ended}:{now:%Y-%m-%d}"
        shell.notify("flow", "warning", f"{flow_run.name} {ended}: {message}", now, key=key)
    except BrainError as error:
        get_logger("flows").warning("the shell was not told that %s %s: %s", flow_run.name, ended, error)
