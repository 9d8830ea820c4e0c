"""Conformance (pure): did a paper trial do what a backtest over the same bars says it should have done?

A paper trial is no evidence of skill: a week of returns cannot tell a good strategy from a lucky one. It proves that what was
tested is what runs: the same signals at the same slots, the same fills at prices that differ by no more than a bar explains.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from shell.answers import Conformance, PaperTrial
from shell.orders import Fill, SignalAnswer
from shell.promotion.band import Band, mean_cost
from shell.trials.candidate import Stage, StageResult

FILLS_MIN = 5
EXTENDED_DAYS = 7
AGREEMENT_MIN = 0.99
# Two fills are of one order when they lie within a bar, and their quantities within what another price makes of a size.
SAME_FILL_TIME = timedelta(minutes=5)
SAME_FILL_QTY = 0.01
_COUNTS = ("scans", "signals_paper", "signals_backtest", "signals_equal", "fills_paper", "fills_backtest", "fills_equal")
# Where nothing is known of the bars, prices must be equal.
NO_BAND = Band(low=0.0, high=0.0, fills=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Counts of what both runs did, and what only one of them did. `fill_cost_pct` is how much dearer paper's fills were than
    the backtest's on average, a fraction of the price."""

    scans: int
    signals_paper: int
    signals_backtest: int
    signals_equal: int
    fills_paper: int
    fills_backtest: int
    fills_equal: int
    fill_cost_pct: float = 0.0

    @property
    def signals_agree(self) -> bool:
        return _agree(self.signals_paper, self.signals_backtest, self.signals_equal)

    @property
    def fills_agree(self) -> bool:
        return _agree(self.fills_paper, self.fills_backtest, self.fills_equal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    passed: bool
    extended_until: datetime | None
    reasons: tuple[str, ...]


def compare(
    scans: int,
    paper: tuple[Sequence[SignalAnswer], Sequence[Fill]],
    backtest: tuple[Sequence[SignalAnswer], Sequence[Fill]],
) -> Comparison:
    """Count equal signals (slot, symbol, action, size, fate) and fills of the same order (symbol, side, and time and quantity
    but for what a price within the bar changes); their prices are compared on average."""
    signals = [Counter(signal_key(answer) for answer in run[0]) for run in (paper, backtest)]
    pairs = fill_pairs(paper[1], backtest[1])
    return Comparison(
        scans=scans,
        signals_paper=signals[0].total(), signals_backtest=signals[1].total(),
        signals_equal=(signals[0] & signals[1]).total(),
        fills_paper=len(paper[1]), fills_backtest=len(backtest[1]), fills_equal=len(pairs), fill_cost_pct=mean_cost(pairs),
    )


def judge(
    comparison: Comparison, *, started_at: datetime, now: datetime, faults: int, band: Band = NO_BAND
) -> Judgement:
    """Pass, fail, or extend: with fewer than five fills a trial goes on to seven days, then signals alone decide."""
    reasons: list[str] = []
    if faults:
        reasons.append(f"the strategy failed {faults} times during the trial")
    if not comparison.signals_agree:
        reasons.append(
            f"{comparison.signals_equal} of {comparison.signals_paper} paper and {comparison.signals_backtest} "
            "backtest signals agree"
        )
    if not comparison.fills_agree:
        reasons.append(
            f"{comparison.fills_equal} of {comparison.fills_paper} paper and {comparison.fills_backtest} "
            "backtest fills agree"
        )
    if not band.holds(comparison.fill_cost_pct):
        reasons.append(
            f"paper's fills were {comparison.fill_cost_pct:+.3%} dearer than the backtest's on average; prices within a bar "
            f"explain {band.low:+.3%} to {band.high:+.3%} over {band.fills} fills"
        )
    if reasons:
        return Judgement(passed=False, extended_until=None, reasons=tuple(reasons))
    longest = started_at + timedelta(days=EXTENDED_DAYS)
    if comparison.fills_paper < FILLS_MIN and now < longest:
        sentence = f"only {comparison.fills_paper} fills so far; extended to {EXTENDED_DAYS} days"
        return Judgement(passed=False, extended_until=longest, reasons=(sentence,))
    sentence = (
        f"all {comparison.signals_paper} signals of {comparison.scans} scans and {comparison.fills_paper} fills "
        "equal the backtest's"
    )
    if comparison.fill_cost_pct:
        sentence += f", at prices {comparison.fill_cost_pct:+.3%} dearer, within what a bar explains"
    if comparison.fills_paper < FILLS_MIN:
        sentence += f"; judged on signals alone, {comparison.fills_paper} fills are fewer than {FILLS_MIN}"
    return Judgement(passed=True, extended_until=None, reasons=(sentence,))


def paper_stage(conformance: Conformance) -> StageResult:
    """The stage that a judged trial comes to."""
    return StageResult(
        stage=Stage.PAPER, passed=conformance.passed, reasons=tuple(conformance.reasons),
        inputs={**asdict(conformance), "extended_until": None, "reasons": list(conformance.reasons)},
    )


def judged(trial: PaperTrial, told: Mapping[str, Any]) -> Conformance:
    """The judgement that a trial's row keeps. A trial that was cut short has reasons and no counts: those are 0."""
    counts = {name: int(told.get(name, 0)) for name in _COUNTS}
    return Conformance(
        trial_id=trial.trial_id, passed=bool(told.get("passed", False)), reasons=tuple(told["reasons"]),
        extended_until=trial.due_at if trial.state == "extended" else None, **counts,
    )


def _agree(paper: int, backtest: int, equal: int) -> bool:
    return equal >= AGREEMENT_MIN * max(paper, backtest)


def signal_key(answer: SignalAnswer) -> tuple[object, ...]:
    """What makes two signals the same: slot, symbol, action, size, order and fate."""
    return (
        answer.decided_at, answer.symbol, answer.action, answer.size_pct, answer.order_type, answer.limit_price,
        answer.stop_loss, answer.take_profit, answer.approved, answer.code,
    )


def fill_pairs(paper: Sequence[Fill], backtest: Sequence[Fill]) -> list[tuple[Fill, Fill]]:
    """Each of paper's fills with the backtest's that is nearest to it in time, every one of those used once."""
    left = list(backtest)
    found: list[tuple[Fill, Fill]] = []
    for fill in paper:
        alike = [other for other in left if _same_order(fill, other)]
        if alike:
            other = min(alike, key=lambda each: (abs(each.filled_at - fill.filled_at), abs(each.qty.value - fill.qty.value)))
            left.remove(other)
            found.append((fill, other))
    return found


def _same_order(fill: Fill, other: Fill) -> bool:
    if (fill.symbol, fill.side) != (other.symbol, other.side):
        return False
    near = abs(float(fill.qty) - float(other.qty)) <= SAME_FILL_QTY * float(other.qty)
    return near and abs(fill.filled_at - other.filled_at) <= SAME_FILL_TIME
