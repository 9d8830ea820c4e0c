"""The worth-it meter: what each provider tried, what came through, what that earned since, and what it cost. Pure.

A model earns its cost only if what it proposes comes through more often per trial than what costs nothing. Shares are of
counted trials, with the exact interval that holds the true share (Clopper and Pearson); with a handful of trials it is wide,
and then nobody knows yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from shell.backtest.proportion import clopper_pearson
from shell.money import NO_MONEY, QuoteAmount
from shell.portfolio.ledger import TradeClosed
from shell.trials.candidate import Candidate, Stage, TrialScore
from shell.trials.segments import SegmentName

# The arms that are compared, in this order, whether they were run or not; others follow by name.
ARMS = ("local", "anthropic", "vertex", "random")


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """One provider. `trials` are distinct programs scored on selection; `passed` came through the gate, `survived` the vault
    alone or with it; intervals are None without a trial. `pnl` is the net result of its versions' closed trades since."""

    provider: str
    proposed: int
    trials: int
    passed: int
    passed_interval: tuple[float, float] | None
    survived: int
    survived_interval: tuple[float, float] | None
    promoted: int
    pnl: QuoteAmount
    trades: int
    usd: Decimal

    @property
    def sentence(self) -> str:
        """The provider in a sentence."""
        if not self.proposed and not self.usd:
            return f"{self.provider} proposed nothing here"
        through = "no trial yet"
        if self.passed_interval is not None:
            low, high = self.passed_interval
            through = f"{self.passed} of {self.trials} trials passed the gate (true share {low:.0%} to {high:.0%})"
        cost = f"${self.usd:.2f}" if self.usd else "nothing"
        return f"{self.provider}: {through}, {self.promoted} promoted, {self.pnl} since in {self.trades} trades, cost {cost}"

    def as_dict(self) -> dict[str, object]:
        """JSON values."""
        return {
            "provider": self.provider, "proposed": self.proposed, "trials": self.trials, "passed": self.passed,
            "passed_interval": self.passed_interval, "survived": self.survived, "survived_interval": self.survived_interval,
            "promoted": self.promoted, "pnl": str(self.pnl), "trades": self.trades, "usd": str(self.usd),
        }


def worth_of(
    candidates: Sequence[Candidate], scores: Iterable[TrialScore], trades: Iterable[TradeClosed],
    versions: Mapping[str, str], usd: Mapping[str, Decimal],
) -> list[Worth]:
    """One row a provider. `versions` maps a version to the candidate it came from, `usd` a provider to what it cost."""
    by_name = {each.candidate_id: each for each in candidates}
    scored = {score.candidate_id for score in scores if score.segment == SegmentName.SELECTION.value}
    closed = list(trades)
    others = sorted({each.proposal.provider for each in candidates} | set(usd))
    found = []
    for provider in (*ARMS, *(each for each in others if each not in ARMS)):
        own = [each for each in candidates if each.proposal.provider == provider]
        trials = {each.source_hash: each for each in own if each.candidate_id in scored}
        passed = sum(_passed(each) for each in trials.values())
        survived = sum(_survived(each) for each in trials.values())
        names = {
            version for version, name in versions.items() if name in by_name and by_name[name].proposal.provider == provider
        }
        results = [trade for trade in closed if trade.version in names]
        found.append(
            Worth(
                provider=provider, proposed=len(own), trials=len(trials), passed=passed, survived=survived,
                passed_interval=clopper_pearson(passed, len(trials)) if trials else None,
                survived_interval=clopper_pearson(survived, len(trials)) if trials else None, promoted=len(names),
                pnl=sum((trade.pnl for trade in results), start=NO_MONEY), trades=len(results),
                usd=usd.get(provider, Decimal(0)),
            )
        )
    return found


def _passed(candidate: Candidate) -> bool:
    return any(stage.stage is Stage.GATE and stage.passed for stage in candidate.stages)


def _survived(candidate: Candidate) -> bool:
    """True when the vault was looked into and its check passed."""
    checks = next((stage.inputs.get("checks", ()) for stage in candidate.stages if stage.stage is Stage.GATE), ())
    return any(check["name"] == "vault" and check["passed"] and not check.get("skipped") for check in checks)
