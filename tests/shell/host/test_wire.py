"""Requests survive the wire unchanged, to the last bit and microsecond."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shell.contract import Action, ClosedTrade, Intent, OpenPosition
from shell.host.port import ClosedNotice, FillNotice
from shell.host.wire import StartFacts, decode_scan, decode_start, encode_scan, encode_start, moment_of, portfolio_of
from shell.market.bars import TIERS, Bar, Tier
from tests.shell.host.sources import BEGIN, LIMITS, SYMBOLS, rows, scan

INDEX = {symbol: at for at, symbol in enumerate(SYMBOLS)}
numbers = st.floats(allow_nan=False, allow_infinity=False)
moments = st.integers(1_300_000_000_000_000, 4_000_000_000_000_000).map(moment_of)
symbols = st.sampled_from(SYMBOLS)
prices = st.floats(1e-9, 1e9)

positions = st.builds(
    OpenPosition,
    symbol=symbols,
    side=st.just("long"),
    qty=prices,
    avg_entry=prices,
    current_price=prices,
    unrealized_pnl=numbers,
    unrealized_pnl_pct=numbers,
    intent=st.sampled_from(Intent),
    stop_loss=st.none() | prices,
    take_profit=st.none() | prices,
    opened_at=st.none() | moments,
    tag=st.text(max_size=10),
)
trades = st.builds(
    ClosedTrade,
    symbol=symbols,
    side=st.just("long"),
    qty=prices,
    entry_price=prices,
    exit_price=prices,
    pnl=numbers,
    pnl_pct=numbers,
    intent=st.sampled_from(Intent),
    opened_at=moments,
    closed_at=moments,
    fees=prices,
    tag=st.text(max_size=10),
)
fills = st.builds(FillNotice, symbols, st.sampled_from(Action), prices, prices, st.sampled_from(Intent))
closes = st.builds(ClosedNotice, symbols, numbers, numbers)
bars = st.builds(Bar, symbols, st.sampled_from(TIERS), st.integers(0, 2**45), *[prices] * 5)


@settings(max_examples=40, deadline=None)
@given(
    now=moments,
    held=st.lists(positions, max_size=3),
    notices=st.lists(fills | closes, max_size=3),
    closed=st.lists(trades, max_size=3),
    new_bars=st.lists(bars, max_size=5),
)
def test_a_scan_survives_the_wire(
    now: datetime,
    held: list[OpenPosition],
    notices: list[FillNotice | ClosedNotice],
    closed: list[ClosedTrade],
    new_bars: list[Bar],
) -> None:
    request = replace(scan(positions=held, notices=notices, trades=closed, bars=new_bars), now=now)
    decoded = decode_scan(encode_scan(request, INDEX))
    assert decoded.now == now
    assert decoded.notices == notices
    assert decoded.new_trades == closed
    assert [Bar(SYMBOLS[int(s)], TIERS[int(t)], int(at), *p) for s, t, at, *p in decoded.bars] == new_bars
    assert portfolio_of(decoded, closed) == replace(request.portfolio, recent_trades=closed)
    for row, (symbol, facts) in zip(decoded.facts, request.facts.items(), strict=True):
        assert row == (
            INDEX[symbol], facts.quote.bid, facts.quote.ask, facts.quote.last, facts.volume_24h, *facts[2:]
        )  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(
    state=st.none() | st.dictionaries(st.text(max_size=5), numbers | st.text(max_size=5) | st.none(), max_size=4),
    recent=st.lists(trades, max_size=3),
    count=st.integers(0, 40),
)
def test_a_start_survives_the_wire(state: dict[str, object] | None, recent: list[ClosedTrade], count: int) -> None:
    sent = StartFacts("code – ü", {"trend": "x = 1"}, "strategy.py", list(SYMBOLS), LIMITS, state, recent, 10.0)
    # Neither row-contiguous nor column-contiguous windows may be assumed.
    windows = {
        ("BTC/USD", Tier.M5): rows(Tier.M5, 2 * count)[::2],
        ("ETH/USD", Tier.D1): np.empty((0, 6)),
        ("SOL/USD", Tier.H1): rows(Tier.H1, 3, price=7.0),
    }
    facts, got = decode_start(encode_start(sent, windows))
    assert facts == sent
    assert list(got) == list(windows)
    for key, window in windows.items():
        np.testing.assert_array_equal(got[key], window)


def test_a_symbol_unknown_at_start_is_our_bug_not_the_strategys() -> None:
    with pytest.raises(KeyError):
        encode_scan(scan(symbols=["DOGE/USD"]), INDEX)


def test_microseconds_are_exact_far_from_the_epoch() -> None:
    late = BEGIN + timedelta(days=20_000, microseconds=123_457)
    assert decode_scan(encode_scan(replace(scan(), now=late), INDEX)).now == late
