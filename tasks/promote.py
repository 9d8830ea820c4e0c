"""Promote: have the shell make the evidence again, then ask it for the swap, once. It swaps in one transaction."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime

from prefect import task

from shell.answers import REJECTED, WAITING, RerunState
from shell.clock import monotonic
from shell.errors import NotNow, Rejected, Transient
from shell.promotion.overtaken import overtaken
from shell.trials.candidate import Candidate, Stage, StageResult, Verdict
from tasks.client import Promotion, ShellClient
from tasks.context import client
from tasks.night import stage_inputs
from tasks.policy import READ, WRITE

# A rerun takes about as long as the gate did; the shell itself gives one up sooner than this.
RERUN_SECONDS_MAX = 4 * 3600.0
ASK_AGAIN_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionAnswer:
    """Either a promotion, or the sentence that refused it, or why it is `waiting`."""

    candidate_id: str
    promotion: Promotion | None
    refusal: str = ""
    waiting: bool = False


def ready(shell: ShellClient) -> tuple[str, ...]:
    """Candidates that passed their paper trial and wait for the swap: tonight's, and any a crash left behind."""
    return tuple(
        candidate.candidate_id for candidate in shell.candidates()
        if candidate.verdict is Verdict.PENDING and candidate.stage is Stage.PAPER and candidate.stages[-1].passed
    )


def promote_candidate(shell: ShellClient, candidate_id: str, now: datetime) -> PromotionAnswer:
    """Promote, or record why not. Anything but a known no reaches the caller after the shell was told to abort.

    Of a candidate whose life is over already the answer is what it came to: whoever was first has done it.
    """
    candidate = shell.candidate(candidate_id)
    if candidate.verdict is not Verdict.PENDING:
        return came_to(shell, candidate, now)
    active = shell.active_strategy()
    refusal = overtaken(candidate, active.version, active.hash, shell.candidates()) or see_run_again(shell, candidate_id, now)
    if not refusal:
        # Nobody is asked about a candidate whose evidence did not come out again.
        decision = shell.approval(candidate_id, now)
        if decision == WAITING:
            # Nothing is recorded: it is ready again on the next night.
            told = "it waits for a person's approval"
            return PromotionAnswer(candidate_id=candidate_id, promotion=None, refusal=told, waiting=True)
        refusal = "a person rejected it" if decision == REJECTED else ""
    if not refusal:
        try:
            return PromotionAnswer(candidate_id=candidate_id, promotion=shell.promote(candidate_id, now))
        except Rejected as error:
            refusal = str(error)
        except BaseException:
            shell.abort_promotion(candidate_id, now)
            raise
        shell.abort_promotion(candidate_id, now)
    shell.record_stage(
        candidate_id, StageResult(stage=Stage.PROMOTE, passed=False, reasons=(refusal,), inputs={}), now
    )
    return PromotionAnswer(candidate_id=candidate_id, promotion=None, refusal=refusal)


def see_run_again(shell: ShellClient, candidate_id: str, now: datetime) -> str:
    """Wait until the shell has made the evidence again; "" when it came out as reported, else why it refuses.

    Raises Transient when that takes too long, and what kept the shell from running it: nothing is decided then.
    """
    until = monotonic() + RERUN_SECONDS_MAX
    while True:
        try:
            again = shell.run_again(candidate_id, now)
        except NotNow:
            # The shell cannot say now: that is no verdict.
            raise
        except Rejected as refusal:
            return str(refusal)
        if again.state is not RerunState.RUNNING:
            return again.sentence if again.state is RerunState.REFUSED else ""
        if monotonic() >= until:
            hours = RERUN_SECONDS_MAX / 3600
            raise Transient(f"the shell has not run the evidence of {candidate_id} again within {hours:.0f} h")
        time.sleep(ASK_AGAIN_SECONDS)


def came_to(shell: ShellClient, candidate: Candidate, now: datetime) -> PromotionAnswer:
    """What the ledger says of a promotion that was decided before."""
    told = stage_inputs(candidate, Stage.PROMOTE)
    if candidate.verdict is not Verdict.PROMOTED or told is None:
        refusal = "; ".join(candidate.reasons)
        return PromotionAnswer(candidate_id=candidate.candidate_id, promotion=None, refusal=refusal)
    row = [each for each in shell.strategy_index() if each.hash == candidate.source_hash][-1]
    promotion = Promotion(
        candidate_id=candidate.candidate_id, version=row.version, previous=str(told.get("previous", row.parent)),
        hash=row.hash, at=row.promoted_at or now,
    )
    return PromotionAnswer(candidate_id=candidate.candidate_id, promotion=promotion)


@task(name="find promotions", description="Candidates that passed their paper trial.", **READ)
async def find_ready() -> tuple[str, ...]:
    return ready(client())


@task(name="promote", description="Swap the active strategy, once and whole.", **WRITE)
async def promote(candidate_id: str, now: datetime) -> PromotionAnswer:
    return promote_candidate(client(), candidate_id, now)
