"""Promote: ask the shell for the swap, once. The shell recomputes the gate's verdict and swaps in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from prefect import task

from shell.answers import REJECTED, WAITING
from shell.errors import Rejected
from shell.promotion.overtaken import overtaken
from shell.trials.candidate import Candidate, Stage, StageResult, Verdict
from tasks.client import Promotion, ShellClient
from tasks.context import client
from tasks.night import stage_inputs
from tasks.policy import READ, WRITE


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
    refusal = overtaken(candidate, active.version, active.hash, shell.candidates())
    if not refusal:
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
