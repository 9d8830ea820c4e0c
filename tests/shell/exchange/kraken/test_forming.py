"""Closed or forming: nothing is told as closed that may still change, nothing twice, nothing out of order."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from shell.exchange.kraken.events import CandleClosed, CandleForming
from shell.exchange.kraken.forming import MARGIN, FormingCandle
from shell.exchange.kraken.public_types import Candle
from tests.shell.exchange.kraken.times import START

FIVE = timedelta(minutes=5)


def candle(at: int, close: int = 10, trades: int = 1) -> Candle:
    price = Decimal(close)
    return Candle(opened_at=START + at * FIVE, open=price, high=price, low=price, close=price, vwap=price,
                  volume=Decimal(trades), trades=trades)


def started(*closed: Candle) -> FormingCandle:
    forming = FormingCandle("BTC/USD", 5)
    forming.resume(closed)
    return forming


def closed_of(events: list[CandleClosed | CandleForming] | list[CandleClosed]) -> list[Candle]:
    return [event.candle for event in events if isinstance(event, CandleClosed)]


def test_a_bar_is_closed_by_the_next_one() -> None:
    forming = started()
    assert closed_of(forming.see([candle(0, 1), candle(0, 2)])) == []
    assert closed_of(forming.see([candle(1)])) == [candle(0, 2)] and forming.closed_until == START + FIVE


def test_a_bar_is_closed_by_the_clock_with_a_margin() -> None:
    forming = started()
    forming.see([candle(0)])
    assert forming.tick(START + FIVE + MARGIN - timedelta(milliseconds=1)) == []
    assert closed_of(forming.tick(START + FIVE + MARGIN)) == [candle(0)] and forming.tick(START + 9 * FIVE) == []


def test_a_late_trade_revises_the_newest_bar_alone() -> None:
    forming = started(candle(0), candle(1))
    (event,) = forming.see([candle(1, 12)])
    assert isinstance(event, CandleClosed) and event.revised and event.candle.close == 12
    assert forming.see([candle(1, 12)]) == [] and forming.see([candle(0, 99)]) == []


def test_what_was_forming_when_the_feed_fell_is_never_told_as_closed() -> None:
    forming = started(candle(0))
    forming.see([candle(1, 11, trades=3)])
    forming.pause()
    assert forming.see([candle(4, 14)]) == [] and forming.tick(START + 100 * FIVE) == []
    events = forming.resume([candle(1, 20, trades=9), candle(2), candle(3)])
    assert closed_of(events) == [candle(1, 20, trades=9), candle(2), candle(3)]
    assert isinstance(events[-1], CandleForming) and events[-1].candle == candle(4, 14)


def test_average_prices_rounded_otherwise_are_no_revision() -> None:
    forming = started(candle(0))
    assert forming.see([replace(candle(0), vwap=Decimal("10.00001"), trades=2)]) == []


@given(st.lists(st.one_of(st.integers(0, 12).map(lambda at: ("see", at)), st.just(("pause", 0)), st.just(("resume", 0)),
                          st.integers(0, 14).map(lambda at: ("tick", at))), max_size=60))
def test_closed_bars_come_once_and_in_order(script: list[tuple[str, int]]) -> None:
    forming, told, newest = started(), [], -1
    for what, at in script:
        if what == "see":
            newest = max(newest, at)
            told += closed_of(forming.see([candle(at)]))
        elif what == "pause":
            forming.pause()
        elif what == "resume":
            told += closed_of(forming.resume([candle(each) for each in range(newest)]))
        else:
            told += closed_of(forming.tick(START + at * FIVE))
    times = [each.opened_at for each in told]
    assert times == sorted(set(times))
