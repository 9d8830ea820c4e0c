"""One-bar-lag decay: what is left of the gain when every signal is carried out one bar later.

An edge that lies in information lasts at least a bar. One that is gone after a single bar was a look at the bar itself,
or is too short-lived to be had; arithmetic cannot tell the two apart, and neither should be traded.

The rule, on trades before fees (costs would hide a look ahead rather than reveal it):
- fewer than `TRADES_MIN` trades: unknown;
- the gain of the plain run is within chance (t below `EDGE_T_MIN`): clean, for there is nothing that a look could have
  given;
- the later run keeps less than `KEPT_MIN` of the gain, and the loss is beyond chance (t at least `LOSS_T_MIN`): biased;
- otherwise clean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shell.backtest.biases.finding import BiasVerdict, Finding, Numbers
from shell.backtest.biases.hosts import RepeatingHost
from shell.backtest.biases.subject import Baseline, Subject, run_on
from shell.portfolio.ledger import TradeClosed

CHECK = "one_bar_lag"
TRADES_MIN = 20
EDGE_T_MIN = 3.0
KEPT_MIN = 0.25
LOSS_T_MIN = 2.0
# Of a statistic that has no upper bound, so that it can be written as a number.
T_MAX = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LagFigures:
    """Trades before fees, as fractions of their entry cost: count, sum and t-statistic of both runs; `kept` is the part
    of the gain left, `loss_t` the t-statistic of what was lost."""

    trades: int
    trades_later: int
    gain: float
    gain_later: float
    gain_t: float
    kept: float
    loss_t: float


def lag(subject: Subject, baseline: Baseline) -> Finding:
    """Repeat the plain run's signals one bar of the strategy's own rhythm later, without the strategy."""
    delay = baseline.rhythm
    host = RepeatingHost(baseline.answers, delay)
    later = run_on(subject, subject.history, baseline.result.start, baseline.result.end, host=host)
    figures = lag_figures(gains(baseline.run.kept.trades), gains(later.kept.trades))
    minutes = int(delay.total_seconds() // 60)
    verdict, sentence = judge_lag(figures, minutes)
    evidence: Numbers = {
        "lag_minutes": minutes, "trades": figures.trades, "trades_later": figures.trades_later,
        "gain_pct": figures.gain, "gain_later_pct": figures.gain_later, "gain_t": figures.gain_t,
        "kept_pct": figures.kept if figures.gain > 0 else None, "loss_t": figures.loss_t,
        "sharpe": baseline.result.metrics.sharpe,
        "sharpe_later": later.result.metrics.sharpe if later.result else None,
        "return_pct": baseline.result.metrics.total_return_pct,
        "return_later_pct": later.result.metrics.total_return_pct if later.result else None,
    }
    return Finding(check=CHECK, verdict=verdict, sentence=sentence, evidence=evidence)


def gains(trades: Sequence[TradeClosed]) -> list[float]:
    """Each trade's gain before fees as a fraction of its entry cost."""
    return [float(trade.proceeds) / float(trade.cost) - 1.0 for trade in trades]


def lag_figures(plain: Sequence[float], later: Sequence[float]) -> LagFigures:
    """Sums rather than means: a trade that can no longer be had is a loss of the gain, too. `loss_t` is Welch's."""
    gain, gain_later = math.fsum(plain), math.fsum(later)
    spread = math.sqrt(_variance_of_sum(plain))
    both = math.sqrt(_variance_of_sum(plain) + _variance_of_sum(later))
    return LagFigures(
        trades=len(plain), trades_later=len(later), gain=gain, gain_later=gain_later, gain_t=_ratio(gain, spread),
        kept=max(-T_MAX, min(T_MAX, gain_later / gain)) if gain > 0 else 0.0, loss_t=_ratio(gain - gain_later, both),
    )


def judge_lag(figures: LagFigures, minutes: int) -> tuple[BiasVerdict, str]:
    """The module's rule."""
    if figures.trades < TRADES_MIN:
        return BiasVerdict.UNKNOWN, f"only {figures.trades} trades closed, {TRADES_MIN} are needed: use a longer window"
    if figures.gain_t < EDGE_T_MIN:
        return BiasVerdict.CLEAN, (
            f"{figures.trades} trades gained {figures.gain:+.2%} in all before fees, within chance (t {figures.gain_t:.1f}): "
            "there is no gain that a look ahead could have made"
        )
    facts = (
        f"{figures.trades} trades gained {figures.gain:+.2%} in all before fees (t {figures.gain_t:.1f}), and "
        f"{figures.gain_later:+.2%} in {figures.trades_later} trades {minutes} minutes later"
    )
    if figures.kept < KEPT_MIN and figures.loss_t >= LOSS_T_MIN:
        return BiasVerdict.BIASED, f"{facts}: it looks ahead, or its edge is over before an order can reach the market"
    return BiasVerdict.CLEAN, f"{facts}, {figures.kept:.0%} of it"


def _variance_of_sum(values: Sequence[float]) -> float:
    return len(values) * float(np.var(np.asarray(values), ddof=1)) if len(values) > 1 else 0.0


def _ratio(value: float, spread: float) -> float:
    if spread <= 0:
        return math.copysign(T_MAX, value) if value else 0.0
    return max(-T_MAX, min(T_MAX, value / spread))
