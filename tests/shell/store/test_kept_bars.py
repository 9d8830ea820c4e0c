"""Bars that are kept in memory are always those that the database holds, whatever was written, deleted or undone since."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.market.bars import Tier
from shell.market.columns import BarArray
from shell.market.frames import to_frame
from shell.store.candles import CandleStore
from shell.store.kept_bars import KeptBars
from shell.store.store import Store
from tests.shell.market.series import START, START_MS, five_minutes

BTC = "BTC/USD"
FIVE = timedelta(minutes=5)
BARS = 60
SERIES = (BTC, Tier.M5)
AT = st.integers(0, BARS - 1)
# A stretch of bars is written with a value, all before a bar are deleted, or a stretch is read.
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("write"), AT, AT, st.floats(1.0, 9.0)), st.tuples(st.just("delete"), AT, AT, st.just(0.0)),
        st.tuples(st.just("undone"), AT, AT, st.floats(1.0, 9.0)), st.tuples(st.just("read"), AT, AT, st.just(0.0)),
    ),
    min_size=4, max_size=14,
)


def written(first: int, last: int, value: float) -> pl.DataFrame:
    times = START_MS + np.arange(first, last + 1, dtype=np.float64) * Tier.M5.ms
    return to_frame(np.asfortranarray(np.column_stack([times, *[np.full(len(times), value)] * 5])))


@contextmanager
def opened(path: Path) -> Iterator[tuple[Store, CandleStore]]:
    with Store.open(path) as store:
        yield store, CandleStore(store)


@given(changes=CHANGES)
def test_what_is_kept_is_what_is_stored(tmp_path_factory: pytest.TempPathFactory, changes: list[Any]) -> None:
    with opened(tmp_path_factory.mktemp("kept") / "brain.db") as (store, candles):
        # Another object over the same store: whoever writes, all forget.
        writer = CandleStore(store)
        candles.add(BTC, Tier.M5, five_minutes(BARS // 2))
        for kind, one, other, value in [*changes, ("read", 0, BARS - 1, 0.0)]:
            first, last = min(one, other), max(one, other)
            match kind:
                case "write":
                    writer.add(BTC, Tier.M5, written(first, last, value), replace=value > 3)
                case "delete":
                    candles.delete_before(BTC, Tier.M5, START + first * FIVE)
                case "undone":
                    with pytest.raises(KeyError), store.transaction():
                        candles.add(BTC, Tier.M5, written(first, last, value))
                        candles.delete_before(BTC, Tier.M5, START + first * FIVE)
                        # What is read before it is undone is not kept, either.
                        candles.kept.between(BTC, Tier.M5, START, START + BARS * FIVE)
                        raise KeyError
            begin, end = START + first * FIVE, START + (last + 1) * FIVE
            expected = candles.between(BTC, Tier.M5, begin, end)
            assert candles.kept.between(BTC, Tier.M5, begin, end).equals(expected)


def test_what_another_connection_writes_is_seen(tmp_path: Path) -> None:
    with opened(tmp_path / "brain.db") as (_, candles):
        candles.add(BTC, Tier.M5, five_minutes(10))
        before = candles.kept.between(BTC, Tier.M5, START, START + 10 * FIVE)
        with opened(tmp_path / "brain.db") as (_, others):
            others.add(BTC, Tier.M5, written(3, 4, 7.0))
        after = candles.kept.between(BTC, Tier.M5, START, START + 10 * FIVE)
        assert not after.equals(before)
        assert after.equals(candles.between(BTC, Tier.M5, START, START + 10 * FIVE))


def asked(kept: KeptBars, version: int | None, first: int, last: int) -> list[tuple[int, int]]:
    """The stretches that are read from a database with one bar a millisecond."""
    found: list[tuple[int, int]] = []

    def select(first_ms: int, last_ms: int) -> BarArray:
        found.append((first_ms, last_ms))
        return np.asfortranarray(np.column_stack([np.arange(first_ms, last_ms + 1, dtype=np.float64)] * 6))

    rows = kept.read(None if version is None else (version, 0), SERIES, first, last, select)
    assert rows[:, 0].tolist() == list(range(first, last + 1))
    return found


def test_only_what_may_have_changed_is_read_again() -> None:
    kept = KeptBars()
    assert asked(kept, 1, 10, 20) == [(10, 20)]
    assert asked(kept, 1, 12, 20) == []
    assert asked(kept, 1, 12, 25) == [(21, 25)]
    kept.wrote(SERIES, 24)
    assert asked(kept, 1, 14, 26) == [(24, 26)]
    kept.wrote((BTC, Tier.H1), 15)
    kept.wrote(SERIES, 27)
    kept.deleted(SERIES, 14)
    assert asked(kept, 1, 14, 26) == []
    # Before what is known, and after the database moved on without us.
    assert asked(kept, 1, 13, 26) == [(13, 26)]
    assert asked(kept, 2, 13, 26) == [(13, 26)]


def test_nothing_is_kept_of_a_database_that_has_no_number_for_its_state() -> None:
    kept = KeptBars()
    assert asked(kept, None, 10, 20) == asked(kept, None, 10, 20) == [(10, 20)]
