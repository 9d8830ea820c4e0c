"""Export: after a night, the trial ledger to Vertex experiments, where a person has asked for it.

The last thing of a night and the only one that nothing depends on: what it cannot do is told, and changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from prefect import task

from shell.config_ai import NIGHTLY, VertexConfig
from shell.errors import BadInput, NotNow
from shell.trials.candidate import Verdict
from tasks.ai.connect import access_from
from tasks.ai.vertex_export import Champion, Exported, Run, champions_of, export, runs_of
from tasks.client import SegmentName, ShellClient
from tasks.context import client
from tasks.night import night_of
from tasks.policy import WRITE
from tasks.promote import came_to

# A ledger of hundreds of trials is some hundred small requests. A night is not held up for longer.
DEADLINE_SECONDS = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cargo:
    """What one night sends, read from the shell before anything is sent."""

    runs: Sequence[Run]
    champions: Sequence[Champion]
    config: VertexConfig


def cargo_of(shell: ShellClient, now: datetime) -> Cargo | None:
    """Everything there is to send; None where the settings do not ask for it each night."""
    config = shell.settings().ai.vertex
    if config.export != NIGHTLY:
        return None
    candidates = shell.candidates()
    answers = [came_to(shell, each, now) for each in candidates if each.verdict is Verdict.PROMOTED]
    promotions = [each.promotion for each in answers if each.promotion is not None]
    return Cargo(
        runs=runs_of(candidates, shell.scores(SegmentName.SELECTION)),
        champions=champions_of(shell.strategy_index(), promotions, config.experiment), config=config,
    )


async def send_cargo(cargo: Cargo, deadline_seconds: float = DEADLINE_SECONDS) -> Exported:
    """Send it from a thread of its own. Raises NotNow or BadInput where it may not, cannot or did not."""
    sending = asyncio.to_thread(export, cargo.runs, cargo.champions, cargo.config, access_from())
    try:
        return await asyncio.wait_for(sending, deadline_seconds)
    except TimeoutError:
        raise NotNow(f"Vertex did not take it within {deadline_seconds:g} s") from None


async def export_night(shell: ShellClient, now: datetime, deadline_seconds: float = DEADLINE_SECONDS) -> str:
    """What came of it in a sentence; "" where it is not asked for. A failure is told to people, and raises nothing."""
    cargo = cargo_of(shell, now)
    if cargo is None:
        return ""
    try:
        done = await send_cargo(cargo, deadline_seconds)
    except (NotNow, BadInput) as failure:
        said = f"The night of {night_of(now)} was not copied to Vertex: {failure}. The next night tries again."
        shell.notify("export", "warning", said, now, f"export {night_of(now)}")
        return said
    return done.sentence


@task(name="export trials", description="The trial ledger to Vertex experiments, if the settings say so.", **WRITE)
async def export_trials(now: datetime) -> str:
    return await export_night(client(), now)
