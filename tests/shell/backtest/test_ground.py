"""The ground of a run: what is read from its file is what was written, mapped, and cannot be written to."""

from __future__ import annotations

import tempfile
from dataclasses import fields
from datetime import timedelta

import numpy as np
import pytest

from shell.backtest.ground import Ground, read_ground, write_ground
from shell.backtest.window import ground_of, window_of
from shell.errors import DataError, UsageError
from shell.market.bars import TIERS
from shell.market.history import History
from shell.market.recording import Recording
from shell.market.synthetic import synthetic_market
from tests.shell.scripted import BTC, ETH, START, STEP, candles, flat

HISTORY = synthetic_market(11, [BTC, ETH], START, 9)


def ground(history: History = HISTORY, days: int = 2) -> Ground:
    return ground_of(history, window_of(history, START + timedelta(days=days, minutes=2), None), 0.004)


def read_back(written: Ground) -> Ground:
    with tempfile.TemporaryFile() as file:
        write_ground(written, file)
        return read_ground(file.fileno())


@pytest.mark.parametrize("days", [0, 2, 8])
def test_a_ground_comes_back_from_its_file_as_it_was(days: int) -> None:
    made = ground(days=days)
    got = read_back(made)
    assert (got.start, got.end, got.first_prices, got.buy_and_hold_return_pct) == (
        made.start, made.end, made.first_prices, made.buy_and_hold_return_pct
    )
    ours, theirs = got.recording, made.recording
    for name in ("symbols", "start_ms", "slots", "bars"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert {field.name for field in fields(Recording)} == {"symbols", "start_ms", "slots", "bars", "past", "tables", "closes"}
    assert list(ours.past) == list(theirs.past)
    for key, rows in theirs.past.items():
        assert np.array_equal(ours.past[key], rows), key
    assert list(ours.tables) == list(TIERS)
    for tier, table in theirs.tables.items():
        assert np.array_equal(ours.tables[tier], table, equal_nan=True), tier
    assert np.array_equal(ours.closes, theirs.closes, equal_nan=True)


def test_what_was_read_cannot_be_written_to() -> None:
    got = read_back(ground()).recording
    for array in (*got.past.values(), *got.tables.values(), got.closes):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0.0


def test_a_window_begins_at_the_next_five_minutes_and_ends_with_the_history() -> None:
    window = window_of(HISTORY, START + timedelta(minutes=2), START + timedelta(days=400))
    assert window == (START + STEP, START + timedelta(days=9))


def test_a_reversed_window_and_one_without_bars_get_a_sentence() -> None:
    with pytest.raises(UsageError, match="is empty; the history runs from"):
        window_of(HISTORY, START + timedelta(days=3), START + timedelta(days=2))
    hole = History(m5={BTC: candles([*flat(100.0, 2), *[None] * 20, *flat(100.0, 2)])})
    with pytest.raises(DataError, match="no bars between"):
        ground_of(hole, window_of(hole, START + 5 * STEP, START + 10 * STEP), 0.0)
