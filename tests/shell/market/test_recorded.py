"""The recorded book answers what the market book answers, bar by bar, hole by hole; and shows nothing early."""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shell.clock import to_ms
from shell.errors import DataError
from shell.market.bars import TIERS, Tier
from shell.market.book import MarketBook, ReplayFeed
from shell.market.history import History
from shell.market.recorded import RecordedBook
from shell.market.recorder import recording_of
from tests.shell.scripted import BTC, ETH, START, STEP, candles, flat

SPREAD = 0.001


def series(present: list[bool], base: float) -> list[tuple[float, float, float, float] | None]:
    return [(base + n, base + 2 + n, base - 1 + n, base + 0.5 + n) if there else None for n, there in enumerate(present)]


def both(history: History, warm: int, steps: int) -> tuple[MarketBook, RecordedBook]:
    begin, end = START + warm * STEP, START + (warm + steps) * STEP
    plain = MarketBook(history.symbols, ReplayFeed(history, history.symbols, begin, end), spread_pct=SPREAD)
    plain.preload(history, begin)
    return plain, RecordedBook(recording_of(history, history.symbols, begin, end), spread_pct=SPREAD)


@settings(deadline=None, max_examples=40)
@given(
    first=st.lists(st.booleans(), min_size=30, max_size=700),
    second=st.lists(st.booleans(), min_size=30, max_size=700),
    warm=st.integers(0, 300),
    jumps=st.lists(st.integers(1, 40), min_size=1, max_size=25),
)
def test_it_equals_the_market_book_whatever_is_missing(
    first: list[bool], second: list[bool], warm: int, jumps: list[int]
) -> None:
    history = History(m5={BTC: candles(series(first, 100.0)), ETH: candles(series(second, 50.0))})
    plain, recorded = both(history, warm, sum(jumps))
    now, seen, slot = START + warm * STEP, plain.cursor, recorded.cursor
    for jump in jumps:
        now += jump * STEP
        plain.advance(now)
        recorded.advance(now)
        fresh = sorted(plain.bars_since(seen), key=lambda bar: (bar.close_ms, bar.tier.ms, bar.symbol))
        shown = sorted(recorded.bars_since(slot), key=lambda bar: (bar.close_ms, bar.tier.ms, bar.symbol))
        assert shown == fresh
        assert recorded.m5_since(slot, {BTC}) == [bar for bar in plain.bars_since(seen) if (bar.symbol, bar.tier) == (BTC, Tier.M5)]
        seen, slot = plain.cursor, recorded.cursor
        for symbol in history.symbols:
            assert recorded.quote(symbol) == plain.quote(symbol)
            assert recorded.price(symbol) == plain.price(symbol)
            for tier in TIERS:
                np.testing.assert_array_equal(recorded.windows()[symbol, tier], plain.windows()[symbol, tier])


def test_bars_of_one_moment_come_as_they_closed() -> None:
    history = History(m5={BTC: candles(flat(100.0, 24)), ETH: candles(flat(50.0, 24))})
    plain, recorded = both(history, 0, 24)
    for step in range(1, 25):
        cursor, slot = plain.cursor, recorded.cursor
        plain.advance(START + step * STEP)
        recorded.advance(START + step * STEP)
        assert recorded.bars_since(slot) == list(plain.bars_since(cursor))


def test_counts_say_when_an_hour_has_closed_and_not_before() -> None:
    history = History(m5={BTC: candles(flat(100.0, 40))})
    _, book = both(history, 0, 40)
    assert [book.counts(slot).h1 for slot in (0, 11, 12, 23, 24)] == [0, 0, 1, 1, 2]
    assert book.next_counts(0) == 12
    assert book.next_counts(12) == 24
    assert book.next_counts(36) == book.slots + 1


def test_closes_are_the_newest_known_and_nothing_before_there_is_one() -> None:
    history = History(m5={BTC: candles([None, None, *flat(7.0, 1), None, *flat(9.0, 1)])})
    _, book = both(history, 0, 5)
    assert [value if value == value else None for value in book.closes[0].tolist()] == [None, None, None, 7.0, 7.0, 9.0]
    book.advance(START + 2 * STEP)
    assert book.quote(BTC) is None
    assert book.price(BTC) is None
    book.advance(START + 4 * STEP)
    quote = book.quote(BTC)
    assert quote is not None
    assert quote.at_ms == to_ms(START + 3 * STEP)
    assert math.isclose(quote.ask - quote.bid, 7.0 * SPREAD)


def test_a_deeper_series_is_the_past_of_the_higher_tiers() -> None:
    history = History(m5={BTC: candles(flat(100.0, 40))}, h1={BTC: candles(flat(3.0, 1), start=START - timedelta(hours=5))})
    plain, recorded = both(history, 24, 16)
    np.testing.assert_array_equal(recorded.windows()[BTC, Tier.H1], plain.windows()[BTC, Tier.H1])
    assert len(recorded.windows()[BTC, Tier.H1]) == 3


def test_unusable_histories_get_a_sentence() -> None:
    history = History(m5={BTC: candles(flat(1.0, 3))})
    with pytest.raises(DataError, match="ETH/USD"):
        recording_of(history, (BTC, ETH), START, START + STEP)
    beside = History(m5={BTC: candles(flat(1.0, 3), start=START + timedelta(minutes=2))})
    with pytest.raises(DataError, match="multiple of five minutes"):
        recording_of(beside, (BTC,), START, START + 10 * STEP)
