"""Decide what tonight is for: a rule table on numbers. "No change" is the normal answer; a model may only say it more often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

from prefect import task

from shell.errors import DataError, NotNow
from shell.trials.candidate import Candidate, Stage, Verdict
from tasks.advise import advised
from tasks.ai.briefing import truth_shown
from tasks.client import PaperTrial, SegmentName, ShellClient
from tasks.context import client
from tasks.night import Decision, DecisionKind, NightContext, Work, WorkItem, night_of
from tasks.night_inputs import inputs_of
from tasks.paper import is_running
from tasks.policy import WRITE


def gather(shell: ShellClient, now: datetime) -> NightContext:
    """Read what the decision needs."""
    settings = shell.settings()
    night = night_of(now)
    candidates = shell.candidates()
    trials = shell.paper_trials()
    refusal, budget = "", None
    segments = {}
    try:
        segments = dict(shell.segments(now))
        budget = shell.budget(now)
    except (DataError, NotNow) as error:
        refusal = str(error)
    return NightContext(
        night=night,
        halted=tuple(shell.status().halted),
        provider=settings.ai.provider,
        candidates_per_night=settings.orchestrator.candidates_per_night,
        paper_trials_max=settings.orchestrator.paper_trials_max,
        paper_trials=sum(is_running(trial) for trial in trials),
        submissions=len(shell.submissions()),
        candidates_tonight=sum(night_of(candidate.proposed_at) == night for candidate in candidates),
        interrupted=interrupted(candidates, trials),
        segments=segments,
        history_refusal=refusal,
        rested=nights_rested(shell.last_search(), night),
        rest_needed=settings.orchestrator.nights_between_searches,
        budget=budget,
    )


def nights_rested(last_search: datetime | None, night: str) -> int | None:
    """Whole nights between the last search and `night`; None before the first, and while tonight's goes on."""
    if last_search is None or night_of(last_search) == night:
        return None
    return (date.fromisoformat(night) - date.fromisoformat(night_of(last_search))).days - 1


def interrupted(candidates: Sequence[Candidate], trials: Sequence[PaperTrial]) -> tuple[str, ...]:
    """Candidates that neither ended nor began a paper trial: a night was cut short, or the paper slots were taken."""
    on_trial = {trial.candidate_id for trial in trials}
    return tuple(
        candidate.candidate_id for candidate in candidates
        if candidate.verdict is Verdict.PENDING and candidate.stage not in (Stage.PAPER, Stage.PROMOTE)
        and candidate.candidate_id not in on_trial
    )


def decide(context: NightContext) -> Decision:
    """The rule table, first match first. People's submissions go before the search, also while trading is halted."""
    if context.history_refusal:
        return _no_change(context.history_refusal)
    free = context.paper_trials_max - context.paper_trials
    if free <= 0:
        return _no_change(
            f"all {context.paper_trials_max} paper slots are taken: a candidate could not be tried before one is free"
        )
    room = min(free, max(context.candidates_per_night, len(context.interrupted)))
    items = [
        WorkItem(work=Work.RESUME, ordinal=number, candidate_id=candidate_id)
        for number, candidate_id in enumerate(context.interrupted[:room])
    ]
    reasons = [f"{item.candidate_id} was left unfinished and goes on first" for item in items]
    if context.candidates_per_night == 0 and not items:
        return _no_change("candidates_per_night is 0: nothing is sought or scored" + _waiting(context.submissions))
    fresh = min(free - len(items), context.candidates_per_night - context.candidates_tonight)
    submitted = max(min(fresh, context.submissions), 0)
    if submitted:
        items += [WorkItem(work=Work.SUBMISSION, ordinal=context.candidates_tonight + n) for n in range(submitted)]
        reasons.append(f"{_count(context.submissions, 'file')} submitted by a person: {submitted} taken tonight")
    searched = max(fresh - submitted, 0)
    if searched and context.rested is not None and context.rested < context.rest_needed:
        if not items:
            return _no_change(
                f"the search rests for {_count(context.rest_needed, 'night')} after each, this is "
                f"number {context.rested + 1}: a night of new prices decides little, and every trial raises the bar"
            )
        searched = 0
    if searched and context.budget is not None and context.budget.left < searched:
        searched = context.budget.left
        if not searched:
            if not items:
                return _no_change(context.budget.spent_sentence)
            reasons.append(context.budget.spent_sentence)
    if context.halted:
        if not items:
            return _no_change(f"trading is halted ({', '.join(context.halted)}): nothing is sought until it is lifted")
        reasons.append(f"trading is halted ({', '.join(context.halted)}): no search")
        searched = 0
    if searched:
        first = context.candidates_tonight + submitted
        items += [WorkItem(work=Work.SEARCH, ordinal=first + number) for number in range(searched)]
        search = context.segments[SegmentName.SEARCH]
        reasons.append(
            f"{_count(searched, 'candidate')} may be sought: {free} of {context.paper_trials_max} paper slots are free "
            f"and there are {search.days:.0f} days to search on"
        )
        if context.budget is not None:
            reasons.append(context.budget.sentence)
    if not items:
        return _no_change(
            f"tonight's {_count(context.candidates_per_night, 'candidate')} already went as far as they could"
        )
    return Decision(kind=DecisionKind.EVOLVE, reasons=tuple(reasons), items=tuple(items))


@task(name="decide", description="What tonight is for: a rule table, then a model's judgement, if there is one.", **WRITE)
async def decide_night(now: datetime, provider: str = "", seed: int = 0) -> Decision:
    return decide_and_keep(client(), now, provider, seed)


def decide_and_keep(shell: ShellClient, now: datetime, provider: str = "", seed: int = 0) -> Decision:
    """Decide by the rule table, keep what that was decided on before anybody else is asked or anything is done about it, so
    that the night can be run again, and take a model's advice, if there is one."""
    context, decision = decided(shell, now)
    # What a model is told of the account is read once, and kept: while it thinks, trading goes on.
    truth = truth_shown(shell.performance(now))
    inputs = inputs_of(shell, context, decision, now, seed, provider, truth)
    shell.record_night_inputs(context.night, inputs, now)
    return advised(shell, context, decision, now, provider, seed, truth=truth)


def decided(shell: ShellClient, now: datetime) -> tuple[NightContext, Decision]:
    """The rule table's decision and what it was made on. Nothing is sought on candles that are no longer there: segments stand
    for a quarter, and an import or a restored copy may have less."""
    context = gather(shell, now)
    decision = decide(context)
    if any(item.work is Work.SEARCH for item in decision.items):
        try:
            shell.history(SegmentName.SEARCH, None, now)
        except DataError as error:
            context = replace(context, history_refusal=str(error))
            return context, decide(context)
    return context, decision


def _no_change(reason: str) -> Decision:
    return Decision(kind=DecisionKind.NO_CHANGE, reasons=(reason,))


def _waiting(submissions: int) -> str:
    return f"; {_count(submissions, 'submitted file')} waiting" if submissions else ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
