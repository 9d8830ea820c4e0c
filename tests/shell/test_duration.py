"""Durations are read with their unit, and written so that they read back as themselves."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.duration import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("90s", timedelta(seconds=90)),
        ("10m", timedelta(minutes=10)),
        ("24h", timedelta(days=1)),
        ("7d", timedelta(days=7)),
        (" 0s ", timedelta(0)),
    ],
)
def test_a_number_and_a_unit_are_a_duration(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text", ["", "10", "m", "10 parsecs", "1.5h", "-5m", "1h30m", "٣h", "10M", "1e3s", "9999999999s"]
)
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match='such as "90s"'):
        parse_duration(text)


@given(st.integers(min_value=0, max_value=10**8))
def test_what_is_written_reads_back_as_itself(seconds: int) -> None:
    duration = timedelta(seconds=seconds)
    assert parse_duration(format_duration(duration)) == duration


def test_what_cannot_be_written_is_refused() -> None:
    for duration in (timedelta(milliseconds=1), timedelta(seconds=-1)):
        with pytest.raises(ValueError, match="whole number of seconds"):
            format_duration(duration)
