"""Sums of runs are those of `math.fsum`, bit for bit, also where rounding is a close call."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.market.exact_sum import sums_of

# Volumes as they come, and numbers that lie at and beside the middle between two doubles.
VOLUMES = st.one_of(
    st.floats(0, 1e12), st.sampled_from([0.0, 5e-324, 2.0**-53, 2.0**-54, 1.0, 1.0 - 2.0**-53, 2.0**53, 2.0**52 + 0.5, 3 * 2.0**-53])
)
ANYTHING = st.floats(-1e300, 1e300)


def sums(runs: list[list[float]]) -> list[float]:
    lengths = np.array([len(run) for run in runs], dtype=np.int64)
    stops = np.cumsum(lengths)
    return sums_of(np.array([x for run in runs for x in run]), stops - lengths, stops).tolist()


@given(st.lists(st.lists(VOLUMES, min_size=1, max_size=30), max_size=8))
def test_sums_of_volumes_are_those_of_fsum(runs: list[list[float]]) -> None:
    assert sums(runs) == [math.fsum(run) for run in runs]


@given(st.lists(st.lists(ANYTHING, min_size=1, max_size=12), max_size=4))
def test_sums_of_any_numbers_are_those_of_fsum(runs: list[list[float]]) -> None:
    assert sums(runs) == [math.fsum(run) for run in runs]


def test_a_sum_at_the_middle_between_two_doubles_is_rounded_once() -> None:
    # 1 and half a step, then a speck: the nearest double is the next one up, and to the even one without it.
    assert sums([[1.0, 2.0**-53, 2.0**-106], [1.0, 2.0**-53], [2.0**-53, 1.0 - 2.0**-53]]) == [1.0 + 2.0**-52, 1.0, 1.0]


def test_below_a_power_of_two_doubles_lie_closer_than_above_it() -> None:
    # Just under the middle between 1 and the double below it, by less than the rests can say.
    run = [1.0 - 2.0**-53, 2.0**-54 - 2.0**-107, 2.0**-107 - 2.0**-110]
    assert sums([run]) == [math.fsum(run)] == [1.0 - 2.0**-53]


def test_a_number_that_is_none_stays_within_its_run() -> None:
    values = np.array([1.0, math.nan, 2.0, 3.0])
    made = sums_of(values, np.array([0, 2]), np.array([2, 4]))
    assert math.isnan(made[0])
    assert made[1] == 5.0


def test_a_sum_beyond_every_double_is_an_error_as_before() -> None:
    with pytest.raises(OverflowError):
        sums([[1.7e308, 1.7e308]])
