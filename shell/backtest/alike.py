"""How alike a set of trials is, and how many independent ones they come to: one computation, for the gate and the ledger."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from shell.backtest.overfitting import effective_number_of_trials

DAYS_MIN = 3


def independent_trials(groups: Iterable[Sequence[Sequence[float]]], count: int) -> tuple[float | None, float]:
    """Mean pairwise correlation of `count` trials (None for fewer than two), and the independent trials they come to.

    `groups` are the daily returns of trials on the same candles each. A pair across groups, and every pair with a trial whose
    returns are missing, shorter than three days, not finite or never moving, counts as uncorrelated: what is not known does
    not lower the number.
    """
    if count < 2:
        return None, float(count)
    total = sum(_sum_of_pairs(series) for series in groups)
    average = total / (count * (count - 1) / 2)
    # Rounding only: a matrix of correlations has no lower mean than this.
    average = min(max(average, -1 / (count - 1)), 1.0)
    return average, effective_number_of_trials(average, count)


def _sum_of_pairs(series: Sequence[Sequence[float]]) -> float:
    """The sum of the correlations of all pairs that have one."""
    by_length: dict[int, list[NDArray[np.float64]]] = {}
    for each in series:
        values = np.asarray(each, dtype=np.float64)
        if len(values) >= DAYS_MIN and bool(np.isfinite(values).all()) and float(np.ptp(values)) > 0:
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
