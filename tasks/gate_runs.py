"""The gate's dear inputs: further runs of a candidate, each made only when everything that costs less has passed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shell.backtest.biases.probe import run_biases
from shell.backtest.neighbourhood import one_step_neighbours
from shell.errors import BrainError, NotNow, StrategyFault, StrategyRejected
from shell.gate.inputs import BiasFinding, Neighbour, VaultLook
from shell.gate.runs import bias_of, neighbour_of, vault_look_of
from shell.host.faults import attempt_of
from shell.market.history import History, data_hash
from shell.trials.candidate import Candidate, Stage
from tasks.client import Segment, SegmentName, ShellClient
from tasks.night import stage_inputs
from tasks.runs import run, run_all


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """What a look of the gate gave, and what the strategy tried in it that honest code never does, mostly nothing."""

    biases: tuple[BiasFinding, ...] | None = None
    neighbours: tuple[Neighbour, ...] | None = None
    vault: VaultLook | None = None
    attempt: str = ""


def probe_biases(shell: ShellClient, candidate: Candidate, now: datetime) -> Probed:
    """Every probe of `brain biases` over the selection segment. A strategy that breaks is not clean."""
    try:
        segment, history = _selection(shell, candidate, now)
        report = run_biases(
            candidate.proposal.source, history, settings=shell.backtest_settings(), start=segment.start, end=segment.end
        )
    except (NotNow, StrategyRejected, StrategyFault) as refusal:
        found = BiasFinding(check="plain_run", verdict="unknown", sentence=str(refusal))
        return Probed(biases=(found,), attempt=attempt_of(refusal))
    return Probed(biases=tuple(bias_of(finding) for finding in report.findings))


def run_neighbours(shell: ShellClient, candidate: Candidate, now: datetime) -> Probed:
    """Certified runs of the settings one step away, on the selection segment. They are no trials: none can be chosen."""
    steps = one_step_neighbours(candidate.proposal.source)
    if not steps:
        return Probed(neighbours=())
    try:
        segment, history = _selection(shell, candidate, now)
    except NotNow as refusal:
        return Probed(neighbours=tuple(Neighbour(values=each.values, daily_sharpe=None, fault=str(refusal)) for each in steps))
    outcomes = run_all(
        [each.source for each in steps], history, start=segment.start, end=segment.end,
        settings=shell.backtest_settings(), data=data_hash(history),
    )
    found: list[Neighbour] = []
    attempt = ""
    for each, outcome in zip(steps, outcomes, strict=True):
        attempt = attempt or attempt_of(outcome)
        found.append(neighbour_of(each.values, outcome if isinstance(outcome, BrainError) else outcome.figures))
    return Probed(neighbours=tuple(found), attempt=attempt)


def look_into_vault(shell: ShellClient, candidate: Candidate, now: datetime) -> Probed:
    """The one look. One that was already spent, or a run that breaks, is a refusal, never a second look."""
    try:
        history = shell.history(SegmentName.VAULT, candidate.candidate_id, now)
        segment = shell.segments(now)[SegmentName.VAULT]
        figures = run(
            candidate.proposal.source, history, start=segment.start, end=segment.end,
            settings=shell.backtest_settings(), data=data_hash(history),
        ).figures
    except (NotNow, StrategyRejected, StrategyFault) as refusal:
        nothing = VaultLook(total_return_pct=0.0, max_drawdown_pct=0.0, trades=0, days=0, refusal=str(refusal))
        return Probed(vault=nothing, attempt=attempt_of(refusal))
    return Probed(vault=vault_look_of(figures))


def _selection(shell: ShellClient, candidate: Candidate, now: datetime) -> tuple[Segment, History]:
    """The selection segment and its bars. Raises NotNow when they are no longer those the candidate was scored on."""
    history = shell.history(SegmentName.SELECTION, candidate.candidate_id, now)
    scored = stage_inputs(candidate, Stage.BACKTEST)
    if scored is not None and scored["segment"]["data_hash"] != data_hash(history):
        raise NotNow("the selection segment is another one than it was scored on: a quarter has begun, or candles came in")
    return shell.segments(now)[SegmentName.SELECTION], history
