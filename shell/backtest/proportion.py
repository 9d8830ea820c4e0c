"""How sure a share is that was counted: k of n, with the interval that holds the true share."""

from __future__ import annotations

import math
from collections.abc import Callable

from shell.errors import BadInput

CONFIDENCE = 0.95
# Halvings of [0, 1]: beyond this a double has no room for another.
_HALVINGS = 60


def clopper_pearson(count: int, total: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The exact two-sided interval of a binomial share (Clopper and Pearson 1934): it covers the truth at least `confidence`
    of the time, whatever the share is. None of n still leaves an upper end, which is why it is the one to quote for a rate
    that should be zero.

    Raises BadInput unless 0 <= count <= total, total >= 1 and 0 < confidence < 1.
    """
    if total < 1 or not 0 <= count <= total:
        raise BadInput(f"{count} of {total} is no share: a whole number from 0 to the total, and a total of one or more")
    if not 0 < confidence < 1:
        raise BadInput(f"a confidence lies between 0 and 1, not at {confidence}")
    tail = (1 - confidence) / 2
    low = 0.0 if count == 0 else _root(lambda share: 1 - _at_most(count - 1, total, share) < tail)
    high = 1.0 if count == total else _root(lambda share: _at_most(count, total, share) > tail)
    return low, high


def _at_most(count: int, total: int, share: float) -> float:
    """P(X <= count) of a binomial, summed from logarithms so that no term overflows."""
    if share <= 0:
        return 1.0
    if share >= 1:
        return 1.0 if count >= total else 0.0
    yes, no = math.log(share), math.log1p(-share)
    return math.fsum(
        math.exp(math.lgamma(total + 1) - math.lgamma(k + 1) - math.lgamma(total - k + 1) + k * yes + (total - k) * no)
        for k in range(count + 1)
    )


def _root(below: Callable[[float], bool]) -> float:
    """Where `below` turns from true to false on [0, 1]."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return (low + high) / 2
