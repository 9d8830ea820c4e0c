"""The market book: what is revealed when, whatever the series looks like."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.clock import to_ms
from shell.errors import DataError
from shell.market.aggregate import aggregate_rows
from shell.market.bars import TIERS, Tier
from shell.market.book import MarketBook, ReplayFeed
from shell.market.frames import rows_of
from shell.market.history import History
from tests.shell.scripted import BTC, ETH, START, STEP, candles, flat


def book_of(history: History, start: timedelta = timedelta(0)) -> MarketBook:
    begin = START + start
    book = MarketBook(history.symbols, ReplayFeed(history, history.symbols, begin, START + timedelta(days=30)))
    book.preload(history, begin)
    return book


@given(
    present=st.lists(st.booleans(), min_size=2, max_size=900),
    warm=st.integers(0, 400),
    jumps=st.lists(st.integers(1, 200), min_size=1, max_size=12),
)
def test_no_bar_that_closes_after_now_is_ever_revealed_and_none_is_lost(
    present: list[bool], warm: int, jumps: list[int]
) -> None:
    bars = [(100.0 + n, 101.0 + n, 99.0 + n, 100.5 + n) if there else None for n, there in enumerate(present)]
    history = History(m5={BTC: candles(bars)})
    book = book_of(history, warm * STEP)
    now, cursor = START + warm * STEP, book.cursor
    for jump in jumps:
        now += jump * STEP
        book.advance(now)
        fresh = book.bars_since(cursor)
        cursor += len(fresh)
        assert all(bar.close_ms <= to_ms(now) for bar in fresh)
        everything = rows_of(history.m5[BTC])
        for tier in TIERS:
            whole = (
                everything if tier is Tier.M5 else aggregate_rows(everything[everything[:, 0] + 300_000 <= to_ms(now)], tier)
            )
            closed = whole[whole[:, 0] + tier.ms <= to_ms(now)]
            window = book.windows()[BTC, tier]
            assert np.array_equal(window, closed[closed[:, 0] >= to_ms(now) - tier.kept_ms])


def test_an_hour_is_revealed_when_it_ends_even_if_its_last_bars_are_missing() -> None:
    bars = [*flat(100.0, 6), *[None] * 6, *flat(100.0, 13)]
    book = book_of(History(m5={BTC: candles(bars)}))
    book.advance(START + 11 * STEP)
    assert len(book.windows()[BTC, Tier.H1]) == 0
    book.advance(START + 12 * STEP)
    assert len(book.windows()[BTC, Tier.H1]) == 1


def test_a_symbol_without_history_is_named() -> None:
    history = History(m5={BTC: candles(flat(1.0, 3))})
    book = MarketBook((BTC, ETH), ReplayFeed(history, (BTC,), START, START + timedelta(days=1)))
    with pytest.raises(DataError, match="ETH/USD"):
        book.preload(history, START)


def test_a_quote_is_as_old_as_its_bar() -> None:
    book = book_of(History(m5={BTC: candles([*flat(100.0, 2), None, None])}))
    book.advance(START + 4 * STEP)
    quote = book.quote(BTC)
    assert quote is not None
    assert quote.at_ms == to_ms(START + 2 * STEP)


def test_advancing_to_the_same_moment_again_changes_nothing() -> None:
    book = book_of(History(m5={BTC: candles(flat(100.0, 30))}))
    book.advance(START + 20 * STEP)
    cursor = book.cursor
    book.advance(START + 20 * STEP)
    assert book.cursor == cursor
