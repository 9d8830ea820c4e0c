"""One candidate's life as values: a proposal, the stages it passes, and the verdict that ends it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from typing import Any

from shell.host.port import StrategySource

# The provider of a file that a person submitted.
PERSON_PROVIDER = "person"


class ChangeClass(str, Enum):
    """Risk tier of a change, set from the diff and raised, never lowered, by a reviewer."""

    TWEAK = "tweak"
    RESTRUCTURE = "restructure"
    OVERHAUL = "overhaul"

    @property
    def paper_days(self) -> int:
        """Length of the paper trial (design section 6)."""
        return {ChangeClass.TWEAK: 1, ChangeClass.RESTRUCTURE: 2, ChangeClass.OVERHAUL: 7}[self]


class Stage(str, Enum):
    """Where a candidate is, in the order it goes: the last stage it reached, passed or not."""

    GENERATE = "generate"
    REVIEW = "review"
    SANDBOX = "sandbox"
    BACKTEST = "backtest"
    GATE = "gate"
    PAPER = "paper"
    PROMOTE = "promote"


class Verdict(str, Enum):
    PENDING = "pending"
    REFUSED = "refused"
    PROMOTED = "promoted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What any provider (or a person) hands in; nothing after `generate` looks at `provider`."""

    source: StrategySource
    parent_version: str
    hypothesis: str
    provider: str
    seed: int
    parameters: Mapping[str, float | int | str] = field(default_factory=dict)
    prompt_hash: str = ""
    searched: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StageResult:
    """The outcome of one stage: `inputs` is everything it was decided on (JSON values), `reasons` the sentences."""

    stage: Stage
    passed: bool
    reasons: tuple[str, ...]
    inputs: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A row of the append-only ledger with its stages folded in."""

    candidate_id: str
    proposed_at: datetime
    proposal: Proposal
    source_hash: str
    change_class: ChangeClass | None
    stage: Stage
    verdict: Verdict
    reasons: tuple[str, ...]
    stages: tuple[StageResult, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialScore:
    """One scoring of one candidate on one segment: what deflation counts. `sharpe` is per day, not annualised."""

    candidate_id: str
    segment: str
    scored_at: datetime
    data_hash: str
    source_hash: str
    sharpe: float
    daily_returns: tuple[float, ...]
    trades: int
    total_return_pct: float


def blind(candidate: Candidate) -> Candidate:
    """What a proposer may know of an earlier candidate: its source, its search and how its code fared, nothing that was
    measured on selection, in the vault or on paper. The verdict stays; where and why it was reached does not."""
    seen = tuple(result for result in candidate.stages if result.stage in _BEFORE_SELECTION)
    last = seen[-1] if seen else None
    return replace(
        candidate, stages=seen, stage=last.stage if last else Stage.GENERATE, reasons=last.reasons if last else ()
    )


_BEFORE_SELECTION = (Stage.GENERATE, Stage.REVIEW, Stage.SANDBOX)


def source_hash(source: StrategySource) -> str:
    """Sha256 over the code and every skill (D13), 16 hex digits: the identity of a version."""
    digest = hashlib.sha256(source.code.encode())
    for name in sorted(source.skills):
        digest.update(f"\0{name}\0{source.skills[name]}".encode())
    return digest.hexdigest()[:16]
