"""What any provider is: something that judges whether a night is for a change, writes the change, and reads what others wrote.

Every role may be left to the rules that need no provider: a plan or an opinion that is not there changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from shell.config import RiskConfig
from shell.host.port import StrategySource
from shell.trials.candidate import Candidate, Proposal
from tasks.ai.replies import Opinion, Plan
from tasks.ai.sections import Section
from tasks.client import ActiveStrategy

# The share of the search window that a full look covers.
WHOLE = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchScore:
    """One look at the search segment. `value` is what a search maximises; `fault` is set when the strategy broke.

    The rest is behaviour: mean `holding_hours` of a trade, `turnover` a day as a multiple of the account, correlation of the
    daily `returns` with those of holding every symbol.
    """

    value: float
    daily_sharpe: float
    total_return_pct: float
    trades: int
    fault: str = ""
    holding_hours: float = 0.0
    turnover: float = 0.0
    market_correlation: float = 0.0
    returns: tuple[float, ...] = ()


LookMany = Callable[[Sequence[StrategySource], float], Sequence[SearchScore]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalContext:
    """All a provider may see. `look` makes one backtest on the search segment and logs it; `look_many` several that do not
    depend on one another, side by side, on the newest share of the window (`WHOLE`: all of it); `ours` is opened for the same
    in less time, for sources that are all of our own making and of nobody else's, if it is there. `window` names that segment,
    so that a provider knows which earlier looks compare. `evaluations_max` is the night's budget, in looks at the whole
    window. `tried` holds the source hashes that exist already."""

    night: str
    ordinal: int
    seed: int
    active: ActiveStrategy
    candidates: Sequence[Candidate]
    tried: frozenset[str]
    evaluations_max: int
    risk: RiskConfig
    window: str
    look: Callable[[StrategySource], SearchScore]
    look_many: LookMany
    ours: Callable[[], AbstractContextManager[LookMany]] | None = None
    # The market of the search segment in rounded figures, without a date; made when asked for.
    figures: Callable[[], str] = str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """A provider's answer. `evaluations` (JSON values) are kept with the candidate, for later nights to go on from;
    without a proposal `reason` says why there is none."""

    proposal: Proposal | None
    reason: str
    evaluations: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What a night should be for. Without a `plan` the rules stand; `note` is a sentence for the night's record, if any, and
    `unheard` is True when there was no answer to be had."""

    plan: Plan | None = None
    note: str = ""
    unheard: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewCase:
    """What a reviewer sees: two sources and the limits. Not who wrote it, why, or how it did."""

    active: StrategySource
    proposed: StrategySource
    risk: RiskConfig


class Provider(Protocol):
    """`propose` is called once a candidate; `revise` after a review that found faults, with the sentences it found.

    `advise` is given a briefing by section name; `review` one case."""

    name: str

    def advise(self, briefing: Mapping[str, Section]) -> Advice: ...

    def review(self, case: ReviewCase) -> Opinion: ...

    def propose(self, context: ProposalContext) -> Proposed: ...

    def revise(self, context: ProposalContext, refused: Proposal, findings: Sequence[str]) -> Proposed: ...
