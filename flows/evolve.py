"""One candidate's life: generate -> review (revise) -> sandbox -> backtest -> gate -> paper trial, or a refusal."""

from __future__ import annotations

from datetime import datetime

from prefect import flow
from prefect.artifacts import acreate_table_artifact

from flows.change import show_change
from flows.run import FLOW, label, moment, named, night_tag
from shell.errors import NotNow
from shell.trials.candidate import Stage
from tasks.backtest import backtest
from tasks.context import client
from tasks.gate import gate
from tasks.generate import Generated, Generation, generate, revise
from tasks.life import next_stage, stage_of
from tasks.night import CandidateOutcome, Work, WorkItem, night_of
from tasks.outcome import found_nothing, outcome_of
from tasks.paper import start_paper
from tasks.review import review
from tasks.sandbox import sandbox
from tasks.wording import check_rows, one_line

NAME_TEXT_MAX = 60


@flow(
    name="evolve", flow_run_name=named("evolve"), **FLOW,
    description="Take one candidate from its generation to a paper trial, or to the stage that refuses it.",
)
async def evolve(
    now: datetime | None = None, work: Work = Work.SEARCH, ordinal: int = 0, candidate_id: str | None = None,
    seed: int = 0, provider: str = "",
) -> CandidateOutcome:
    """`ordinal` tells candidates of one night apart, `candidate_id` resumes one, `seed` is the settings' seed,
    `provider` goes before theirs."""
    at = moment(now)
    item = WorkItem(work=work, ordinal=ordinal, candidate_id=candidate_id)
    generation = Generation(client(), item, at, seed, asked=provider)
    made = Generated(candidate_id=candidate_id, reason="resumed") if candidate_id else await generate(generation)
    made = await _review(generation, made, at, provider)
    if made.candidate_id is None:
        await label(night_tag(night_of(at)), "no candidate")
        return found_nothing(made.reason, made.looks)
    name = made.candidate_id
    proposal = client().candidate(name).proposal
    await label(
        night_tag(night_of(at)), name, proposal.provider, name=f'evolve {name} "{one_line(proposal.hypothesis, NAME_TEXT_MAX)}"'
    )
    await show_change(name)
    await _until_refused(name, at, seed)
    trial = None
    if _passed(name, Stage.GATE):
        try:
            trial = await start_paper(name, at)
        except NotNow as full:
            return outcome_of(client().candidate(name), made.looks, waiting=str(full))
    return outcome_of(client().candidate(name), made.looks, trial=trial)


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
    return made


async def _until_refused(candidate_id: str, at: datetime, seed: int) -> None:
    """The stages after the review, each only if the one before passed, none that is recorded already."""
    while (stage := next_stage(client().candidate(candidate_id))) is not None:
        if stage is Stage.SANDBOX:
            await sandbox(candidate_id, at, seed)
        elif stage is Stage.BACKTEST:
            await backtest(candidate_id, at)
        else:
            verdict = await gate(candidate_id, at)
            await acreate_table_artifact(
                table=check_rows(verdict.inputs["checks"]), key=f"gate-{candidate_id}",
                description=f"{candidate_id}: {'passed' if verdict.passed else 'refused'} by the gate",
            )


def _done(candidate_id: str, stage: Stage) -> bool:
    return stage_of(client().candidate(candidate_id), stage) is not None


def _passed(candidate_id: str, stage: Stage) -> bool:
    result = stage_of(client().candidate(candidate_id), stage)
    return result is not None and result.passed
