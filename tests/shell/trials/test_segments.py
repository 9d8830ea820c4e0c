from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.config import OrchestratorConfig
from shell.errors import DataError
from shell.trials.segments import SegmentName, anchor_for, quarter_start, split

CONFIG = OrchestratorConfig()
FIRST = datetime(2023, 1, 1, tzinfo=UTC)


def day(number: int) -> datetime:
    return FIRST + timedelta(days=number)


def test_segments_follow_each_other_from_oldest_to_newest() -> None:
    parts = split(first=day(0), last=day(100), anchor=day(100), config=CONFIG)
    assert [(part.start, part.end) for part in parts.values()] == [
        (day(0), day(50)), (day(50), day(85)), (day(85), day(100)),
    ]
    assert list(parts) == [SegmentName.SEARCH, SegmentName.SELECTION, SegmentName.VAULT]


def test_history_longer_than_the_maximum_is_cut_at_its_old_end() -> None:
    parts = split(first=day(0), last=day(1000), anchor=day(1000), config=CONFIG)
    assert parts[SegmentName.SEARCH].start == day(1000 - CONFIG.history_days_max)
    assert parts[SegmentName.VAULT].end == day(1000)


def test_a_day_short_of_the_minimum_is_refused_with_both_numbers() -> None:
    split(first=day(0), last=day(60), anchor=day(60), config=CONFIG)
    with pytest.raises(DataError, match=r"59 whole days .* needs 60"):
        split(first=day(0), last=day(59) + timedelta(hours=23), anchor=day(90), config=CONFIG)


def test_segments_stand_still_while_the_quarter_lasts_and_move_with_the_next() -> None:
    first_night = datetime(2023, 11, 20, 5, tzinfo=UTC)
    recorded = anchor_for(first_night, None)
    assert recorded == datetime(2023, 11, 20, tzinfo=UTC)
    assert anchor_for(datetime(2023, 12, 31, 5, tzinfo=UTC), recorded) == recorded
    assert anchor_for(datetime(2024, 1, 1, 5, tzinfo=UTC), recorded) == datetime(2024, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(("month", "expected"), [(1, 1), (3, 1), (4, 4), (9, 7), (12, 10)])
def test_a_quarter_begins_with_its_first_month(month: int, expected: int) -> None:
    assert quarter_start(datetime(2023, month, 28, 13, tzinfo=UTC)) == datetime(2023, expected, 1, tzinfo=UTC)


def test_parts_that_leave_no_vault_are_refused() -> None:
    config = OrchestratorConfig(search_pct="0.6", selection_pct="0.4")
    with pytest.raises(DataError, match="below 1"):
        split(first=day(0), last=day(100), anchor=day(100), config=config)


@given(
    start_minutes=st.integers(0, 60 * 24 * 30), days=st.integers(65, 900), anchor_days=st.integers(0, 40),
)
def test_segments_are_disjoint_and_never_reach_past_history_or_anchor(
    start_minutes: int, days: int, anchor_days: int
) -> None:
    first = FIRST + timedelta(minutes=start_minutes)
    last = first + timedelta(days=days)
    anchor = last - timedelta(days=anchor_days)
    try:
        parts = list(split(first=first, last=last, anchor=anchor, config=CONFIG).values())
    except DataError:
        assert days - anchor_days <= CONFIG.history_days_min + 2
        return
    assert parts[0].start >= first
    assert parts[-1].end <= min(last, anchor)
    assert all(older.end == newer.start for older, newer in zip(parts, parts[1:], strict=False))
    assert all(part.days >= 1 and part.start.hour == part.start.minute == 0 for part in parts)
