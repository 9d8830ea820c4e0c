"""Candidates after their gate, looked after: each has a run that waits for it, and is resumed when the shell says so.

Called by `reconcile` every quarter of an hour and by the night. Nothing depends on it: a trial that nobody resumed is judged
by the next night, in its own process, and the shell does each step once, whoever asks.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

from prefect import get_run_logger
from prefect.client.schemas.objects import FlowRun

from flows.approval import answer_for
from flows.candidate_runs import (
    begin_run,
    has_lost_its_process,
    is_alive,
    is_suspended,
    rested,
    resume_run,
    revive_run,
    runs_of,
    was_cancelled,
)
from shell.answers import APPROVED, WAITING
from shell.clock import SystemClock
from tasks.evolve import Life, Standing, ask_word, find_lives

# A trial falls due as a night begins, which judges it first of all: outside of it that long is waited.
LEFT_TO_THE_NIGHT = timedelta(minutes=10)
NIGHT_SECONDS_MAX = 1_200.0


async def tend(*, at_once: bool = False) -> list[UUID]:
    """Resume what is due, and begin runs for candidates that have none; the runs that have something to do now."""
    woken = []
    for life in await find_lives():
        run_id = await _tend(life, at_once=at_once)
        if run_id is not None:
            woken.append(run_id)
    return woken


async def tend_and_wait(seconds: float = NIGHT_SECONDS_MAX) -> None:
    """The night's: everything that is due is resumed now, and awaited for a while."""
    for run_id in await tend(at_once=True):
        try:
            async with asyncio.timeout(seconds):
                await rested(run_id)
        except TimeoutError:
            get_run_logger().warning("a candidate's run did not come to rest: the night judges its trial itself")


async def _tend(life: Life, *, at_once: bool) -> UUID | None:
    word = await ask_word(life.candidate_id, life.at) if life.standing is Standing.PASSED else ""
    ready = _is_due(life, at_once=at_once) or (bool(word) and word != WAITING)
    run = await _run_of(life)
    if run is None:
        return None
    if ready and is_suspended(run):
        answer = answer_for(word == APPROVED) if word else None
        if await resume_run(run, answer):
            get_run_logger().info(f"{run.name} goes on")
    return run.id if ready else None


async def _run_of(life: Life) -> FlowRun | None:
    """The candidate's run that goes on; one that died is begun again, and one that is nowhere is begun. None where it has been
    tried for this step, or where a person cancelled it: the night does what is left to do."""
    runs = await runs_of([life.candidate_id])
    alive = next((run for run in runs if is_alive(run)), None)
    if alive is not None and not has_lost_its_process(alive, SystemClock().now()):
        return alive
    last = alive or next(iter(runs), None)
    if last is None:
        key = f"evolve:{life.candidate_id}:{_step(life)}"
        begun = await begin_run({"candidate_id": life.candidate_id}, [life.candidate_id], key=key)
        get_run_logger().info(f"{life.candidate_id}, {life.standing.value}, had no run and has one now")
        return begun
    if was_cancelled(last) or not await revive_run(last, _step(life)):
        return None
    get_run_logger().info(f"{last.name} had died and begins again")
    return last


def _is_due(life: Life, *, at_once: bool) -> bool:
    return life.due and life.trial is not None and (at_once or life.at - life.trial.due_at >= LEFT_TO_THE_NIGHT)


def _step(life: Life) -> str:
    """What its run is for now: for one step it is begun again once, not again and again."""
    return f"trial until {life.trial.due_at:%Y-%m-%d %H:%M}" if life.trial is not None else life.standing.value
