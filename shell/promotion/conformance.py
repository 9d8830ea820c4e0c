"""Conformance (pure): did a paper trial do what a backtest over the same bars says it should have done?

A paper trial is no evidence of skill: a week of returns cannot tell a good strategy from a lucky one. It proves that what was
tested is what runs: the same signals at the same slots, the same fills at the same prices.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from shell.answers import Conformance
from shell.orders import Fill, SignalAnswer
from shell.trials.candidate import Stage, StageResult

FILLS_MIN = 5
EXTENDED_DAYS = 7
AGREEMENT_MIN = 0.99


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Counts of what both runs did, and what only one of them did."""

    scans: int
    signals_paper: int
    signals_backtest: int
    signals_equal: int
    fills_paper: int
    fills_backtest: int
    fills_equal: int

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
    """Count equal signals (slot, symbol, action, size, fate) and equal fills (time, symbol, side, quantity, price)."""
    signals = [Counter(_signal_key(answer) for answer in run[0]) for run in (paper, backtest)]
    fills = [Counter(_fill_key(fill) for fill in run[1]) for run in (paper, backtest)]
    return Comparison(
        scans=scans,
        signals_paper=signals[0].total(), signals_backtest=signals[1].total(),
        signals_equal=(signals[0] & signals[1]).total(),
        fills_paper=fills[0].total(), fills_backtest=fills[1].total(), fills_equal=(fills[0] & fills[1]).total(),
    )


def judge(comparison: Comparison, *, started_at: datetime, now: datetime, faults: int) -> Judgement:
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
    if comparison.fills_paper < FILLS_MIN:
        sentence += f"; judged on signals alone, {comparison.fills_paper} fills are fewer than {FILLS_MIN}"
    return Judgement(passed=True, extended_until=None, reasons=(sentence,))


def paper_stage(conformance: Conformance) -> StageResult:
    """The stage that a judged trial comes to."""
    return StageResult(
        stage=Stage.PAPER, passed=conformance.passed, reasons=tuple(conformance.reasons),
        inputs={**asdict(conformance), "extended_until": None, "reasons": list(conformance.reasons)},
    )


def _agree(paper: int, backtest: int, equal: int) -> bool:
    return equal >= AGREEMENT_MIN * max(paper, backtest)


def _signal_key(answer: SignalAnswer) -> tuple[object, ...]:
    return (
        answer.decided_at, answer.symbol, answer.action, answer.size_pct, answer.order_type, answer.limit_price,
        answer.stop_loss, answer.take_profit, answer.approved, answer.code,
    )


def _fill_key(fill: Fill) -> tuple[object, ...]:
    return fill.filled_at, fill.symbol, fill.side, fill.qty, fill.price
