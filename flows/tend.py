"""Candidates after their gate, looked after: each has a run that waits for it, and is resumed when the shell says so.

Called by `reconcile` every quarter of an hour and by the night. Nothing depends on it: a trial that nobody resumed is judged
by the next night, in its own process, and the shell does each step once, whoever asks.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

from prefect import get_run_logger

from flows.approval import answer_for
from flows.candidate_runs import begin_run, is_alive, is_suspended, rested, resume_run, runs_of, was_cancelled
from shell.answers import APPROVED, WAITING
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
    runs = await runs_of([life.candidate_id])
    alive = next((run for run in runs if is_alive(run)), None)
    if alive is None:
        # A person who cancelled it wants none; the night does what is left to do.
        if runs and was_cancelled(runs[0]):
            return None
        begun = await begin_run({"candidate_id": life.candidate_id}, [life.candidate_id], key=_key(life))
        get_run_logger().info(f"{life.candidate_id}, {life.standing.value}, had no run and has {begun.name} now")
        return begun.id if ready else None
    if not ready:
        return None
    if is_suspended(alive):
        answer = answer_for(word == APPROVED) if word else None
        if await resume_run(alive, answer):
            get_run_logger().info(f"{alive.name} goes on")
    return alive.id


def _is_due(life: Life, *, at_once: bool) -> bool:
    return life.due and life.trial is not None and (at_once or life.at - life.trial.due_at >= LEFT_TO_THE_NIGHT)


def _key(life: Life) -> str:
    """One run for one step of a candidate: a run that fails again and again is not begun again and again."""
    step = f"{life.trial.due_at.isoformat()}" if life.trial is not None else life.standing.value
    return f"evolve:{life.candidate_id}:{step}"
