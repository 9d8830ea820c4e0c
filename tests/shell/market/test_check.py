"""Checking: each flaw is found, told and left out; what is sound stays as it was; holes are listed, not filled."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given

from shell.market.bars import Tier
from shell.market.check import Flaw, check_frame
from shell.market.folder import check_folder
from tests.shell.market.series import START_MS, bar_times, five_minutes, frame_at


def with_value(frame: pl.DataFrame, row: int, **values: float | datetime | None) -> pl.DataFrame:
    rows = frame.to_dicts()
    rows[row] |= values
    return pl.DataFrame(rows, schema=frame.schema)


@given(times=bar_times())
def test_sound_bars_pass_unchanged_and_every_missing_slot_is_in_a_gap(times: list[int]) -> None:
    frame = frame_at(times)
    checked = check_frame("X/Y", Tier.M5, frame)
    assert checked.clean.equals(frame)
    assert checked.report.ok
    slots = (times[-1] - times[0]) // Tier.M5.ms + 1
    assert checked.report.missing_bars == slots - len(times) == sum(gap.bars for gap in checked.report.gaps)
    for gap in checked.report.gaps:
        assert (gap.last - gap.first).total_seconds() == (gap.bars - 1) * 300
        assert gap.first.timestamp() * 1000 not in times


@pytest.mark.parametrize(
    ("values", "flaw", "counter"),
    [
        ({"close": None}, Flaw.NOT_A_NUMBER, "not_a_number"),
        ({"volume": float("nan")}, Flaw.NOT_A_NUMBER, "not_a_number"),
        ({"high": float("inf")}, Flaw.NOT_A_NUMBER, "not_a_number"),
        ({"timestamp": None}, Flaw.NOT_A_NUMBER, "not_a_number"),
        ({"low": 0.0}, Flaw.ZERO_OR_NEGATIVE, "zero_or_negative"),
        ({"volume": -1.0}, Flaw.ZERO_OR_NEGATIVE, "zero_or_negative"),
        ({"high": 1.0}, Flaw.BAD_OHLC, "bad_ohlc"),
        ({"timestamp": datetime(2024, 3, 1, 0, 26, tzinfo=UTC)}, Flaw.OFF_GRID, "off_grid"),
        ({"timestamp": datetime(2024, 3, 1, 0, 5, tzinfo=UTC)}, Flaw.OUT_OF_ORDER, "out_of_order"),
        ({"timestamp": datetime(2024, 3, 1, 0, 20, tzinfo=UTC)}, Flaw.DUPLICATE, "duplicates"),
        ({"low": 0.01}, Flaw.ABSURD_WICK, "absurd_wicks"),
        ({"high": 900.0}, Flaw.ABSURD_WICK, "absurd_wicks"),
        ({"open": 10.0, "high": 10.0, "low": 10.0, "close": 10.0}, Flaw.ABSURD_PRINT, "absurd_wicks"),
    ],
)
def test_a_bad_row_is_left_out_with_its_reason(values: dict[str, float | None], flaw: Flaw, counter: str) -> None:
    frame = with_value(five_minutes(10), 5, **values)
    checked = check_frame("X/Y", Tier.M5, frame)
    assert [(row.index, row.flaw) for row in checked.report.quarantined] == [(5, flaw)]
    assert getattr(checked.report, counter) == 1
    expected = pl.concat([frame.head(5), frame.tail(4)])
    assert checked.clean.equals(expected)
    assert str(flaw) in " ".join(checked.report.sentences())
    json.dumps(checked.report.as_dict(), allow_nan=False)


def test_a_wide_wick_is_told_but_kept() -> None:
    frame = five_minutes(10)
    checked = check_frame("X/Y", Tier.M5, with_value(frame, 5, low=frame["low"][5] * 0.6))
    assert checked.report.wide_wicks == 1
    assert checked.clean.height == 10


def test_a_real_crash_that_lasts_is_no_flaw() -> None:
    frame = five_minutes(10)
    halved = frame.with_columns(pl.col("open", "high", "low", "close") * 0.3)
    crash = pl.concat([frame.head(5), halved.tail(5)])
    assert check_frame("X/Y", Tier.M5, crash).report.ok


def test_a_good_row_is_kept_when_the_bad_one_of_the_same_time_came_first() -> None:
    frame = five_minutes(10)
    doubled = pl.concat([frame.head(6), frame.slice(5, 5)])
    checked = check_frame("X/Y", Tier.M5, with_value(doubled, 5, low=-1.0))
    assert checked.clean.equals(frame)


def test_volume_zero_is_counted_and_kept() -> None:
    checked = check_frame("X/Y", Tier.M5, with_value(five_minutes(10), 5, volume=0.0))
    assert checked.report.zero_volume == 1
    assert checked.clean.height == 10


def test_an_empty_series_has_an_empty_report() -> None:
    checked = check_frame("X/Y", Tier.M5, five_minutes(0))
    assert (checked.report.rows, checked.report.first, checked.report.gaps) == (0, None, ())


def test_the_hole_of_march_2023_is_found_in_real_bars(market_data: Path) -> None:
    series = check_folder(market_data / "binance", ["BTC-USDT"]).series
    m5 = next(report for report in series if report.tier is Tier.M5)
    (gap,) = m5.gaps
    assert gap.first == datetime(2023, 3, 24, 12, 40, tzinfo=UTC)
    assert gap.last == datetime(2023, 3, 24, 13, 55, tzinfo=UTC)
    assert gap.bars == 16
    assert m5.ok


def test_the_wick_to_one_cent_of_april_2013_is_found_in_real_bars(market_data: Path) -> None:
    (report,) = check_folder(market_data / "bitfinex", ["BTC-USD"]).series
    wick = next(row for row in report.quarantined if row.low == 0.01)
    assert wick.open_ms == datetime(2013, 4, 16, 4, 35, tzinfo=UTC).timestamp() * 1000
    assert wick.flaw is Flaw.ABSURD_WICK
    assert len(report.quarantined) < 20


def test_gaps_count_the_bars_between_two_rows() -> None:
    frame = frame_at([START_MS, START_MS + 3 * Tier.M5.ms])
    (gap,) = check_frame("X/Y", Tier.M5, frame).report.gaps
    assert gap.as_dict() == {
        "from": "2024-03-01T00:05:00+00:00",
        "to": "2024-03-01T00:10:00+00:00",
        "bars": 2,
    }
