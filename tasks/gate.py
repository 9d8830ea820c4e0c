"""Gate: gather what the stages before stored, look into the vault only if all else passes, and let arithmetic judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from prefect import task

from shell.errors import NotNow, StrategyFault, StrategyRejected
from shell.gate.inputs import GateInputs, Rival, RunFigures, VaultLook, to_stored
from shell.gate.verdict import judge, worth_a_vault_look
from shell.host.faults import attempt_of
from shell.trials.candidate import Candidate, Stage, StageResult, TrialScore
from tasks.client import SegmentName, ShellClient
from tasks.context import client
from tasks.night import stage_inputs
from tasks.policy import WRITE
from tasks.runs import data_hash, run


def gate_candidate(shell: ShellClient, candidate_id: str, now: datetime) -> StageResult:
    """Judge, and store the verdict with everything it was decided on."""
    candidate = shell.candidate(candidate_id)
    config = shell.settings().gate
    inputs = gate_inputs(candidate, shell.scores(SegmentName.SELECTION))
    attempt = ""
    if worth_a_vault_look(inputs, config):
        look, attempt = look_into_vault(shell, candidate, now)
        inputs = replace(inputs, vault=look)
    verdict = judge(inputs, config)
    result = StageResult(
        stage=Stage.GATE, passed=verdict.passed, reasons=verdict.reasons,
        inputs={
            **to_stored(inputs, config), "first_failure": verdict.first_failure,
            "checks": [check.as_dict() for check in verdict.checks],
        },
    )
    shell.record_stage(candidate_id, result, now)
    if attempt:
        shell.quarantine(candidate.proposal.source, candidate_id, attempt, now)
    return result


def gate_inputs(candidate: Candidate, scores: Sequence[TrialScore]) -> GateInputs:
    """The gate's inputs from stored stages and every trial ever scored."""
    sandbox, backtest = _stored(candidate, Stage.SANDBOX), _stored(candidate, Stage.BACKTEST)
    under_stress = backtest["stressed"]
    return GateInputs(
        deterministic=sandbox["verdict"] == "passed",
        answers_hash=str(sandbox["answers_hash"]),
        run=RunFigures(**backtest["figures"]),
        stressed_return_pct=under_stress["metrics"]["total_return_pct"] if under_stress else None,
        trial_sharpes=distinct_trials(scores),
        incumbent=Rival(**backtest["incumbent"]),
        buy_and_hold=Rival(**backtest["buy_and_hold"]),
    )


def distinct_trials(scores: Sequence[TrialScore]) -> tuple[float, ...]:
    """One daily Sharpe ratio a distinct source and data, in the order scored: the same source scored again on the same
    candles is no new trial; on other candles it is."""
    found: dict[tuple[str, str], float] = {}
    for score in scores:
        found.setdefault((score.source_hash, score.data_hash), score.sharpe)
    return tuple(found.values())


def look_into_vault(shell: ShellClient, candidate: Candidate, now: datetime) -> tuple[VaultLook, str]:
    """The one look, and what the strategy tried in it that honest code never does, mostly nothing. A look that was already
    spent, or a run that breaks, is a refusal, never a second look."""
    try:
        history = shell.history(SegmentName.VAULT, candidate.candidate_id, now)
        segment = shell.segments(now)[SegmentName.VAULT]
        figures = run(
            candidate.proposal.source, history, start=segment.start, end=segment.end,
            settings=shell.backtest_settings(), data=data_hash(history),
        ).figures
    except (NotNow, StrategyRejected, StrategyFault) as refusal:
        nothing = VaultLook(total_return_pct=0.0, max_drawdown_pct=0.0, trades=0, days=0, refusal=str(refusal))
        return nothing, attempt_of(refusal)
    look = VaultLook(
        total_return_pct=figures.total_return_pct, max_drawdown_pct=figures.max_drawdown_pct, trades=figures.trades,
        days=figures.days,
    )
    return look, ""


def _stored(candidate: Candidate, stage: Stage) -> Mapping[str, Any]:
    inputs = stage_inputs(candidate, stage)
    if inputs is None:
        raise NotNow(f"{candidate.candidate_id} cannot be judged before its {stage.value} stage")
    return inputs


@task(name="gate", description="Ordered checks; the vault only if all else passes.", **WRITE)
async def gate(candidate_id: str, now: datetime) -> StageResult:
    return gate_candidate(client(), candidate_id, now)
