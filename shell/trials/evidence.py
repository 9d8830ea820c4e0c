"""The evidence clock: how long until the data can decide, and how little a week of paper trading can.

Two questions, both answered per day and never annualised:

- How many days of returns like these would let the gate's deflated Sharpe ratio decide? The Sharpe ratio shown so far must
  exceed what the best of N lucky trials would show, with the confidence asked for (minimum track record length, Bailey and
  Lopez de Prado 2012). The bar is `sqrt(V) E[max of N]`, V being the variance of the trials' Sharpe ratios and never below
  the 1/(T-1) that luck alone gives, so a longer record lowers it as far as V allows.
- With which probability would a paper trial of a few days tell a strategy of that Sharpe ratio from luck? The power of a
  one-sided test of a mean in the normal approximation, `Phi(s sqrt(n) - z)`: about 9 % for an annual Sharpe ratio of 2 over
  seven days. That is why a paper trial proves conformance and never skill.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from shell.backtest.metrics import moments_of
from shell.backtest.overfitting import expected_maximum_sharpe, minimum_track_record_length
from shell.errors import BadInput
from shell.trials.candidate import TrialScore
from shell.trials.count import distinct_scores, trial_count

PAPER_DAYS = 7
# Beyond this nobody waits, and a figure would pretend to know.
DAYS_MAX = 36_500
DAYS_PER_YEAR = 365
DAYS_LEAST = 3
# Below this the moments themselves are guesses, and the sentence says so.
DAYS_FEW = 30
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """How far one subject is from a decision. Days are days of returns; Sharpe ratios are per day.

    `needed_days` and `more_days` are None when no record is long enough at the Sharpe ratio shown; `reason` then says why.
    `paper_power` is the probability that `PAPER_DAYS` of paper trading would show a strategy with exactly this Sharpe
    ratio to be above zero; None where none was shown.
    """

    name: str
    have_days: int
    daily_sharpe: float
    bar_sharpe: float
    trials: float
    confidence: float
    needed_days: int | None
    more_days: int | None
    paper_power: float | None
    reason: str = ""

    @property
    def sentence(self) -> str:
        """The clock for people."""
        shown = f"{self.name}: daily Sharpe {self.daily_sharpe:.3f} over {self.have_days} days"
        luck = (
            f" against {self.bar_sharpe:.3f} expected of the best of {self.trials:g} lucky trials"
            if self.trials > 1 else ""
        )
        power = "" if self.paper_power is None else (
            f"; if that were its true Sharpe ratio, a {PAPER_DAYS}-day paper trial would show it to be above zero with "
            f"probability {self.paper_power:.0%} (normal approximation)"
        )
        if self.more_days is None:
            return f"{shown}{luck}: {self.reason}{power}"
        few = f"; {self.have_days} days are too few to believe any of this" if self.have_days < DAYS_FEW else ""
        if self.more_days == 0:
            return f"{shown}{luck}: long enough to decide at {self.confidence:.0%}{power}{few}"
        return (
            f"{shown}{luck}: {self.more_days} more days like these would decide at {self.confidence:.0%} "
            f"({self.needed_days} in all){power}{few}"
        )

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "name": self.name, "have_days": self.have_days, "daily_sharpe": self.daily_sharpe,
            "bar_sharpe": self.bar_sharpe, "trials": self.trials, "confidence": self.confidence,
            "needed_days": self.needed_days, "more_days": self.more_days, "paper_power": self.paper_power,
            "paper_days": PAPER_DAYS, "sentence": self.sentence,
        }


def evidence_of(
    name: str, daily_returns: Sequence[float], *, confidence: float, trials: float = 1.0, variance: float = 0.0
) -> Evidence:
    """The clock of one series of daily returns that was the best of `trials`, whose Sharpe ratios vary by `variance`.

    Raises BadInput for a confidence outside 0.5..1, fewer than one trial or a negative variance.
    """
    moments = moments_of(np.asarray(daily_returns, dtype=np.float64))
    days, sharpe = moments.n_obs, moments.sharpe
    bar = expected_maximum_sharpe(trials, max(variance, 1 / max(days - 1, 1)))
    needed, reason = None, ""
    if days < DAYS_LEAST:
        reason = f"fewer than {DAYS_LEAST} days of returns say nothing yet"
    elif sharpe <= 0:
        reason = "no record is long enough to show skill where the returns so far show none"
    else:
        try:
            # Two values in turn have a kurtosis of 1, the least there is, which rounding may miss.
            needed = days_needed(
                sharpe, skew=moments.skew, kurtosis=max(moments.kurtosis, 1.0), confidence=confidence, trials=trials,
                variance=variance,
            )
        except BadInput as refusal:
            reason = f"no record is long enough: {refusal}"
        if needed is not None and needed > DAYS_MAX:
            needed, reason = None, f"more than {DAYS_MAX // DAYS_PER_YEAR} years of days like these would be needed"
    return Evidence(
        name=name, have_days=days, daily_sharpe=sharpe, bar_sharpe=bar, trials=trials, confidence=confidence,
        needed_days=needed, more_days=None if needed is None else max(needed - days, 0),
        paper_power=paper_power(sharpe, PAPER_DAYS, confidence) if sharpe > 0 else None, reason=reason,
    )


def days_needed(
    sharpe: float, *, skew: float, kurtosis: float, confidence: float, trials: float = 1.0, variance: float = 0.0
) -> int:
    """Days of returns with these moments at which their deflated Sharpe ratio reaches `confidence`.

    Raises BadInput when no number of days does: the Sharpe ratio is not above the bar that `variance` sets.
    """
    fixed = minimum_track_record_length(sharpe, expected_maximum_sharpe(trials, variance), skew, kurtosis, confidence)
    # Where luck's own 1/(T-1) sets the bar: (sr - E/sqrt(T-1)) sqrt(T-1) / sd = z, solved for T.
    spread = math.sqrt(minimum_track_record_length(sharpe, 0.0, skew, kurtosis, confidence) - 1) * sharpe
    floor = 1 + ((spread + expected_maximum_sharpe(trials, 1.0)) / sharpe) ** 2
    return math.ceil(max(fixed, floor))


def paper_power(daily_sharpe: float, days: int, confidence: float) -> float:
    """Probability that `days` returns of a strategy with this true Sharpe ratio pass a one-sided test of being above zero.

    Normal approximation with known deviation: Phi(s sqrt(n) - z(confidence)). Raises BadInput for a confidence outside
    0.5..1 or no days.
    """
    if not 0.5 < confidence < 1:
        raise BadInput(f"confidence = {confidence!r}: write a fraction above 0.5 and below 1, such as 0.95")
    if days < 1 or not math.isfinite(daily_sharpe):
        raise BadInput(f"days = {days!r}, daily_sharpe = {daily_sharpe!r}: give at least one day and a finite ratio")
    return _NORMAL.cdf(daily_sharpe * math.sqrt(days) - _NORMAL.inv_cdf(confidence))


def evidence_of_scores(
    scores: Sequence[TrialScore], confidence: float, names: Sequence[str] | None = None
) -> tuple[Evidence, ...]:
    """The clocks of scored candidates, each against all the trials there were, nearest to a decision first.

    `names` limits it to these candidates; the others still count as trials. Of several scorings the newest is shown, and none
    that is not finite.
    """
    distinct = [score for score in distinct_scores(scores) if math.isfinite(score.sharpe)]
    trials = max(trial_count(scores).counted, 1.0)
    variance = float(np.var([score.sharpe for score in distinct], ddof=1)) if len(distinct) > 1 else 0.0
    newest = {
        score.candidate_id: score for score in scores
        if (names is None or score.candidate_id in names) and bool(np.isfinite([score.sharpe, *score.daily_returns]).all())
    }
    found = [
        evidence_of(candidate_id, score.daily_returns, confidence=confidence, trials=trials, variance=variance)
        for candidate_id, score in newest.items()
    ]
    return tuple(
        sorted(found, key=lambda each: (each.more_days is None, each.more_days or 0, -each.daily_sharpe, each.name))
    )
