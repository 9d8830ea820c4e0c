"""A candidate's life after its gate, read from the shell: on trial, waiting for its promotion, or over.

The shell keeps all of it. A run of the conductor asks where the candidate stands, each time it begins, and does the next step;
so a run that was lost, repeated or made twice changes nothing that was done.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from prefect import task

from shell.answers import WAITING
from shell.clock import from_ms, to_ms
from shell.errors import Rejected
from shell.trials.candidate import Candidate, Stage, Verdict
from tasks.client import PaperTrial, ShellClient
from tasks.context import client
from tasks.paper import is_running
from tasks.policy import READ, WRITE

SLOT_MS = 300_000


class Standing(StrEnum):
    MADE = "in the making"
    TRIAL = "on paper"
    PASSED = "waits for its promotion"
    ENDED = "over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """Where a candidate stands at the shell's own time `at`. `trial` is its running trial."""

    candidate_id: str
    standing: Standing
    at: datetime
    trial: PaperTrial | None = None

    @property
    def due(self) -> bool:
        """Whether its trial is to be judged now."""
        return self.trial is not None and self.trial.due_at <= self.at

    @property
    def slot(self) -> datetime:
        """The last whole slot."""
        return from_ms(to_ms(self.at) // SLOT_MS * SLOT_MS)

    @property
    def judged_at(self) -> datetime:
        """The moment a trial that is due is judged for: the last whole slot, whose bars are all there."""
        assert self.trial is not None, "only a trial is judged"
        return max(self.slot, self.trial.due_at)


def life_of(shell: ShellClient, candidate_id: str) -> Life:
    """Where one candidate stands."""
    trials = {trial.candidate_id: trial for trial in shell.paper_trials() if is_running(trial)}
    return _life(shell.candidate(candidate_id), trials.get(candidate_id), shell.status().now)


def lives(shell: ShellClient) -> tuple[Life, ...]:
    """Every candidate that is on trial or waits for its promotion, in the order of their names."""
    trials = {trial.candidate_id: trial for trial in shell.paper_trials() if is_running(trial)}
    now = shell.status().now
    found = [_life(candidate, trials.get(candidate.candidate_id), now) for candidate in shell.candidates()]
    return tuple(life for life in found if life.standing in (Standing.TRIAL, Standing.PASSED))


def _life(candidate: Candidate, trial: PaperTrial | None, now: datetime) -> Life:
    standing = Standing.MADE
    if candidate.verdict is not Verdict.PENDING:
        standing, trial = Standing.ENDED, None
    elif trial is not None:
        standing = Standing.TRIAL
    elif candidate.stage is Stage.PAPER and candidate.stages[-1].passed:
        standing = Standing.PASSED
    return Life(candidate_id=candidate.candidate_id, standing=standing, at=now, trial=trial)


def word_of(shell: ShellClient, candidate_id: str, now: datetime) -> str:
    """What people say of its promotion; they are asked, where they have to be and were not."""
    return shell.approval(candidate_id, now)


def heed(shell: ShellClient, candidate_id: str, approved: bool, by: str, now: datetime) -> str:
    """Hand a person's answer on the form to the shell, unless it knows one; what the shell says in the end."""
    if shell.approval(candidate_id, now) == WAITING:
        shell.decide(candidate_id, approved, by, now)
    said = shell.approval(candidate_id, now)
    if said == WAITING:
        raise Rejected(f"the shell did not take the answer about {candidate_id}")
    return said


@task(name="where the candidate stands", description="On paper, waiting for its promotion, or over.", **READ)
async def read_life(candidate_id: str) -> Life:
    return life_of(client(), candidate_id)


@task(name="find candidates after their gate", description="On paper, or waiting for their promotion.", **READ)
async def find_lives() -> tuple[Life, ...]:
    return lives(client())


@task(name="ask for a person's word", description="Approved, rejected, or still waiting.", **WRITE)
async def ask_word(candidate_id: str, now: datetime) -> str:
    return word_of(client(), candidate_id, now)


@task(name="hand on a person's answer", description="The answer given on the form; the first one counts.", **WRITE)
async def heed_answer(candidate_id: str, approved: bool, by: str, now: datetime) -> str:
    return heed(client(), candidate_id, approved, by, now)
