"""The tape is made of the bars it was given, and candles made of it are those bars again."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shell.clock import from_ms
from shell.errors import DataError
from shell.exchange.simulator.exchange import Exchange
from shell.exchange.simulator.ohlc import INTERVALS
from shell.exchange.simulator.tape import _shares as shares_of
from shell.exchange.simulator.tape import synthetic_tape, tape_of
from shell.exchange.simulator.venue import Rules
from shell.market.synthetic import synthetic_market
from tests.shell.exchange.simulator.kit import START, Customer, control, desk, public, still_tape, wait


@settings(max_examples=25)
@given(st.integers(0, 500), st.sampled_from([4, 5, 37, 150]), st.integers(0, 50))
def test_the_trades_of_a_bar_have_its_prices_and_volume(bar: int, prints: int, seed: int) -> None:
    tape = synthetic_tape(["BTC/USD"], START, seed=seed, prints=prints, past_days=1, days=1)
    series = tape.series["BTC/USD"]
    trades = series.trades(bar)
    _, open_, high, low, close, volume = series.rows[bar].tolist()
    prices = [float(trade.price) for trade in trades]
    assert (prices[0], max(prices), min(prices), prices[-1]) == (open_, high, low, close)
    assert float(sum(trade.qty for trade in trades)) == pytest.approx(volume, abs=1e-7)
    assert all(trade.qty > 0 for trade in trades)
    assert [trade.trade_id for trade in trades] == list(range(trades[0].trade_id, trades[0].trade_id + prints))
    opens = int(series.opens_ms[bar]) * 1_000_000
    assert all(opens < trade.at_ns < opens + 300 * 10**9 for trade in trades)
    assert series.trades(bar) == trades


def test_candles_grown_from_trades_are_those_of_a_later_opening(seed: int) -> None:
    history = synthetic_market(seed, ["ETH/USD"], START - timedelta(days=10), 12)
    early = Exchange(tape_of(history, START, seed=seed, prints=10), Rules(seed=seed))
    late = Exchange(tape_of(history, START + timedelta(hours=30), seed=seed, prints=10), Rules(seed=seed))
    early.advance_to(late.now)
    for interval in INTERVALS:
        grown, read = (each.venue.markets["XETHZUSD"].candles.rows(interval, late.now_ns) for each in (early, late))
        shape = [[(row.begin_s, row.open, row.high, row.low, row.close, row.count) for row in rows] for rows in (grown, read)]
        shared = min(map(len, shape))
        assert shape[0][-shared:] == shape[1][-shared:]
        assert sum(row.volume for row in grown[-shared:]) == sum(row.volume for row in read[-shared:])


def test_rest_gives_720_committed_rows_and_the_forming_one() -> None:
    exchange = desk(tape=still_tape(days=4))
    wait(exchange, 3 * 86_400 + 1)
    told = public(exchange, "OHLC?pair=XBTUSD&interval=5")["result"]
    rows = told["XXBTZUSD"]
    assert len(rows) == 721
    assert told["last"] == rows[-2][0]
    assert rows[-1][0] == exchange.exchange.now_ns // 10**9 // 300 * 300
    # Nothing has traded in the slot that just began.
    assert rows[-1][1:] == ["30000.0"] * 4 + ["0.0", "0.00000000", 0]
    assert rows[-2][1:] == ["30000.0"] * 5 + ["1.00000000", 4]
    assert [row[0] for row in public(exchange, f"OHLC?pair=XBTUSD&interval=5&since={rows[-3][0]}")["result"]["XXBTZUSD"]] == [
        rows[-2][0], rows[-1][0],
    ]
    assert public(exchange, "OHLC?pair=XBTUSD&interval=7")["error"] == ["EGeneral:Invalid arguments:interval"]


def test_trades_page_through_the_whole_tape_without_a_hole() -> None:
    exchange = desk(tape=still_tape(prints=20))
    wait(exchange, 1000)
    control(exchange, "trade", pair="XBTUSD", price="30100")
    wait(exchange, 1000)
    seen, since = [], "0"
    while True:
        told = public(exchange, f"Trades?pair=XBTUSD&since={since}")["result"]
        if not told["XXBTZUSD"]:
            break
        seen += told["XXBTZUSD"]
        since = told["last"]
    ids = [row[6] for row in seen]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert len(ids) > 288 * 20 and ("30100.0", "1.00000000") in {(row[0], row[1]) for row in seen}
    assert Decimal(seen[-1][2]) <= exchange.exchange.now_ns


def test_a_tape_moved_to_another_day_keeps_its_time_of_day() -> None:
    history = synthetic_market(1, ["BTC/USD"], START - timedelta(days=5), 10)
    opens_at = START + timedelta(days=700, hours=3, seconds=17)
    tape = tape_of(history, START, seed=1, prints=4, opens_at=opens_at)
    assert tape.start_ns == int(opens_at.timestamp()) * 10**9
    shifted = from_ms(int(tape.series["BTC/USD"].opens_ms[0]))
    assert (shifted.hour, shifted.minute) == (12, 0)
    assert Exchange(tape, Rules()).now == opens_at


def test_an_exchange_without_a_past_is_refused() -> None:
    history = synthetic_market(1, ["BTC/USD"], START, 2)
    with pytest.raises(DataError, match="no bar before"):
        tape_of(history, START, seed=1, prints=4)
    with pytest.raises(DataError, match="4 to 3000"):
        tape_of(history, START + timedelta(days=1), seed=1, prints=3)


def test_the_same_calls_on_the_same_tape_give_the_same_ids_and_balances() -> None:
    runs = []
    for _ in range(2):
        customer = Customer(desk(tape=synthetic_tape(["BTC/USD"], START, seed=5, prints=12, past_days=2, days=2)))
        ids = [customer.buy("0.01"), customer.add(type="buy", ordertype="limit", volume="0.2", price="29000")]
        wait(customer.desk, 86_000)
        runs.append((ids, customer.ask("Balance"), customer.ask("TradesHistory")))
    assert runs[0] == runs[1]


@given(seed=st.integers(0, 2**32), count=st.integers(4, 9), more=st.integers(0, 10**15))
def test_a_few_shares_are_those_that_arrays_give(seed: int, count: int, more: int) -> None:
    weights = np.random.default_rng(seed).random(count) + 0.05
    expected = (np.floor(weights / weights.sum() * more).astype(np.int64) + 1).tolist()
    expected[-1] += count + more - sum(expected)
    assert shares_of(np.random.default_rng(seed), count + more, count) == expected
    assert sum(expected) == count + more
