"""What one candidate's night came to, read from the ledger."""

from __future__ import annotations

from shell.trials.candidate import Candidate, Stage, Verdict
from tasks.client import PaperTrial
from tasks.night import CandidateOutcome, stage_inputs


def found_nothing(reason: str, looks: int) -> CandidateOutcome:
    """A search that ended without a candidate: a normal end."""
    return CandidateOutcome(
        candidate_id=None, verdict="none", stage=Stage.GENERATE.value, reasons=(reason,), looks=looks
    )


def outcome_of(
    candidate: Candidate, looks: int, *, trial: PaperTrial | None = None, waiting: str = ""
) -> CandidateOutcome:
    """Where the candidate is now. `trial` is the paper trial it just began, `waiting` why it could not begin one."""
    last = candidate.stages[-1]
    reasons = last.reasons
    stage = last.stage
    if trial is not None and candidate.verdict is Verdict.PENDING:
        stage = Stage.PAPER
        reasons = (f"the gate passed it; paper trial {trial.trial_id} runs until {trial.due_at:%Y-%m-%d %H:%M} UTC",)
    elif waiting:
        reasons = (f"the gate passed it, but no paper trial began: {waiting}",)
    gate = stage_inputs(candidate, Stage.GATE) or {}
    return CandidateOutcome(
        candidate_id=candidate.candidate_id,
        verdict=candidate.verdict.value,
        stage=stage.value, reasons=reasons, hypothesis=candidate.proposal.hypothesis,
        change_class=candidate.change_class.value if candidate.change_class else "",
        provider=candidate.proposal.provider, looks=looks, trial_due_at=trial.due_at if trial else None,
        checks=tuple(gate.get("checks", ())),
    )
