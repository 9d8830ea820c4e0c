"""What a model adds to the rule table: a judgement whether a night that may search should, and a prediction to be graded.

It can turn a search into no change, never the other way round: what the rules do not allow is not asked about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from shell.config_ai import LOCAL
from shell.errors import BadInput, NotNow
from shell.predictions import Grade, Prediction, grade, measured
from shell.trials.candidate import Candidate, Verdict
from tasks.ai import briefing
from tasks.ai.connect import access_from, connected
from tasks.ai.dialogue import CallFailed
from tasks.ai.model_provider import ModelProvider
from tasks.ai.registry import DECIDE, Providers, asked_for, providers_for
from tasks.ai.replies import NO_CHANGE, Plan
from tasks.ai.sections import Section
from tasks.client import SegmentName, ShellClient
from tasks.night import Decision, DecisionKind, NightContext, Work, night_of


def advised(
    shell: ShellClient, context: NightContext, decision: Decision, now: datetime, asked: str = "", seed: int = 0,
    *, truth: Mapping[str, Any] | None = None, recorded: Providers | None = None,
) -> Decision:
    """The rule table's decision as a model would have it, with what earlier predictions came to.

    `truth` is the account's as of `now`, where it was read already; `recorded` answers in place of a provider.
    """
    remarks = list(graded(shell, now, truth))
    checked = preflight(shell, asked) if recorded is None else Preflight()
    if not any(item.work is Work.SEARCH for item in decision.items):
        return replace(decision, remarks=(*remarks, *checked.remarks), unheard=checked.unheard)
    provider, note = (recorded or providers_for(shell, now, asked, seed))(DECIDE)
    remarks += [note] if note else []
    if not isinstance(provider, ModelProvider):
        return replace(decision, remarks=tuple(remarks), unheard=checked.unheard)
    remarks += checked.remarks
    truth = shell.performance(now) if truth is None else truth
    advice = provider.advise(briefed(shell, context, now, truth))
    if advice.plan is None:
        told = [advice.note] if advice.note else []
        return replace(decision, remarks=(*remarks, *told), unheard=advice.note if advice.unheard else "")
    kept = shell.predict(predicted(shell, advice.plan, now, truth))
    remarks.append(f"predicted: {kept.hypothesis} ({kept.sentence})")
    return with_plan(replace(decision, remarks=tuple(remarks)), advice.plan)


def with_plan(decision: Decision, plan: Plan) -> Decision:
    """The decision with a plan's reason; without its searches when the plan is no change."""
    said = f"{NO_CHANGE if plan.change is None else f'{plan.change.value} asked for'}: {plan.reasoning or plan.hypothesis}"
    if plan.change is not None:
        return replace(decision, reasons=(*decision.reasons, said))
    items = tuple(item for item in decision.items if item.work is not Work.SEARCH)
    kind = DecisionKind.EVOLVE if items else DecisionKind.NO_CHANGE
    return replace(decision, kind=kind, items=items, reasons=(said, *decision.reasons))


def briefed(
    shell: ShellClient, context: NightContext, now: datetime, truth: Mapping[str, Any]
) -> dict[str, Section]:
    """The analyst's sections."""
    segment = context.segments[SegmentName.SEARCH]
    history = shell.history(SegmentName.SEARCH, None, now)
    left = None if context.budget is None else context.budget.left
    return {
        "ground_truth": briefing.ground_truth(truth),
        "predictions": briefing.predictions_made(shell.predictions()),
        "market": briefing.market(briefing.market_figures(history, segment)),
        "strategy": briefing.strategy_code(shell.active_strategy().source),
        "document": briefing.document(shell.document()), "index": briefing.index(shell.strategy_index()),
        "candidates": briefing.candidates_tried(shell.candidates()),
        "constraints": briefing.constraints(shell.settings(), left),
    }


def predicted(shell: ShellClient, plan: Plan, now: datetime, truth: Mapping[str, Any]) -> Prediction:
    """A plan as a prediction that a later night can grade."""
    return Prediction(
        night=night_of(now), kind=plan.kind, version=shell.active_strategy().version, hypothesis=plan.hypothesis,
        metric=plan.metric, refuted_if=plan.refuted_if, bound=plan.bound,
        baseline=measured(truth, plan.metric), made_at=now, due_at=now + timedelta(days=plan.due_days),
    )


def graded(shell: ShellClient, now: datetime, truth: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    """Grade what is due, from the account's own data; a sentence for each."""
    due = [each for each in shell.predictions() if each.grade is Grade.OPEN and each.due_at <= now]
    if not due:
        return ()
    performance = shell.performance(now) if truth is None else truth
    active, candidates = shell.active_strategy().version, shell.candidates()
    sentences = []
    for each in due:
        concerns = each.version == active if each.kind == NO_CHANGE else promoted_in(candidates, each.night)
        verdict, value = grade(each, performance, concerns_what_runs=concerns)
        shell.grade_prediction(each.night, verdict, value, now)
        found = "" if value is None else f"; {each.metric} is {briefing.rounded(value)}"
        sentences.append(f"the prediction of {each.night} {_judged(verdict)}: {each.hypothesis} ({each.sentence}{found})")
    return tuple(sentences)


def promoted_in(candidates: Sequence[Candidate], night: str) -> bool:
    """True when a candidate of that night became the active strategy."""
    return any(each.verdict is Verdict.PROMOTED and night_of(each.proposed_at) == night for each in candidates)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """What a look at the provider showed before anything is asked: `remarks` for the record, and why it is out of reach."""

    remarks: tuple[str, ...] = ()
    unheard: str = ""


def preflight(shell: ShellClient, asked: str) -> Preflight:
    """Whether key and address work, and which models are on their way out; each night, so that a key that ended is known
    before it is needed. It costs nothing. Vertex has no such list, so there only what is not set is found."""
    ai, name = shell.settings().ai, asked_for(shell, asked)
    if name == LOCAL:
        return Preflight()
    try:
        models = connected(ai, name, access_from())
    except (NotNow, BadInput) as refusal:
        return Preflight(unheard=str(refusal))
    try:
        told = [models.lifecycle(each) for each in sorted({ai.analyse_model, ai.generate_model, ai.review_model} - {LOCAL})]
    except CallFailed as failure:
        return Preflight(remarks=(f"the models' lifecycle could not be read: {failure}",), unheard=str(failure))
    return Preflight(remarks=tuple(sentence for sentence in told if sentence))


def _judged(verdict: Grade) -> str:
    return {Grade.HELD: "held", Grade.REFUTED: "was refuted", Grade.MOOT: "is moot, what it was about did not run"}[verdict]
