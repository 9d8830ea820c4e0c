"""A night's candidate in a run of `evolve`'s deployment: begun, or taken up where it is, and awaited until it rests."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from prefect import get_run_logger
from prefect.client.schemas.objects import FlowRun
from prefect.states import Crashed
from pydantic import TypeAdapter

from flows.answers import kept
from flows.candidate_runs import alive_run, begin_run, cancel_run, is_suspended, place_tag, rested
from flows.run import night_tag
from tasks.context import client
from tasks.night import CandidateOutcome, WorkItem, night_of
from tasks.outcome import found_nothing, outcome_of

_OUTCOME = TypeAdapter(CandidateOutcome)


async def live_apart(item: WorkItem, at: datetime, seed: int, provider: str) -> CandidateOutcome:
    """Where the candidate's run suspended itself or ended. Is this stopped, that run is cancelled; the next night goes on.

    A night that is made again finds the run it began, so that nothing is generated, and paid for, twice.
    """
    tags = [item.candidate_id] if item.candidate_id else [night_tag(night_of(at)), place_tag(item.ordinal)]
    run = await alive_run(tags)
    if run is None or is_suspended(run):
        given = {
            "now": at.isoformat(), "work": item.work.value, "ordinal": item.ordinal, "candidate_id": item.candidate_id,
            "seed": seed, "provider": provider,
        }
        run = await begin_run(given, [night_tag(night_of(at)), place_tag(item.ordinal), *tags])
    get_run_logger().info(f"a candidate of its own run: {run.name}")
    try:
        return await _outcome(await rested(run.id))
    except asyncio.CancelledError:
        await cancel_run(run.id)
        raise


async def _outcome(run: FlowRun) -> CandidateOutcome:
    text = await kept(UUID(str(run.id)))
    if text is not None:
        return _OUTCOME.validate_json(text)
    # It crashed or was cancelled before it could say anything: the ledger knows how far it came.
    state = run.state or Crashed(message="it has no state")
    told = f"its run ended as {(state.name or state.type.value).lower()}: {state.message or 'no reason given'}"
    known = run.parameters.get("candidate_id")
    if not known:
        return found_nothing(told, 0)
    return replace(outcome_of(client().candidate(str(known)), 0), reasons=(told,))
