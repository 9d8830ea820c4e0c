"""Sums of many runs of numbers at once, each what `math.fsum` gives: rounded once, whatever the order.

Every step of the additions keeps what it rounds away (Knuth's TwoSum), so that a run ends as a sum and a small rest. Where sum
and rest leave no doubt which double lies nearest, that is the answer; where they do, `math.fsum` is asked.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Places = NDArray[np.int64]
_UNIT = 2.0**-53


def sums_of(values: Numbers, starts: Places, stops: Places) -> Numbers:
    """The sum of `values[start:stop]` for each pair of `starts` and `stops`. Raises OverflowError as `math.fsum` does."""
    if not len(starts):
        return np.empty(0)
    lengths = stops - starts
    with np.errstate(all="ignore"):
        high, low = _added(values, starts, lengths)
        total = high + low
        certain = _certain(values, lengths, total, low - (total - high))
    for at in np.flatnonzero(~certain).tolist():
        total[at] = math.fsum(values[starts[at] : stops[at]].tolist())
    return total


def _added(values: Numbers, starts: Places, lengths: Places) -> tuple[Numbers, Numbers]:
    """All runs side by side, number by number: the sums as they were rounded, and the sums of what that cost."""
    high, low = np.zeros(len(starts)), np.zeros(len(starts))
    whole = int(lengths.min())
    for at in range(int(lengths.max())):
        runs = slice(None) if at < whole else np.flatnonzero(lengths > at)
        before, added = high[runs], values[starts[runs] + at]
        after = before + added
        virtual = after - before
        low[runs] += (before - (after - virtual)) + (added - virtual)
        high[runs] = after
    return high, low


def _certain(values: Numbers, lengths: Places, total: Numbers, rest: Numbers) -> NDArray[np.bool_]:
    """Where no double lies nearer to the exact sum than `total`. The rests were added with a rounding each, so of numbers that
    are not negative `total + rest` is off by at most (n u)^2 of the sum. False for all where some are negative or none."""
    if not (values >= 0).all():
        return np.zeros(len(total), dtype=np.bool_)
    off = 2 * (lengths * _UNIT) ** 2 * total
    # Below a power of two doubles lie twice as close as above it.
    power = np.frexp(total)[0] == 0.5
    sure: NDArray[np.bool_] = (np.abs(rest) + off < np.spacing(total) / 2) & ~power | (total == 0)
    return sure
