"""Gate: gather what the stages before stored, run more only when all that costs less passes, and let arithmetic judge."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from prefect import task

from shell.clock import parse_moment
from shell.config import GateConfig
from shell.errors import NotNow
from shell.gate.gather import gathered
from shell.gate.inputs import GateInputs, to_stored
from shell.gate.verdict import judge, worth_a_vault_look, worth_its_neighbours, worth_probing
from shell.trials.candidate import Candidate, Stage, StageResult, TrialScore
from tasks.client import SegmentName, ShellClient
from tasks.context import client
from tasks.gate_runs import Probed, look_into_vault, probe_biases, run_neighbours
from tasks.night import stage_inputs
from tasks.policy import WRITE

# What further runs give the gate, in order, and when each is worth making.
_DEAR: tuple[
    tuple[str, Callable[[GateInputs, GateConfig], bool], Callable[[ShellClient, Candidate, datetime], Probed]], ...
] = (
    ("biases", worth_probing, probe_biases),
    ("neighbours", worth_its_neighbours, run_neighbours),
    ("vault", worth_a_vault_look, look_into_vault),
)


def gate_candidate(shell: ShellClient, candidate_id: str, now: datetime) -> StageResult:
    """Judge, and store the verdict with everything it was decided on."""
    candidate = shell.candidate(candidate_id)
    config = shell.settings().gate
    inputs = gate_inputs(candidate, shell.scores(SegmentName.SELECTION), shell.candidates())
    attempt = ""
    for name, worth_it, make in _DEAR:
        if attempt or not worth_it(inputs, config):
            break
        made = make(shell, candidate, now)
        inputs, attempt = replace(inputs, **{name: getattr(made, name)}), made.attempt
    verdict = judge(inputs, config)
    result = StageResult(
        stage=Stage.GATE, passed=verdict.passed and not attempt, reasons=verdict.reasons,
        inputs={
            **to_stored(inputs, config), "first_failure": verdict.first_failure,
            "checks": [check.as_dict() for check in verdict.checks],
        },
    )
    shell.record_stage(candidate_id, result, now)
    if attempt:
        shell.quarantine(candidate.proposal.source, candidate_id, attempt, now)
    return result


def gate_inputs(
    candidate: Candidate, scores: Sequence[TrialScore], candidates: Iterable[Candidate] = ()
) -> GateInputs:
    """The gate's inputs from stored stages and every trial scored on any of the candidate's days.

    Raises NotNow when a stage or the score is missing, BadInput when an earlier version of this program scored it.
    """
    sandbox, backtest = _stored(candidate, Stage.SANDBOX), _stored(candidate, Stage.BACKTEST)
    return gathered(
        candidate.candidate_id, candidate.proposal.source, sandbox=sandbox, backtest=backtest,
        scores=on_these_days(scores, backtest["segment"], candidates),
    )


def on_these_days(
    scores: Sequence[TrialScore], segment: Mapping[str, Any], candidates: Iterable[Candidate]
) -> list[TrialScore]:
    """The scores whose segment shares a day with this one; a score whose segment is not known is taken to."""
    windows = {
        each.candidate_id: _window(stored["segment"])
        for each in candidates if (stored := stage_inputs(each, Stage.BACKTEST)) and "segment" in stored
    }
    start, end = _window(segment)
    return [
        score for score in scores
        if (window := windows.get(score.candidate_id)) is None or (window[0] < end and start < window[1])
    ]


def _window(segment: Mapping[str, Any]) -> tuple[datetime, datetime]:
    return parse_moment(segment["start"]), parse_moment(segment["end"])


def _stored(candidate: Candidate, stage: Stage) -> Mapping[str, Any]:
    inputs = stage_inputs(candidate, stage)
    if inputs is None:
        raise NotNow(f"{candidate.candidate_id} cannot be judged before its {stage.value} stage")
    return inputs


@task(name="gate", description="Ordered checks; the vault only if all else passes.", **WRITE)
async def gate(candidate_id: str, now: datetime) -> StageResult:
    return gate_candidate(client(), candidate_id, now)
