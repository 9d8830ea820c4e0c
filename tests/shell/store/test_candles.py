"""The candle store: bars come back as they went in, windows never show a bar that has not closed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.clock import to_ms
from shell.errors import DataError
from shell.market.bars import Tier
from shell.market.check import check_frame
from shell.market.synthetic import synthetic_market
from shell.store.candles import CandleStore
from shell.store.store import Store
from tests.shell.market.series import START, START_MS, bar_times, five_minutes, frame_at

FIVE = timedelta(minutes=5)
NOW = START + timedelta(days=40)


@pytest.fixture
def candles(tmp_path: Path) -> Iterator[CandleStore]:
    with Store.open(tmp_path / "brain.db") as store:
        yield CandleStore(store)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CandleStore]:
    """One store for all examples of a property; each example uses a symbol of its own."""
    with Store.open(tmp_path_factory.mktemp("candles") / "brain.db") as store:
        yield CandleStore(store)


def all_of(candles: CandleStore, symbol: str = "BTC/USD") -> pl.DataFrame:
    return candles.before(symbol, Tier.M5, datetime(2100, 1, 1, tzinfo=START.tzinfo))


def test_bars_come_back_bit_for_bit_and_adding_again_adds_nothing(candles: CandleStore) -> None:
    frame = five_minutes(1000)
    assert candles.add("BTC/USD", Tier.M5, frame) == 1000
    assert candles.add("BTC/USD", Tier.M5, frame.slice(200, 300)) == 0
    assert all_of(candles).equals(frame)


def test_a_changed_bar_is_replaced_or_kept_as_asked(candles: CandleStore) -> None:
    frame, other = five_minutes(10), five_minutes(12, seed=1)
    candles.add("BTC/USD", Tier.M5, frame)
    assert candles.add("BTC/USD", Tier.M5, other, replace=False) == 2
    assert all_of(candles).equals(pl.concat([frame, other.tail(2)]))
    assert candles.add("BTC/USD", Tier.M5, other) == 0
    assert all_of(candles).equals(other)


@pytest.mark.parametrize("wrong", ["reversed", "doubled", "not finite"])
def test_bars_that_cannot_be_stored_leave_nothing_behind(candles: CandleStore, wrong: str) -> None:
    frame = five_minutes(10)
    spoiled = {
        "reversed": frame.reverse(),
        "doubled": pl.concat([frame, frame.tail(1)]),
        "not finite": frame.with_columns(close=pl.lit(float("nan"))),
    }[wrong]
    with pytest.raises(DataError, match="strictly increasing"):
        candles.add("BTC/USD", Tier.M5, spoiled)
    assert candles.symbols() == []


_example = iter(range(10**9))


@given(times=bar_times(), end=st.integers(-10, 900), seconds=st.integers(0, 299), length=st.integers(1, 400))
def test_no_window_holds_a_bar_that_closes_after_its_end(
    shared: CandleStore, times: list[int], end: int, seconds: int, length: int
) -> None:
    symbol = f"X{next(_example)}/Y"
    shared.add(symbol, Tier.M5, frame_at(times))
    now = START + end * FIVE + timedelta(seconds=seconds)
    window = shared.window(symbol, Tier.M5, now, length * FIVE)["timestamp"].to_physical().to_list()
    now_ms = to_ms(now)
    assert window == [at for at in times if at >= now_ms - length * Tier.M5.ms and at + Tier.M5.ms <= now_ms]


def test_the_default_window_is_what_the_tier_keeps(candles: CandleStore) -> None:
    frame = five_minutes(32 * 288)
    candles.add("BTC/USD", Tier.M5, frame)
    window = candles.window("BTC/USD", Tier.M5, START + timedelta(days=32))
    assert window.equals(frame.tail(Tier.M5.window_bars))


def test_coverage_tells_each_series_apart(candles: CandleStore) -> None:
    candles.add("ETH/USD", Tier.M5, five_minutes(5))
    candles.add("BTC/USD", Tier.M5, five_minutes(3))
    candles.add("BTC/USD", Tier.H1, frame_at([START_MS]))
    assert [(item.symbol, item.tier, item.bars) for item in candles.coverage()] == [
        ("BTC/USD", Tier.M5, 3),
        ("BTC/USD", Tier.H1, 1),
        ("ETH/USD", Tier.M5, 5),
    ]
    assert candles.symbols() == ["BTC/USD", "ETH/USD"]
    assert candles.span("BTC/USD", Tier.M5) == (START_MS, START_MS + 2 * Tier.M5.ms)
    newest = candles.last("BTC/USD", Tier.M5)
    assert newest is not None
    assert (newest.open_ms, newest.close) == (START_MS + 2 * Tier.M5.ms, five_minutes(3)["close"][2])
    assert candles.last("BTC/USD", Tier.D1) is None
    assert candles.span("SOL/USD", Tier.M5) is None


def test_deleting_stops_at_its_moment(candles: CandleStore) -> None:
    frame = five_minutes(10)
    candles.add("BTC/USD", Tier.M5, frame)
    assert candles.delete_before("BTC/USD", Tier.M5, START + 4 * FIVE) == 4
    assert all_of(candles).equals(frame.tail(6))


def test_holes_are_recorded_once_and_go_when_they_are_filled(candles: CandleStore) -> None:
    frame = five_minutes(20)
    candles.add("BTC/USD", Tier.M5, pl.concat([frame.head(5), frame.slice(8, 4), frame.tail(3)]))
    ends = frame["timestamp"][0], frame["timestamp"][-1]
    found = candles.refresh_gaps("BTC/USD", Tier.M5, *ends, NOW)
    assert [(gap.first, gap.bars) for gap in found] == [(START + 5 * FIVE, 3), (START + 12 * FIVE, 5)]
    assert candles.refresh_gaps("BTC/USD", Tier.M5, *ends, NOW + FIVE) == found
    candles.add("BTC/USD", Tier.M5, frame.slice(5, 3))
    candles.refresh_gaps("BTC/USD", Tier.M5, START + 5 * FIVE, START + 7 * FIVE, NOW + FIVE)
    assert [(gap.first, gap.bars) for gap in candles.gaps("BTC/USD", Tier.M5)] == [(START + 12 * FIVE, 5)]


def test_a_hole_between_two_additions_is_found_by_the_second(candles: CandleStore) -> None:
    frame = five_minutes(20)
    candles.add("BTC/USD", Tier.M5, frame.head(5))
    candles.add("BTC/USD", Tier.M5, frame.tail(5))
    candles.refresh_gaps("BTC/USD", Tier.M5, START + 15 * FIVE, START + 19 * FIVE, NOW)
    assert [(gap.first, gap.bars) for gap in candles.gaps("BTC/USD", Tier.M5)] == [(START + 5 * FIVE, 10)]


def test_rows_left_out_are_kept_with_their_reason_once(candles: CandleStore) -> None:
    frame = five_minutes(10).with_columns(
        low=pl.when(pl.int_range(pl.len()) == 4).then(-1.0).otherwise("low"),
        close=pl.when(pl.int_range(pl.len()) == 6).then(None).otherwise("close"),
    )
    rows = check_frame("BTC/USD", Tier.M5, frame).report.quarantined
    assert candles.quarantine("BTC/USD", Tier.M5, rows, "a.csv") == 2
    assert candles.quarantine("BTC/USD", Tier.M5, rows, "a.csv") == 0
    stored = candles.quarantined("BTC/USD", Tier.M5)
    assert [(row["open_ms"], row["low"], row["close"]) for row in stored] == [
        (START_MS + 4 * Tier.M5.ms, -1.0, frame["close"][4]),
        (START_MS + 6 * Tier.M5.ms, frame["low"][6], None),
    ]
    assert stored[0]["source"] == "a.csv"
    assert "zero or below" in stored[0]["reason"]


def test_several_changes_in_one_transaction_are_undone_together(candles: CandleStore) -> None:
    candles.add("BTC/USD", Tier.M5, five_minutes(5))

    def add_then_fail() -> None:
        with candles.transaction():
            candles.add("BTC/USD", Tier.M5, five_minutes(10))
            candles.delete_before("BTC/USD", Tier.M5, START + 2 * FIVE)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        add_then_fail()
    assert all_of(candles).equals(five_minutes(5))


def test_a_year_of_bars_comes_back_as_it_was_stored(candles: CandleStore) -> None:
    frame = synthetic_market(1, ["BTC/USD"], START, 365).m5["BTC/USD"]
    assert candles.add("BTC/USD", Tier.M5, frame) == 105_120
    assert all_of(candles).equals(frame)
