"""Thinning keeps what a reader would miss: the ends and the extremes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.report.series import downsample, drawdown, finite

START = datetime(2025, 1, 1, tzinfo=UTC)


def _series(values: list[float]) -> tuple[tuple[datetime, float], ...]:
    return tuple((START + timedelta(minutes=5 * index), value) for index, value in enumerate(values))


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=400), st.integers(4, 60))
def test_downsampling_keeps_ends_extremes_order_and_the_limit(values: list[float], limit: int) -> None:
    series = _series(values)
    thinned = downsample(series, limit)
    assert len(thinned) <= max(limit, 0) or len(series) <= limit
    assert thinned[0] == series[0]
    assert thinned[-1] == series[-1]
    assert min(value for _, value in thinned) == min(values)
    assert max(value for _, value in thinned) == max(values)
    assert list(thinned) == sorted(set(thinned), key=lambda point: point[0])
    assert set(thinned) <= set(series)


def test_a_single_spike_among_thousands_survives() -> None:
    values = [100.0] * 20_000
    values[13_337] = 250.0
    values[13_338] = 3.0
    kept = [value for _, value in downsample(_series(values))]
    assert 250.0 in kept
    assert 3.0 in kept
    assert len(kept) <= 1500


def test_a_limit_that_cannot_hold_ends_and_extremes_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 4"):
        downsample(_series([1.0] * 10), 3)


def test_drawdown_is_the_fraction_below_the_highest_value_so_far() -> None:
    falls = [fall for _, fall in drawdown(_series([100, 120, 90, 120, 150, 75]))]
    assert falls == pytest.approx([0, 0, -0.25, 0, 0, -0.5])


def test_values_that_are_no_numbers_are_left_out_and_order_is_restored() -> None:
    points = _series([1.0, float("nan"), float("inf"), 4.0])
    assert [value for _, value in finite(tuple(reversed(points)))] == [1.0, 4.0]
