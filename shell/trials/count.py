"""How many trials a set of scorings amounts to: as made, and as far as they are independent of one another.

Two candidates that trade alike are hardly two draws. The effective number says how many independent ones they come to; it
is reported beside the number made, and the larger of the two is what a gate deflates by, so that no correlation, which is an
estimate itself, ever makes the bar lower.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shell.backtest.alike import independent_trials
from shell.trials.candidate import TrialScore


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialCount:
    """`scored` distinct trials, their mean pairwise correlation of daily returns, and the independent trials they come to.
    `average_correlation` is None for fewer than two trials."""

    scored: int
    average_correlation: float | None
    effective: float

    @property
    def counted(self) -> float:
        """What deflation uses: the larger of the two."""
        return max(float(self.scored), self.effective)

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "scored": self.scored, "average_correlation": self.average_correlation, "effective": self.effective,
            "counted": self.counted,
        }


def distinct_scores(scores: Sequence[TrialScore]) -> tuple[TrialScore, ...]:
    """One scoring a distinct source and data, the first of each: scoring the same again on the same candles is no new
    trial; on other candles it is."""
    found: dict[tuple[str, str], TrialScore] = {}
    for score in scores:
        found.setdefault((score.source_hash, score.data_hash), score)
    return tuple(found.values())


def trial_count(scores: Sequence[TrialScore]) -> TrialCount:
    """Count the distinct trials of `scores` (of one segment, by whomever) and what they come to independently.

    Correlations are between daily returns on the same candles. Trials on other candles, with a series that never moves or
    is not finite, or shorter than three days, count as uncorrelated: what is not known does not lower the number.
    """
    trials = distinct_scores(scores)
    groups = [
        [trial.daily_returns for trial in trials if trial.data_hash == data]
        for data in dict.fromkeys(trial.data_hash for trial in trials)
    ]
    average, effective = independent_trials(groups, len(trials))
    return TrialCount(scored=len(trials), average_correlation=average, effective=effective)
