"""Paper: start a candidate's trial, and settle trials that are due. A trial proves conformance, not skill."""

from __future__ import annotations

from datetime import datetime

from prefect import task

from shell.promotion.conformance import paper_stage
from tasks.client import Conformance, PaperTrial, ShellClient
from tasks.context import client
from tasks.policy import READ, WRITE

RUNNING = frozenset({"running", "extended"})


def is_running(trial: PaperTrial) -> bool:
    return trial.state in RUNNING


def start_trial(shell: ShellClient, candidate_id: str, now: datetime) -> PaperTrial:
    """Start a trial; the shell says how long it lasts. Raises NotNow when every slot is taken."""
    return shell.start_paper(candidate_id, now)


def due_trials(shell: ShellClient, now: datetime) -> tuple[PaperTrial, ...]:
    """Running trials whose time is up, in the order they started."""
    due = [trial for trial in shell.paper_trials() if is_running(trial) and trial.due_at <= now]
    return tuple(sorted(due, key=lambda trial: (trial.started_at, trial.trial_id)))


def settle_trial(shell: ShellClient, trial: PaperTrial, now: datetime) -> Conformance:
    """Judge one trial and store the PAPER stage, unless it was extended."""
    conformance = shell.settle_paper(trial.trial_id, now)
    if conformance.passed or conformance.extended_until is None:
        shell.record_stage(trial.candidate_id, paper_stage(conformance), now)
    return conformance


@task(name="start paper trial", description="A host and a ledger of its own beside the active strategy.", **WRITE)
async def start_paper(candidate_id: str, now: datetime) -> PaperTrial:
    return start_trial(client(), candidate_id, now)


@task(name="find due paper trials", description="Trials whose time is up.", **READ)
async def find_due(now: datetime) -> tuple[PaperTrial, ...]:
    return due_trials(client(), now)


@task(name="find trials to tell of", description="Trials that ended and that no night has told of.", **READ)
async def find_untold(night: str) -> tuple[PaperTrial, ...]:
    return tuple(client().untold_trials(night))


@task(name="settle paper trial", description="Did paper do what the backtest said?", **WRITE)
async def settle(trial: PaperTrial, now: datetime) -> Conformance:
    return settle_trial(client(), trial, now)
