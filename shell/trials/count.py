"""How many trials a set of scorings amounts to: as made, and as far as they are independent of one another.

Two candidates that trade alike are hardly two draws. The effective number says how many independent ones they come to; it
is reported beside the number made, and the larger of the two is what a gate deflates by, so that no correlation, which is an
estimate itself, ever makes the bar lower.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shell.backtest.overfitting import effective_number_of_trials
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
    count = len(trials)
    if count < 2:
        return TrialCount(scored=count, average_correlation=None, effective=float(count))
    total = 0.0
    for data in dict.fromkeys(trial.data_hash for trial in trials):
        total += _sum_of_pairs([trial.daily_returns for trial in trials if trial.data_hash == data])
    average = total / (count * (count - 1) / 2)
    # Rounding only: a matrix of correlations has no lower mean than this.
    average = min(max(average, -1 / (count - 1)), 1.0)
    return TrialCount(
        scored=count, average_correlation=average, effective=effective_number_of_trials(average, count)
    )


def _sum_of_pairs(series: Sequence[Sequence[float]]) -> float:
    """The sum of the correlations of all pairs that have one."""
    by_length: dict[int, list[NDArray[np.float64]]] = {}
    for each in series:
        values = np.asarray(each, dtype=np.float64)
        if len(values) >= 3 and bool(np.isfinite(values).all()) and float(np.ptp(values)) > 0:
            centred = values - values.mean()
            norm = float(np.linalg.norm(centred))
            if math.isfinite(norm) and norm > 0:
                by_length.setdefault(len(values), []).append(centred / norm)
    total = 0.0
    for group in by_length.values():
        matrix = np.stack(group)
        products = matrix @ matrix.T
        total += float(products.sum() - np.trace(products)) / 2
    return total
