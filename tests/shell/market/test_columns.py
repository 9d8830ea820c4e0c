"""Growing columns: what was shown once never changes, and a window holds closed bars only."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.market.bars import CANDLE_COLUMNS, Tier
from shell.market.columns import CAPACITY_MIN, Columns, bars_of
from shell.market.frames import CANDLE_SCHEMA, empty_frame, rows_of, to_frame
from tests.shell.market.series import START_MS, bar_times, rows_at


def test_earlier_views_and_frames_stay_true_while_bars_are_appended() -> None:
    rows = rows_at([START_MS + at * Tier.M5.ms for at in range(5 * CAPACITY_MIN)])
    columns = Columns(tier=Tier.M5)
    shown = []
    for row in rows:
        columns.append(int(row[0]), *row[1:])
        end_ms = int(row[0]) + Tier.M5.ms
        view, frame = columns.window(end_ms, Tier.M5.kept_ms), columns.frame(end_ms, Tier.M5.kept_ms)
        shown.append((view, frame, len(columns)))
    for view, frame, count in shown:
        assert np.array_equal(view, rows[:count])
        assert frame.equals(to_frame(rows[:count]))


def test_a_frame_shows_the_columns_memory_without_copying() -> None:
    columns = Columns(rows_at([START_MS + at * Tier.M5.ms for at in range(10)]))
    first, second = columns.frame_of(0, 10)["close"], columns.frame_of(0, 10)["close"]
    address = first.to_numpy(allow_copy=False).__array_interface__["data"][0]
    assert address == second.to_numpy(allow_copy=False).__array_interface__["data"][0]
    assert address == columns.slice(0, 10)[:, 4].__array_interface__["data"][0]


def test_a_view_cannot_be_written_to() -> None:
    columns = Columns(rows_at([START_MS, START_MS + Tier.M5.ms]))
    with pytest.raises(ValueError, match="read-only"):
        columns.slice(0, 2)[0, 1] = 0.0


def test_a_frame_has_the_contract_columns() -> None:
    columns = Columns(rows_at([START_MS]))
    assert columns.frame_of(0, 1).schema == CANDLE_SCHEMA
    assert tuple(columns.frame_of(0, 1).columns) == CANDLE_COLUMNS
    assert columns.frame_of(0, 1)["timestamp"].dtype == pl.Datetime("ms", "UTC")
    assert Columns().frame_of(0, 0).equals(empty_frame())


@pytest.mark.parametrize("late", [0, -Tier.M5.ms])
def test_a_bar_that_is_not_later_is_refused_and_nothing_changes(late: int) -> None:
    columns = Columns(rows_at([START_MS]))
    with pytest.raises(ValueError, match="does not come after"):
        columns.append(START_MS + late, 1, 1, 1, 1, 1)
    with pytest.raises(ValueError, match="increasing"):
        columns.extend(rows_at([START_MS + Tier.M5.ms, START_MS + late]))
    assert len(columns) == 1
    assert columns.last_ms == START_MS


def test_rows_are_read_from_both_ends() -> None:
    rows = rows_at([START_MS, START_MS + Tier.M5.ms])
    columns = Columns(rows)
    assert columns.row(0) == tuple(rows[0])
    assert columns.row(-1) == tuple(rows[1])
    with pytest.raises(IndexError):
        columns.row(2)


@given(times=bar_times(), end=st.integers(-10, 3 * 288 + 10), offset=st.integers(0, Tier.M5.ms - 1))
def test_a_window_holds_exactly_the_closed_bars_of_its_span(times: list[int], end: int, offset: int) -> None:
    columns = Columns(rows_at(times), tier=Tier.M5)
    end_ms, kept_ms = START_MS + end * Tier.M5.ms + offset, 100 * Tier.M5.ms
    expected = [at for at in times if at >= end_ms - kept_ms and at + Tier.M5.ms <= end_ms]
    assert columns.window(end_ms, kept_ms)[:, 0].tolist() == expected
    assert columns.frame(end_ms, kept_ms)["timestamp"].to_physical().to_list() == expected


def test_a_full_window_has_as_many_bars_as_the_tier_says() -> None:
    count = Tier.M5.window_bars + 50
    columns = Columns(rows_at([START_MS + at * Tier.M5.ms for at in range(count)]), tier=Tier.M5)
    assert len(columns.window(START_MS + count * Tier.M5.ms, Tier.M5.kept_ms)) == Tier.M5.window_bars


@given(times=bar_times())
def test_rows_and_frames_are_each_others_inverse(times: list[int]) -> None:
    rows = rows_at(times)
    assert np.array_equal(rows_of(to_frame(rows)), rows)
    assert [bar.open_ms for bar in bars_of("BTC/USD", Tier.M5, rows)] == times
