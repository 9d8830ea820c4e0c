"""Aggregation: hours and days say exactly what their bars said, at once or bar by bar."""

from __future__ import annotations

import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.market.aggregate import BucketBuilder, aggregate, closed_only
from shell.market.bars import Bar, Tier
from shell.market.columns import bars_of
from shell.market.frames import empty_frame, rows_of
from tests.shell.market.series import START_MS, bar_times, five_minutes, frame_at, rows_at

HOUR = Tier.H1.ms


def by_hand(bars: list[Bar], tier: Tier) -> list[tuple[float, ...]]:
    """The definition, one bucket at a time."""
    buckets: dict[int, list[Bar]] = {}
    for bar in bars:
        buckets.setdefault(bar.open_ms // tier.ms * tier.ms, []).append(bar)
    return [
        (
            at,
            group[0].open,
            max(bar.high for bar in group),
            min(bar.low for bar in group),
            group[-1].close,
            math.fsum(bar.volume for bar in group),
        )
        for at, group in buckets.items()
    ]


@pytest.mark.parametrize("tier", [Tier.H1, Tier.D1])
@given(times=bar_times(), seed=st.integers(0, 5))
def test_a_bucket_is_its_bars_and_no_bucket_is_invented(tier: Tier, times: list[int], seed: int) -> None:
    rows = rows_at(times, seed)
    built = rows_of(aggregate(frame_at(times, seed), tier))
    assert [tuple(row) for row in built.tolist()] == by_hand(bars_of("X/Y", Tier.M5, rows), tier)


@given(times=bar_times(), checks=st.lists(st.integers(0, 3 * 288 + 400), max_size=40), seed=st.integers(0, 5))
def test_building_bar_by_bar_equals_aggregating_whatever_the_rhythm(times: list[int], checks: list[int], seed: int) -> None:
    """Bars arrive when they close; `close_until` is called at arbitrary moments besides."""
    builder = BucketBuilder("X/Y")
    frame, bars = frame_at(times, seed), bars_of("X/Y", Tier.M5, rows_at(times, seed))
    moments = [(START_MS + check * Tier.M5.ms, None) for check in checks] + [(bar.close_ms, bar) for bar in bars]
    emitted: list[Bar] = []
    now_ms = 0
    for moment, bar in sorted(moments, key=lambda item: (item[0], item[1] is None)):
        now_ms = max(now_ms, moment)
        if bar is not None:
            builder.push(bar)
        fresh = builder.close_until(now_ms)
        assert all(item.close_ms <= now_ms for item in fresh)
        emitted += fresh
    for tier in (Tier.H1, Tier.D1):
        expected = bars_of("X/Y", tier, rows_of(closed_only(aggregate(frame, tier), tier, now_ms)))
        assert [bar for bar in emitted if bar.tier is tier] == expected


def test_bars_pushed_over_several_hours_are_handed_out_by_closing_time_hours_first() -> None:
    builder = BucketBuilder("X/Y")
    for bar in bars_of("X/Y", Tier.M5, rows_of(five_minutes(2 * 288))):
        builder.push(bar)
    handed = builder.close_until(START_MS + 2 * Tier.D1.ms)
    assert [(bar.close_ms, bar.tier) for bar in handed] == sorted(
        [(START_MS + hour * HOUR, Tier.H1) for hour in range(1, 49)]
        + [(START_MS + day * Tier.D1.ms, Tier.D1) for day in (1, 2)],
        key=lambda item: (item[0], item[1].ms),
    )
    assert builder.close_until(START_MS + 3 * Tier.D1.ms) == []


def test_a_bar_of_a_bucket_already_handed_out_is_refused() -> None:
    builder = BucketBuilder("X/Y")
    first, second = bars_of("X/Y", Tier.M5, rows_of(five_minutes(2)))
    builder.push(first)
    assert len(builder.close_until(START_MS + HOUR)) == 1
    with pytest.raises(ValueError, match="too late"):
        builder.push(second)


def test_days_from_hours_equal_days_from_five_minutes_but_for_the_rounding_of_volume() -> None:
    frame = five_minutes(3 * 288)
    direct, over_hours = aggregate(frame, Tier.D1), aggregate(aggregate(frame, Tier.H1), Tier.D1)
    assert direct.drop("volume").equals(over_hours.drop("volume"))
    assert over_hours["volume"].to_list() == pytest.approx(direct["volume"].to_list(), rel=1e-12)


def test_nothing_makes_nothing() -> None:
    assert aggregate(empty_frame(), Tier.H1).equals(empty_frame())


def test_closed_only_leaves_out_the_bar_still_open() -> None:
    frame = aggregate(five_minutes(30), Tier.H1)
    assert isinstance(frame, pl.DataFrame)
    assert closed_only(frame, Tier.H1, START_MS + 2 * HOUR).height == 2
    assert closed_only(frame, Tier.H1, START_MS + 2 * HOUR - 1).height == 1
