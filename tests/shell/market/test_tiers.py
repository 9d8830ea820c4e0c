"""Tiers over time: nothing is lost whatever crashes when, running again changes nothing, full history is full."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.errors import DataError
from shell.market.aggregate import aggregate, closed_only
from shell.market.archive import Archive
from shell.market.bars import Tier
from shell.market.frames import open_ms_of
from shell.market.tiers import aggregate_tiers, build_tiers, full_history, kept_since
from shell.store.candles import CandleStore
from shell.store.store import Store
from tests.shell.market.series import START, START_MS, five_minutes, frame_at

DAYS = 34
NOW = START + timedelta(days=DAYS, hours=5, minutes=20)
FAR_BACK, FAR = START - timedelta(days=4000), START + timedelta(days=4000)
FRAME = five_minutes(DAYS * 288 + 64)


@pytest.fixture
def candles(tmp_path: Path) -> Iterator[CandleStore]:
    with Store.open(tmp_path / "brain.db") as store:
        yield CandleStore(store)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "archive")


def stored(candles: CandleStore, tier: Tier) -> pl.DataFrame:
    return candles.between("BTC/USD", tier, FAR_BACK, FAR)


def test_a_night_builds_what_has_closed_and_archives_what_has_left(candles: CandleStore, archive: Archive) -> None:
    candles.add("BTC/USD", Tier.M5, FRAME)
    done = aggregate_tiers(candles, archive, NOW)
    for tier in (Tier.H1, Tier.D1):
        assert stored(candles, tier).equals(closed_only(aggregate(FRAME, tier), tier, int(NOW.timestamp() * 1000)))
    left = 4 * 288
    assert done.as_dict() == {
        "h1_built": DAYS * 24 + 5,
        "d1_built": DAYS,
        "m5_archived": left,
        "h1_archived": 0,
        "d1_archived": 0,
    }
    assert kept_since(Tier.M5, NOW) == START + timedelta(days=4)
    assert stored(candles, Tier.M5).equals(FRAME.slice(left))
    assert archive.read("BTC/USD", Tier.M5, FAR_BACK, FAR).equals(FRAME.head(left))


def test_the_window_of_a_strategy_is_complete_after_a_night(candles: CandleStore, archive: Archive) -> None:
    candles.add("BTC/USD", Tier.M5, FRAME)
    before = candles.window("BTC/USD", Tier.M5, NOW)
    aggregate_tiers(candles, archive, NOW)
    assert candles.window("BTC/USD", Tier.M5, NOW).equals(before)


def test_a_second_run_changes_nothing(candles: CandleStore, archive: Archive) -> None:
    candles.add("BTC/USD", Tier.M5, FRAME)
    aggregate_tiers(candles, archive, NOW)
    tiers = [stored(candles, tier) for tier in Tier]
    assert set(aggregate_tiers(candles, archive, NOW).as_dict().values()) == {0}
    assert all(stored(candles, tier).equals(frame) for tier, frame in zip(Tier, tiers, strict=True))


@contextmanager
def _failing_at_its_end(transaction: AbstractContextManager[Any]) -> Iterator[Any]:
    with transaction as connection:
        yield connection
        raise RuntimeError("crash")


def _crashing(real: Callable[..., Any], nth: int, after: bool) -> Callable[..., Any]:
    """`real`, but its nth call raises before it begins or after it took effect."""
    calls = itertools.count()

    def call(*arguments: Any, **options: Any) -> Any:
        number = next(calls)
        if number == nth and not after:
            raise RuntimeError("crash")
        result = real(*arguments, **options)
        if number == nth:
            raise RuntimeError("crash")
        return result

    return call


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("step", "nth"), [("add", 1), ("add", 5), ("write", 0), ("write", 1), ("delete_before", 1)])
def test_a_crash_around_any_step_loses_nothing_and_the_next_run_finishes(
    candles: CandleStore, archive: Archive, monkeypatch: pytest.MonkeyPatch, step: str, nth: int, after: bool
) -> None:
    owner = archive if step == "write" else candles
    _crash_then_finish(candles, archive, monkeypatch, owner, step, _crashing(getattr(owner, step), nth, after))


def test_a_crash_just_before_the_commit_loses_nothing(
    candles: CandleStore, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = candles.transaction
    _crash_then_finish(candles, archive, monkeypatch, candles, "transaction", lambda: _failing_at_its_end(real()))


def _crash_then_finish(
    candles: CandleStore,
    archive: Archive,
    monkeypatch: pytest.MonkeyPatch,
    owner: object,
    step: str,
    replacement: Callable[..., Any],
) -> None:
    """A night that crashes in `step` changes nothing in the store and loses no bar; the next one finishes the work."""
    sparse, symbols = FRAME.gather_every(6), ("BTC/USD", "ETH/USD")
    for symbol in symbols:
        candles.add(symbol, Tier.M5, sparse)
    before = candles.coverage()
    with monkeypatch.context() as patch:
        patch.setattr(owner, step, replacement)
        with pytest.raises(RuntimeError, match="crash"):
            aggregate_tiers(candles, archive, NOW)
    assert candles.coverage() == before
    for symbol in symbols:
        assert full_history(candles, archive, [symbol], START, NOW).m5[symbol].equals(sparse)
    aggregate_tiers(candles, archive, NOW)
    for symbol in symbols:
        history = full_history(candles, archive, [symbol], START, NOW)
        assert history.m5[symbol].equals(sparse)
        assert history.h1[symbol].equals(aggregate(sparse, Tier.H1).head(DAYS * 24 + 5))
        assert candles.span(symbol, Tier.M5) == (START_MS + 4 * Tier.D1.ms, open_ms_of(sparse)[-1])


def test_nights_in_a_row_build_the_same_as_one_at_the_end(tmp_path: Path) -> None:
    results = []
    for name, nights in (("daily", range(1, DAYS + 1)), ("once", [DAYS])):
        with Store.open(tmp_path / f"{name}.db") as store:
            candles, archive = CandleStore(store), Archive(tmp_path / name)
            known = 0
            for day in nights:
                now = START + timedelta(days=day, hours=5)
                candles.add("BTC/USD", Tier.M5, FRAME.slice(known, day * 288 + 60 - known))
                known = day * 288 + 60
                aggregate_tiers(candles, archive, now)
            tiers = [stored(candles, tier) for tier in Tier]
            results.append([*tiers, archive.read("BTC/USD", Tier.M5, FAR_BACK, FAR)])
    assert all(one.equals(other) for one, other in zip(*results, strict=True))


def test_bars_that_come_late_are_in_the_next_nights_hours(candles: CandleStore, archive: Archive) -> None:
    candles.add("BTC/USD", Tier.M5, pl.concat([FRAME.head(9000), FRAME.slice(9012)]))
    aggregate_tiers(candles, archive, NOW)
    candles.add("BTC/USD", Tier.M5, FRAME.slice(9000, 12))
    build_tiers(candles, "BTC/USD", FRAME["timestamp"][9000], NOW)
    expected = closed_only(aggregate(FRAME, Tier.H1), Tier.H1, int(NOW.timestamp() * 1000))
    assert stored(candles, Tier.H1).equals(expected)


def test_an_hour_or_day_that_knows_more_is_not_replaced_by_one_built_from_a_part(
    candles: CandleStore, archive: Archive
) -> None:
    whole = five_minutes(3 * 288)
    candles.add("BTC/USD", Tier.H1, aggregate(whole, Tier.H1))
    candles.add("BTC/USD", Tier.M5, whole.slice(288 + 100))
    aggregate_tiers(candles, archive, START + timedelta(days=3))
    assert stored(candles, Tier.H1).equals(aggregate(whole, Tier.H1))
    days, expected = stored(candles, Tier.D1), aggregate(whole, Tier.D1)
    assert days.drop("volume").equals(expected.drop("volume"))
    assert days["volume"].to_list() == pytest.approx(expected["volume"].to_list(), rel=1e-12)


def test_days_are_built_from_hours_where_there_are_no_5m_bars(candles: CandleStore, archive: Archive) -> None:
    hours = frame_at([START_MS + at * Tier.H1.ms for at in range(60)])
    candles.add("BTC/USD", Tier.H1, hours)
    assert aggregate_tiers(candles, archive, START + timedelta(hours=60)).d1_built == 2
    assert stored(candles, Tier.D1).equals(aggregate(hours, Tier.D1).head(2))


def test_hours_leave_for_the_archive_after_a_year_and_days_after_seven(candles: CandleStore, archive: Archive) -> None:
    hours = frame_at([START_MS + at * Tier.H1.ms for at in range(48)])
    candles.add("BTC/USD", Tier.H1, hours)
    done = aggregate_tiers(candles, archive, START + timedelta(days=366, minutes=1))
    assert (done.h1_archived, done.d1_built) == (24, 2)
    done = aggregate_tiers(candles, archive, START + timedelta(days=7 * 365 + 1))
    assert (done.h1_archived, done.d1_archived) == (24, 1)
    assert archive.read("BTC/USD", Tier.H1, FAR_BACK, FAR).equals(hours)


@pytest.fixture(scope="module")
def aged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[CandleStore, Archive]]:
    """A store and archive after a night, with part of the bars in each."""
    folder = tmp_path_factory.mktemp("aged")
    with Store.open(folder / "brain.db") as store:
        candles, archive = CandleStore(store), Archive(folder / "archive")
        candles.add("BTC/USD", Tier.M5, FRAME)
        aggregate_tiers(candles, archive, NOW)
        yield candles, archive


@given(begin=st.integers(0, DAYS * 288), length=st.integers(1, DAYS * 288), seconds=st.integers(0, 299))
def test_full_history_is_every_closed_bar_of_the_period_and_none_after_its_end(
    aged: tuple[CandleStore, Archive], begin: int, length: int, seconds: int
) -> None:
    candles, archive = aged
    start = START + begin * timedelta(minutes=5)
    end = start + length * timedelta(minutes=5) + timedelta(seconds=seconds)
    history = full_history(candles, archive, ["BTC/USD"], start, end)
    assert history.m5["BTC/USD"].equals(FRAME.slice(begin, length))
    for tier, frames in ((Tier.H1, history.h1), (Tier.D1, history.d1)):
        for frame in frames.values():
            assert frame["timestamp"][-1] + timedelta(milliseconds=tier.ms) <= end
            assert frame["timestamp"][0] == START


def test_a_period_without_bars_gets_a_sentence(aged: tuple[CandleStore, Archive]) -> None:
    candles, archive = aged
    with pytest.raises(DataError, match="no 5m bars of BTC/USD from 2034"):
        full_history(candles, archive, ["BTC/USD"], datetime(2034, 1, 1, tzinfo=START.tzinfo), FAR)
