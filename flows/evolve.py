"""One candidate's life: generate -> review (revise) -> sandbox -> backtest -> gate -> paper trial -> promotion, or a refusal.

As a run of its deployment it is the whole life: it suspends itself during the trial (flows.trial). In a rehearsal, or where no
system is up, it ends as the trial begins, and a later night judges that.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from prefect import flow
from prefect.artifacts import acreate_progress_artifact, acreate_table_artifact, aupdate_progress_artifact
from prefect.client.orchestration import get_client
from prefect.runtime import flow_run
from pydantic_core import to_jsonable_python

from flows.answers import keep
from flows.change import show_change
from flows.page import show_page
from flows.run import FLOW, Moment, deployed, label, moment, named, night_tag
from flows.trial import named_after, see_through
from shell.errors import NotNow
from shell.trials.candidate import Stage
from tasks.backtest import backtest
from tasks.context import client
from tasks.evolve import Standing, read_life
from tasks.gate import gate
from tasks.generate import Generated, Generation, generate, revise
from tasks.life import next_stage, stage_of
from tasks.night import CandidateOutcome, Work, WorkItem, night_of
from tasks.outcome import found_nothing, outcome_of
from tasks.paper import start_paper
from tasks.review import review
from tasks.sandbox import sandbox
from tasks.wording import check_rows

SANDBOXED_PCT, SCORED_PCT, DONE_PCT = 15.0, 45.0, 100.0


@flow(
    name="evolve", flow_run_name=named("evolve"), **FLOW,
    description="Take one candidate from its generation to a paper trial, or to the stage that refuses it.",
)
async def evolve(
    now: Moment = None, work: Work = Work.SEARCH, ordinal: int = 0, candidate_id: str | None = None,
    seed: int = 0, provider: str = "",
) -> CandidateOutcome:
    """One candidate, from its generation or from where it stands.

    Args:
        now: The time it is for, with a zone, such as 2026-11-22T05:00:00+00:00; empty: when the run was scheduled.
        work: Where it comes from: a search, a person's submission, or an earlier night.
        ordinal: Its place in the night, from 0: tells candidates of one night apart.
        candidate_id: Takes this one up where it stands, such as c0014; empty makes a new one.
        seed: What its search derives its own seed from.
        provider: Who proposes: local, anthropic or vertex; empty: the one in the settings.
    """
    at = moment(now)
    if candidate_id is not None and deployed() and (await read_life(candidate_id)).standing is not Standing.MADE:
        return await see_through(candidate_id)
    item = WorkItem(work=work, ordinal=ordinal, candidate_id=candidate_id)
    generation = Generation(client(), item, at, seed, asked=provider)
    made = Generated(candidate_id=candidate_id, reason="resumed") if candidate_id else await generate(generation)
    await _adopt(made, at)
    made = await _review(generation, made, at, provider)
    if made.candidate_id is None:
        await label(night_tag(night_of(at)), "no candidate")
        return await _kept(found_nothing(made.reason, made.looks))
    name = made.candidate_id
    candidate = client().candidate(name)
    await label(night_tag(night_of(at)), name, candidate.proposal.provider, name=named_after(candidate))
    await show_change(name)
    await _until_refused(name, at, seed)
    if not _passed(name, Stage.GATE):
        return await _kept(outcome_of(client().candidate(name), made.looks))
    # A run of its own may have taken an hour to get here: its trial begins with the slot it is now.
    begins = (await read_life(name)).slot if deployed() else at
    try:
        trial = await start_paper(name, begins)
    except NotNow as full:
        return await _kept(outcome_of(client().candidate(name), made.looks, waiting=str(full)))
    return await see_through(name, made.looks) if deployed() else outcome_of(client().candidate(name), made.looks, trial=trial)


async def _adopt(made: Generated, at: datetime) -> None:
    """Let a run that begins again, resumed or retried, go on with its candidate instead of making another one."""
    if made.candidate_id is None or not deployed():
        return
    given = {**flow_run.parameters, "now": at.isoformat(), "candidate_id": made.candidate_id}
    async with get_client() as prefect:
        await prefect.update_flow_run(flow_run.id, parameters=to_jsonable_python(given))
    await label(made.candidate_id)


async def _kept(outcome: CandidateOutcome) -> CandidateOutcome:
    """The outcome, left where the night finds it when this run is one of its own."""
    if deployed():
        await keep(outcome, UUID(str(flow_run.id)), str(flow_run.name))
        if outcome.candidate_id is not None:
            await show_page(outcome.candidate_id)
    return outcome


async def _review(generation: Generation, made: Generated, at: datetime, provider: str) -> Generated:
    """Review, and take the provider's next proposal while there are objections, at most `revisions_max` times.

    Every proposal is a candidate of its own, so that what was refused stays refused in the ledger.
    """
    revisions_left = client().settings().orchestrator.revisions_max
    while made.candidate_id is not None and not _done(made.candidate_id, Stage.REVIEW):
        result = await review(made.candidate_id, at, provider)
        if result.passed or not revisions_left:
            break
        revisions_left -= 1
        revised = await revise(generation, made.candidate_id, result.reasons)
        if revised.candidate_id is None:
            break
        made = revised
        await _adopt(made, at)
    return made


async def _until_refused(candidate_id: str, at: datetime, seed: int) -> None:
    """The stages after the review, each only if the one before passed, none that is recorded already."""
    progress = await acreate_progress_artifact(0.0, key="candidate", description=f"{candidate_id} to its verdict")
    while (stage := next_stage(client().candidate(candidate_id))) is not None:
        if stage is Stage.SANDBOX:
            await sandbox(candidate_id, at, seed)
            await aupdate_progress_artifact(progress, SANDBOXED_PCT)
        elif stage is Stage.BACKTEST:
            await backtest(candidate_id, at)
            await aupdate_progress_artifact(progress, SCORED_PCT)
        else:
            verdict = await gate(candidate_id, at)
            await acreate_table_artifact(
                table=check_rows(verdict.inputs["checks"]), key=f"gate-{candidate_id}",
                description=f"{candidate_id}: {'passed' if verdict.passed else 'refused'} by the gate",
            )
    # Refused early or not: there is no more to come.
    await aupdate_progress_artifact(progress, DONE_PCT)


def _done(candidate_id: str, stage: Stage) -> bool:
    return stage_of(client().candidate(candidate_id), stage) is not None


def _passed(candidate_id: str, stage: Stage) -> bool:
    result = stage_of(client().candidate(candidate_id), stage)
    return result is not None and result.passed
