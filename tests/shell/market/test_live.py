"""The market book of a live feed: order, gaps, latecomers, and what of a bar's path is left to walk."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from shell.clock import to_ms
from shell.market.bars import TIERS, Bar, Quote, Tier
from shell.market.book import MarketBook, ReplayFeed
from shell.market.columns import bars_of
from shell.market.frames import rows_of, to_frame
from shell.market.history import History
from shell.market.live import LiveBook
from shell.market.live_inbox import Delivery, Tick
from shell.money import Price
from tests.shell.market.series import rows_at

BTC, ETH, OLD = "BTC/USD", "ETH/USD", "XRP/USD"
START = datetime(2024, 3, 1, 11, tzinfo=UTC)
STEP = timedelta(minutes=5)
M5 = Tier.M5.ms


def bar(number: int, symbol: str = BTC, *, low: float = 99.0, high: float = 101.0, close: float = 100.5) -> Bar:
    """The `number`-th bar from START on, opened at 100."""
    return Bar(symbol, Tier.M5, to_ms(START) + number * M5, 100.0, high, low, close, 1.0)


def tick(price: float, seconds: float, symbol: str = BTC) -> Tick:
    return Tick(symbol, Price(Decimal(str(price))), to_ms(START) + round(seconds * 1000))


def book_at_start() -> LiveBook:
    """Two symbols and a watched one; the past is an hour of bars up to START."""
    times = [to_ms(START) + at * M5 for at in range(-12, 0)]
    history = History(m5={symbol: to_frame(rows_at(times)) for symbol in (BTC, ETH)})
    book = LiveBook((BTC, ETH), watched=(OLD,), spread_pct=0.001)
    book.preload(history, START)
    return book


def told(book: LiveBook, *bars: Bar, until: int | None = None, ticks: tuple[Tick, ...] = ()) -> None:
    """Hand over bars and prices; `until` is the number of the bar before which everything is complete."""
    complete = {} if until is None else dict.fromkeys((BTC, ETH), to_ms(START) + until * M5)
    book.take(Delivery(bars=bars, ticks=ticks, complete=complete))


def shown(book: LiveBook, cursor: int, tier: Tier = Tier.M5, symbol: str = BTC) -> list[int]:
    """Numbers of the bars of a tier that were revealed after `cursor`."""
    return [
        (each.open_ms - to_ms(START)) // M5 for each in book.bars_since(cursor) if (each.tier, each.symbol) == (tier, symbol)
    ]


@settings(max_examples=12)
@given(data=st.data())
def test_bars_told_in_any_order_within_their_slot_give_the_windows_of_a_replay(data: st.DataObject) -> None:
    times = [to_ms(START) + at * M5 for at in range(-12, 26)]
    kept = {
        symbol: [at for at in times if at < to_ms(START) or data.draw(st.booleans(), label="traded")] for symbol in (BTC, ETH)
    }
    history = History(m5={symbol: to_frame(rows_at(kept[symbol])) for symbol in (BTC, ETH)})
    replay = MarketBook((BTC, ETH), ReplayFeed(history, (BTC, ETH), START, START + 60 * STEP))
    live = LiveBook((BTC, ETH))
    for each in (replay, live):
        each.preload(history, START)
    fresh = [
        each for symbol in (BTC, ETH) for each in bars_of(symbol, Tier.M5, rows_of(history.m5[symbol])) if each.open_ms >= to_ms(START)
    ]
    for number in range(1, 27):
        now_ms = to_ms(START) + number * M5
        batch = data.draw(st.permutations([each for each in fresh if each.close_ms == now_ms]), label="order")
        repeated = data.draw(st.sampled_from([[], batch]), label="told twice")
        live.take(Delivery(bars=[*batch, *repeated], complete=dict.fromkeys((BTC, ETH), now_ms)))
        for book in (replay, live):
            book.advance(START + number * STEP)
        for key, window in replay.windows().items():
            assert np.array_equal(window, live.windows()[key]), key
    for symbol in (BTC, ETH):
        for tier in TIERS:
            lived = [each for each in live.bars_since(0) if (each.symbol, each.tier) == (symbol, tier)]
            assert lived == [each for each in replay.bars_since(0) if (each.symbol, each.tier) == (symbol, tier)]
    assert (live.late, live.revised) == (0, 0)


def test_an_hour_is_closed_only_when_every_bar_of_it_has_been_told() -> None:
    book = book_at_start()
    cursor = book.cursor
    told(book, *[bar(number) for number in range(10)], until=10)
    book.advance(START + 12 * STEP)
    assert shown(book, cursor, Tier.H1) == []
    # The feed was cut for ten minutes; the last bars of the hour come a while later, and the hour with them.
    told(book, bar(10), bar(11, low=42.0), until=12)
    book.advance(START + 12 * STEP + timedelta(seconds=30))
    assert shown(book, cursor, Tier.H1) == [0]
    assert book.windows()[BTC, Tier.H1][-1, 3] == 42.0


def test_a_bar_that_comes_after_its_hour_was_handed_out_is_kept_for_the_store_and_breaks_nothing() -> None:
    book = book_at_start()
    told(book, *[bar(number) for number in range(11)], until=12)
    book.advance(START + 12 * STEP)
    cursor = book.cursor
    told(book, bar(11))
    book.advance(START + 13 * STEP)
    assert shown(book, cursor) == []
    assert (book.late, [each.open_ms for each in book.take_corrections()]) == (1, [bar(11).open_ms])
    assert book.take_corrections() == []


def test_a_bar_told_again_with_other_values_is_a_correction_and_the_same_again_is_nothing() -> None:
    book = book_at_start()
    told(book, bar(0), until=1)
    book.advance(START + STEP)
    told(book, bar(0), bar(0, close=100.9))
    book.advance(START + 2 * STEP)
    assert (book.late, book.revised) == (0, 1)
    assert [each.close for each in book.take_corrections()] == [100.9]
    assert book.quote(BTC).last == 100.5  # type: ignore[union-attr]


def test_an_older_bar_than_the_newest_shown_is_a_correction() -> None:
    book = book_at_start()
    told(book, bar(0), bar(2), until=0)
    book.advance(START + 3 * STEP)
    told(book, bar(1))
    assert (book.late, len(book.take_corrections())) == (1, 1)


def test_a_bar_whose_prices_were_seen_is_not_walked_again() -> None:
    book = book_at_start()
    cursor = book.cursor
    told(book, bar(0), until=1, ticks=(tick(100, 1), tick(99, 60), tick(101, 120), tick(100.5, 200)))
    book.advance(START + STEP)
    assert book.unseen_since(cursor, {BTC}) == []
    assert len(book.m5_since(cursor, {BTC})) == 1


def test_a_bar_of_a_gap_is_walked_whole_and_of_one_partly_seen_only_what_lies_beyond() -> None:
    book = book_at_start()
    cursor = book.cursor
    told(book, bar(0), bar(1, low=95.0), until=2, ticks=(tick(100, 310), tick(101, 360)))
    book.advance(START + 2 * STEP)
    first, second = book.unseen_since(cursor, {BTC})
    assert first == bar(0)
    assert (second.open, second.low, second.high, second.close) == (100.5, 95.0, 100.5, 100.5)


def test_what_a_strategy_sees_is_the_close_while_risk_has_the_live_quote() -> None:
    book = book_at_start()
    told(book, bar(0), until=1)
    book.advance(START + STEP)
    live = Quote(BTC, 110.0, 110.2, 110.1, to_ms(START + STEP) + 2_000)
    book.take(Delivery(quotes={BTC: live}, ticks=[tick(110.1, 302)]))
    closed = book.quote(BTC)
    assert closed is not None
    assert (closed.last, closed.at_ms) == (100.5, to_ms(START + STEP))
    assert book.live_quote(BTC) == live
    assert (str(book.price(BTC)), str(book.live_price(BTC))) == ("100.5", "110.1")


def test_a_live_quote_older_than_the_newest_bar_by_more_than_a_bar_is_not_used() -> None:
    book = book_at_start()
    book.take(Delivery(quotes={BTC: Quote(BTC, 90.0, 90.2, 90.1, to_ms(START))}, ticks=[tick(90.1, 0)]))
    told(book, bar(0), bar(1), until=2)
    book.advance(START + 2 * STEP)
    assert book.live_quote(BTC) == book.quote(BTC)
    assert str(book.live_price(BTC)) == "100.5"


def test_a_watched_symbol_has_a_price_and_no_bars() -> None:
    book = book_at_start()
    assert book.price(OLD) is None
    told(book, bar(0, OLD), ticks=(tick(0.5, 1, OLD),))
    book.advance(START + STEP)
    assert (str(book.price(OLD)), str(book.live_price(OLD))) == ("0.5", "0.5")
    assert OLD not in {symbol for symbol, _ in book.windows()}


def test_an_outage_of_a_day_is_filled_in_order_and_nothing_raises() -> None:
    book = book_at_start()
    for number in range(1, 289):
        book.advance(START + number * STEP)
    cursor = book.cursor
    told(book, *[bar(number, symbol) for number in range(288) for symbol in (ETH, BTC)], until=288)
    assert book.has_waiting(to_ms(START + 288 * STEP))
    book.advance(START + 288 * STEP + timedelta(seconds=30))
    assert shown(book, cursor) == list(range(288))
    assert shown(book, cursor, Tier.H1) == list(range(0, 288, 12))
    # START is at 11:00, so the day's first bar is eleven hours before it.
    assert shown(book, cursor, Tier.D1) == [-132]
    assert (book.late, book.has_waiting(to_ms(START + 300 * STEP))) == (0, False)
