"""Backtest on the selection segment, at plain and stressed costs, beside the incumbent: a counted trial."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from prefect import task

from shell.errors import BrainError, NotNow, StrategyFault, StrategyRejected
from shell.gate.inputs import Rival
from shell.gate.runs import buy_and_hold, idle_rival, stressed
from shell.host.faults import attempt_of
from shell.market.history import History, data_hash
from shell.trials.candidate import Candidate, Stage, StageResult, TrialScore
from tasks.client import SegmentName, ShellClient
from tasks.context import client
from tasks.policy import WRITE
from tasks.runs import RunSummary, run, run_all


def backtest_candidate(shell: ShellClient, candidate_id: str, now: datetime) -> StageResult:
    """Score the candidate, store the score as a trial, and store the stage. The gate judges; this stage only fails when
    the strategy could not be run to the end, or the quarter's search budget is spent and nothing is run at all."""
    candidate = shell.candidate(candidate_id)
    attempt = ""
    try:
        history = shell.history(SegmentName.SELECTION, candidate_id, now)
    except NotNow as spent:
        result = StageResult(stage=Stage.BACKTEST, passed=False, reasons=(str(spent),), inputs={"budget": str(spent)})
        shell.record_stage(candidate_id, result, now)
        return result
    try:
        result = _score(shell, candidate, history, now)
    except (StrategyRejected, StrategyFault) as fault:
        attempt = attempt_of(fault)
        result = StageResult(stage=Stage.BACKTEST, passed=False, reasons=(str(fault),), inputs={"fault": str(fault)})
    shell.record_stage(candidate_id, result, now)
    if attempt:
        shell.quarantine(candidate.proposal.source, candidate_id, attempt, now)
    return result


def _score(shell: ShellClient, candidate: Candidate, history: History, now: datetime) -> StageResult:
    segment = shell.segments(now)[SegmentName.SELECTION]
    settings, gate = shell.backtest_settings(), shell.settings().gate
    data = data_hash(history)
    window: dict[str, Any] = {"start": segment.start, "end": segment.end, "data": data}
    active = shell.active_strategy()
    own, beside = run_all([candidate.proposal.source, active.source], history, settings=settings, **window)
    if attempt_of(beside):
        shell.quarantine(active.source, active.version, attempt_of(beside), now)
    if isinstance(own, BrainError):
        raise own
    shell.record_score(
        TrialScore(
            candidate_id=candidate.candidate_id, segment=SegmentName.SELECTION.value, scored_at=now, data_hash=data,
            source_hash=candidate.source_hash, sharpe=own.figures.daily_sharpe, daily_returns=own.daily_returns,
            trades=own.figures.trades, total_return_pct=own.figures.total_return_pct,
        )
    )
    under_stress: RunSummary | None = None
    if own.figures.trades >= gate.min_trades and own.figures.total_return_pct > 0:
        under_stress = run(
            candidate.proposal.source, history, settings=stressed(settings, gate.cost_stress), **window
        )
    incumbent, incumbent_fault = _incumbent(active.version, beside, len(own.daily_returns))
    hold = buy_and_hold(history, segment.start, segment.end, settings)
    return StageResult(
        stage=Stage.BACKTEST, passed=True, reasons=(_sentence(own, incumbent, hold),),
        inputs={
            "segment": {"start": segment.start.isoformat(), "end": segment.end.isoformat(), "data_hash": data,
                        "source": history.source, "real": history.real},
            "run": own.as_dict(), "figures": asdict(own.figures),
            "stressed": under_stress.as_dict() if under_stress else None,
            "incumbent": asdict(incumbent), "incumbent_fault": incumbent_fault, "buy_and_hold": asdict(hold),
        },
    )


def _incumbent(version: str, outcome: RunSummary | BrainError, days: int) -> tuple[Rival, str]:
    """The active strategy on the same segment; one that breaks there counts as holding nothing for its `days`."""
    if isinstance(outcome, StrategyRejected | StrategyFault):
        return idle_rival(version, days), str(outcome)
    if isinstance(outcome, BrainError):
        raise outcome
    figures = outcome.figures
    return Rival(
        name=version, total_return_pct=figures.total_return_pct, daily_sharpe=figures.daily_sharpe,
        daily_returns=outcome.daily_returns,
    ), ""


def _sentence(own: RunSummary, incumbent: Rival, hold: Rival) -> str:
    figures = own.figures
    return (
        f"{figures.total_return_pct * 100:.2f} % in {figures.trades} trades over {figures.days} days, daily Sharpe "
        f"{figures.daily_sharpe:.3f} ({incumbent.name} {incumbent.daily_sharpe:.3f}, buying and holding "
        f"{hold.daily_sharpe:.3f})"
    )


@task(name="backtest", description="Score on the selection segment: a counted trial.", **WRITE)
async def backtest(candidate_id: str, now: datetime) -> StageResult:
    return backtest_candidate(client(), candidate_id, now)
