"""A candidate's life without an orchestrator: the same steps in the same order as the `evolve` flow, one after the other.

For runs of thousands of nights on markets nobody trades, where a flow run each would cost more than the night. The order of
the steps after the review stands here once, for the flow as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from shell.trials.candidate import Candidate, Stage, StageResult
from tasks.ai.registry import Providers, providers_for, review_place
from tasks.backtest import backtest_candidate
from tasks.client import ShellClient
from tasks.gate import gate_candidate
from tasks.generate import Generated, Generation
from tasks.night import CandidateOutcome, WorkItem
from tasks.outcome import found_nothing, outcome_of
from tasks.review import review_candidate
from tasks.sandbox import sandbox_candidate

# What comes after the review, in order; each only if the one before passed.
AFTER_REVIEW = (Stage.SANDBOX, Stage.BACKTEST, Stage.GATE)

Step = Callable[[ShellClient, str, datetime, int], StageResult]
# Told what begins: "search", a stage's name, or "" when the candidate's life is over.
Watch = Callable[[str], None]

_STEPS: Mapping[Stage, Step] = {
    Stage.SANDBOX: sandbox_candidate,
    Stage.BACKTEST: lambda shell, name, now, _seed: backtest_candidate(shell, name, now),
    Stage.GATE: lambda shell, name, now, _seed: gate_candidate(shell, name, now),
}


def stage_of(candidate: Candidate, stage: Stage) -> StageResult | None:
    """What the candidate's `stage` came to; None when it has not been there."""
    return next((result for result in candidate.stages if result.stage is stage), None)


def next_stage(candidate: Candidate) -> Stage | None:
    """The stage of `AFTER_REVIEW` to take the candidate through now; None when it was refused, or has passed the gate."""
    before = stage_of(candidate, Stage.REVIEW)
    for stage in AFTER_REVIEW:
        if before is None or not before.passed:
            return None
        before = stage_of(candidate, stage)
        if before is None:
            return stage
    return None


def live(
    shell: ShellClient, item: WorkItem, now: datetime, seed: int, watch: Watch = lambda _doing: None,
    recorded: Providers | None = None,
) -> CandidateOutcome:
    """Take one candidate from its generation to the gate's verdict; no paper trial is begun. `recorded` answers in place of a
    provider."""
    providers = recorded or providers_for(shell, now)
    generation = Generation(shell, item, now, seed, recorded=recorded)
    watch("search")
    made = Generated(candidate_id=item.candidate_id, reason="resumed") if item.candidate_id else generation.generate()
    watch(Stage.REVIEW.value)
    made = _reviewed(shell, generation, made, now, providers)
    name = made.candidate_id
    if name is None:
        watch("")
        return found_nothing(made.reason, made.looks)
    while (stage := next_stage(shell.candidate(name))) is not None:
        watch(stage.value)
        _STEPS[stage](shell, name, now, seed)
    watch("")
    return outcome_of(shell.candidate(name), made.looks)


def _reviewed(
    shell: ShellClient, generation: Generation, made: Generated, now: datetime, providers: Providers
) -> Generated:
    """Review, and take the provider's next proposal while there are objections, at most `revisions_max` times."""
    revisions_left = shell.settings().orchestrator.revisions_max
    while made.candidate_id is not None and stage_of(shell.candidate(made.candidate_id), Stage.REVIEW) is None:
        reader, _ = providers(review_place(made.candidate_id))
        result = review_candidate(shell, made.candidate_id, now, reader)
        if result.passed or not revisions_left:
            break
        revisions_left -= 1
        revised = generation.revise(shell.candidate(made.candidate_id).proposal, result.reasons)
        if revised.candidate_id is None:
            break
        made = revised
    return made
