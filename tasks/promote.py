"""Promote: ask the shell for the swap, once. The shell recomputes the gate's verdict and swaps in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from prefect import task

from shell.answers import REJECTED, WAITING
from shell.errors import Rejected
from shell.promotion.overtaken import overtaken
from shell.trials.candidate import Stage, StageResult, Verdict
from tasks.client import Promotion, ShellClient
from tasks.context import client
from tasks.policy import READ, WRITE


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionAnswer:
    """Either a promotion, or the sentence that refused it."""

    candidate_id: str
    promotion: Promotion | None
    refusal: str = ""


def ready(shell: ShellClient) -> tuple[str, ...]:
    """Candidates that passed their paper trial and wait for the swap: tonight's, and any a crash left behind."""
    return tuple(
        candidate.candidate_id for candidate in shell.candidates()
        if candidate.verdict is Verdict.PENDING and candidate.stage is Stage.PAPER and candidate.stages[-1].passed
    )


def promote_candidate(shell: ShellClient, candidate_id: str, now: datetime) -> PromotionAnswer:
    """Promote, or record why not. Anything but a known no reaches the caller after the shell was told to abort."""
    candidate = shell.candidate(candidate_id)
    active = shell.active_strategy()
    refusal = overtaken(candidate, active.version, active.hash, shell.candidates())
    if not refusal:
        decision = shell.approval(candidate_id, now)
        if decision == WAITING:
            # Nothing is recorded: it is ready again on the next night.
            return PromotionAnswer(candidate_id=candidate_id, promotion=None, refusal="it waits for a person's approval")
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


@task(name="find promotions", description="Candidates that passed their paper trial.", **READ)
async def find_ready() -> tuple[str, ...]:
    return ready(client())


@task(name="promote", description="Swap the active strategy, once and whole.", **WRITE)
async def promote(candidate_id: str, now: datetime) -> PromotionAnswer:
    return promote_candidate(client(), candidate_id, now)
