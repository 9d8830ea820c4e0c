"""From the gate to the end, in the candidate's own run: it suspends while nothing is to be done, and asks the shell each time
it begins again where the candidate stands. So it survives every process: what was done is in the shell, not in the run.
"""

from __future__ import annotations

from uuid import UUID, uuid4

from prefect import get_run_logger
from prefect.flow_runs import asuspend_flow_run
from prefect.runtime import flow_run

from flows.answers import keep
from flows.approval import ask_on_the_form
from flows.page import show_page
from flows.run import label
from shell.trials.candidate import Candidate, Verdict
from tasks.client import PaperTrial
from tasks.context import client
from tasks.evolve import Life, Standing, read_life
from tasks.night import CandidateOutcome
from tasks.outcome import outcome_of
from tasks.paper import settle
from tasks.promote import came_to, promote
from tasks.wording import one_line

NAME_TEXT_MAX = 60
# A trial is judged at most twice and a promotion decided once; more steps than these are a fault of ours.
STEPS_MAX = 10


async def see_through(candidate_id: str, looks: int = 0) -> CandidateOutcome:
    """Do what is due for a candidate that passed its gate, and suspend this run while it has to wait."""
    await label(candidate_id, name=named_after(client().candidate(candidate_id)))
    for _ in range(STEPS_MAX):
        life = await read_life(candidate_id)
        if life.standing is Standing.TRIAL and life.trial is not None:
            if not life.due:
                await _rest(life, life.trial, looks)
                continue
            judged = await settle(life.trial, life.judged_at)
            get_run_logger().info(f"paper trial {judged.trial_id}: {'; '.join(judged.reasons)}")
        elif life.standing is Standing.PASSED:
            answer = await promote(candidate_id, life.at)
            if answer.waiting:
                await _tell(life, looks, f"{named_after(client().candidate(candidate_id))}, waits for a person")
                await ask_on_the_form(life)
        else:
            break
    return await _ended(candidate_id, looks)


def named_after(candidate: Candidate) -> str:
    """What a candidate's run is called."""
    return f'evolve {candidate.candidate_id} "{one_line(candidate.proposal.hypothesis, NAME_TEXT_MAX)}"'


async def _rest(life: Life, trial: PaperTrial, looks: int) -> None:
    """Suspend until somebody resumes this run; a key of its own each time, since Prefect suspends once for a key."""
    name = named_after(client().candidate(life.candidate_id))
    await _tell(life, looks, f"{name}, on paper until {trial.due_at:%Y-%m-%d %H:%M}")
    await asuspend_flow_run(key=f"trial-{uuid4().hex}")


async def _tell(life: Life, looks: int, name: str) -> None:
    """Before it suspends: what whoever waits for the run reads, and what the runs page shows."""
    await keep(outcome_of(client().candidate(life.candidate_id), looks, trial=life.trial), UUID(str(flow_run.id)), name)
    await label(life.candidate_id, name=name)
    await show_page(life.candidate_id)


async def _ended(candidate_id: str, looks: int) -> CandidateOutcome:
    candidate = client().candidate(candidate_id)
    outcome = outcome_of(candidate, looks)
    if candidate.verdict is Verdict.PROMOTED:
        done = came_to(client(), candidate, candidate.proposed_at).promotion
        ending = f"active as {done.version}" if done is not None else candidate.verdict.value
    else:
        ending = candidate.verdict.value
    await keep(outcome, UUID(str(flow_run.id)), candidate_id)
    await label(candidate_id, name=f"{named_after(candidate)}, {ending}")
    await show_page(candidate_id)
    return outcome
