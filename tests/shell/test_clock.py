"""Time: the quick ways tell what the plain ones do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shell import clock
from shell.clock import LocalDays, compact, from_ms, local_day, to_ms

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Havana", "Pacific/Apia")
MOMENTS = st.integers(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(
    st.sampled_from(ZONES), MOMENTS, st.lists(st.integers(0, 200), min_size=1, max_size=60), st.sampled_from([1, 5, 60, 1440])
)
# Clocks change at midnight in Havana; Samoa left out the 30th of December 2011 altogether.
@example("America/Havana", datetime(2024, 11, 2, 12, tzinfo=UTC), [1] * 60, 60)
@example("America/Havana", datetime(2024, 3, 9, 12, tzinfo=UTC), [1] * 60, 60)
@example("Pacific/Apia", datetime(2011, 12, 29, 0, tzinfo=UTC), [1] * 60, 60)
@example("Europe/Berlin", datetime(2024, 10, 26, 20, tzinfo=UTC), [1] * 60, 60)
@example("Europe/Berlin", datetime(2024, 3, 30, 20, tzinfo=UTC), [1] * 60, 60)
def test_a_day_kept_is_the_day_worked_out(zone: str, start: datetime, steps: list[int], minutes: int) -> None:
    kept, plain, moment = LocalDays(ZoneInfo(zone)), ZoneInfo(zone), start
    for step in steps:
        moment += timedelta(minutes=minutes * step)
        assert kept.day_of(moment) == local_day(moment, plain)
    # And back, and just beside the bounds of the day that is kept now.
    assert kept.day_of(start) == local_day(start, plain)
    for edge in (kept._begins, kept._ends):
        for beside in (edge - timedelta.resolution, edge, edge + timedelta.resolution):
            assert LocalDays(ZoneInfo(zone)).day_of(beside) == kept.day_of(beside) == local_day(beside, plain)


def test_a_moment_without_a_zone_has_no_day() -> None:
    days = LocalDays(ZoneInfo("UTC"))
    days.day_of(datetime(2024, 1, 1, tzinfo=UTC))
    with pytest.raises(ValueError, match="without a zone"):
        days.day_of(datetime(2024, 1, 1, 12))


@given(MOMENTS, st.integers(0, 999))
def test_milliseconds_come_back_whatever_zone_they_are_told_in(moment: datetime, ms: int) -> None:
    exact = moment + timedelta(milliseconds=ms)
    assert from_ms(to_ms(exact)) == exact
    assert to_ms(exact.astimezone(timezone(timedelta(hours=5, minutes=45)))) == to_ms(exact)
    assert compact(exact) == f"{exact:%Y%m%dT%H%M}"


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_milliseconds_become_the_moment_that_they_count_and_back(ms: int) -> None:
    moment = from_ms(ms)
    assert moment == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    assert moment.tzinfo is UTC
    assert to_ms(moment) == to_ms(from_ms(ms)) == ms


@given(st.lists(st.tuples(st.integers(-3, 3), st.sampled_from([1, 300_000, 86_400_000])), max_size=40))
def test_milliseconds_in_any_order_become_moments(jumps: list[tuple[int, int]]) -> None:
    ms = 1_700_000_000_123
    for times, span in jumps:
        ms += times * span
        assert from_ms(ms) == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
        assert to_ms(from_ms(ms)) == ms


def test_only_so_many_distances_between_moments_are_kept() -> None:
    for apart in range(2 * clock._SPANS_KEPT):
        assert to_ms(from_ms(apart * apart)) == apart * apart
    assert len(clock._spans) == clock._SPANS_KEPT


@pytest.mark.parametrize("ms", [10**15, 10**30, -(10**15)])
def test_milliseconds_beyond_the_calendar_are_an_error(ms: int) -> None:
    with pytest.raises((ValueError, OverflowError)):
        from_ms(ms)


def test_numbers_of_numpy_are_taken_as_well() -> None:
    assert from_ms(np.int64(1_700_000_000_123)) == from_ms(1_700_000_000_123)
