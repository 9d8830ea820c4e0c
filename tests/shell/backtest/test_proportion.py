"""The exact interval of a share, against published values and the property that defines it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.backtest.proportion import clopper_pearson
from shell.errors import BadInput


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    [
        # None of n: the upper end is 1 - (0.025)^(1/n); the lower one of all of n mirrors it.
        (0, 200, 0.0, 1 - 0.025 ** (1 / 200)), (0, 20, 0.0, 1 - 0.025 ** (1 / 20)), (20, 20, 0.025 ** (1 / 20), 1.0),
        # From the beta distribution: B(0.025; 5, 96) and B(0.975; 6, 95).
        (5, 100, 0.016432, 0.112835),
        (1, 1, 0.025, 1.0),
    ],
)
def test_known_intervals(count: int, total: int, low: float, high: float) -> None:
    assert clopper_pearson(count, total) == pytest.approx((low, high), abs=2e-6)


@given(st.integers(1, 120).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_at_each_end_the_count_would_be_one_in_forty(pair: tuple[int, int]) -> None:
    """What defines the interval: were the share at its low end, so many or more would come up in 2.5 % of cases."""
    count, total = pair
    low, high = clopper_pearson(count, total)

    def chance(k: int, share: float) -> float:
        return math.comb(total, k) * share**k * (1 - share) ** (total - k)

    assert low <= count / total <= high
    if count:
        assert sum(chance(k, low) for k in range(count, total + 1)) == pytest.approx(0.025, rel=1e-6)
    if count < total:
        assert sum(chance(k, high) for k in range(count + 1)) == pytest.approx(0.025, rel=1e-6)


@pytest.mark.parametrize(("count", "total", "confidence"), [(1, 0, 0.95), (-1, 5, 0.95), (6, 5, 0.95), (1, 5, 1.0)])
def test_what_is_no_share_is_refused(count: int, total: int, confidence: float) -> None:
    with pytest.raises(BadInput):
        clopper_pearson(count, total, confidence)
