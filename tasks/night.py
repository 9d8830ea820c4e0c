"""One night as values: what is known when it begins, what was decided, and what became of each candidate."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from shell.clock import NEW_YORK, local_day
from shell.trials.candidate import Candidate, Stage
from tasks.client import Budget, Conformance, Promotion, Segment, SegmentName


class Work(StrEnum):
    """Where a candidate of tonight comes from."""

    RESUME = "resume"
    SUBMISSION = "submission"
    SEARCH = "search"


class DecisionKind(StrEnum):
    NO_CHANGE = "no change"
    EVOLVE = "evolve"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkItem:
    """One candidate to take through its life. `candidate_id` is set when it is being resumed."""

    work: Work
    ordinal: int
    candidate_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NightContext:
    """What the decision is made on: plain numbers and names. `segments` is empty and `history_refusal` set when history
    is too short."""

    night: str
    halted: tuple[str, ...]
    provider: str
    candidates_per_night: int
    paper_trials_max: int
    paper_trials: int
    submissions: int
    candidates_tonight: int
    interrupted: tuple[str, ...]
    segments: Mapping[SegmentName, Segment] = field(default_factory=dict)
    history_refusal: str = ""
    rested: int | None = None
    rest_needed: int = 0
    budget: Budget | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    kind: DecisionKind
    reasons: tuple[str, ...]
    items: tuple[WorkItem, ...] = ()
    # What a reader of the night should know besides: grades of earlier predictions, tonight's, warnings, degraded roles.
    remarks: tuple[str, ...] = ()
    # Why no model could be asked tonight, for people; "" when one could, when none was wanted, and when the money is spent.
    unheard: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What became of one paper trial that was due."""

    trial_id: str
    candidate_id: str
    conformance: Conformance
    promotion: Promotion | None
    refusal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateOutcome:
    """Where one `evolve` ended. `candidate_id` is None when nothing worth a counted trial was found."""

    candidate_id: str | None
    verdict: str
    stage: str
    reasons: tuple[str, ...]
    hypothesis: str = ""
    change_class: str = ""
    provider: str = ""
    looks: int = 0
    trial_due_at: datetime | None = None
    checks: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NightRecord:
    """Everything a night's note, report and message are written from."""

    night: str
    at: datetime
    decision: Decision
    settlements: tuple[Settlement, ...]
    outcomes: tuple[CandidateOutcome, ...]
    performance: Mapping[str, Any]
    active_version: str
    aggregated: Mapping[str, int]
    parity: Mapping[str, Any] = field(default_factory=dict)
    costs: str = ""


def night_of(now: datetime) -> str:
    """The night's name: the New York date."""
    return local_day(now, NEW_YORK).isoformat()


def night_seed(seed: int, night: str, ordinal: int) -> int:
    """The seed of one search: the same for the same settings seed, night and place in the night; 31 bits."""
    digest = hashlib.sha256(f"{seed}|{night}|{ordinal}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def stage_inputs(candidate: Candidate, stage: Stage) -> Mapping[str, Any] | None:
    """What `stage` was decided on, or None when the candidate has not been there."""
    for result in candidate.stages:
        if result.stage is stage:
            return result.inputs
    return None


def decision_values(record: NightRecord) -> dict[str, Any]:
    """The night as JSON values, for the ledger of nights."""
    said = {"remarks": list(record.decision.remarks)} if record.decision.remarks else {}
    if record.costs:
        said["costs"] = [record.costs]
    return {
        **said,
        "night": record.night,
        "decision": record.decision.kind.value,
        "reasons": list(record.decision.reasons),
        "incumbent": record.active_version,
        "parity": {name: record.parity[name] for name in ("compared", "reason") if name in record.parity},
        "candidates": [
            {
                "id": outcome.candidate_id, "verdict": outcome.verdict, "stage": outcome.stage,
                "reasons": list(outcome.reasons), "class": outcome.change_class, "provider": outcome.provider,
                "looks": outcome.looks,
            }
            for outcome in record.outcomes
        ],
        "settled": [
            {
                "trial": settlement.trial_id, "candidate": settlement.candidate_id,
                "passed": settlement.conformance.passed, "reasons": list(settlement.conformance.reasons),
                "promoted": settlement.promotion.version if settlement.promotion else None,
                "refusal": settlement.refusal,
            }
            for settlement in record.settlements
        ],
    }
