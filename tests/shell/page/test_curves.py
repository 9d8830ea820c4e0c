"""The curves: thinned without losing an extreme, deposits no gain, buy-and-hold as the report computes it."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert

from shell.backtest.buy_and_hold import buy_and_hold_curve
from shell.clock import to_ms
from shell.market.archive import Archive
from shell.market.bars import Tier
from shell.market.synthetic import synthetic_market
from shell.market.tiers import aggregate_tiers
from shell.page.curves import Closes, Marks, Prices, drawdown, held_value, keep
from shell.store.candles import CandleStore
from shell.store.history import EQUITY
from shell.store.store import Store
from tests.shell.store.examples import START

WORTH = st.lists(st.floats(1, 1e6), min_size=1, max_size=400)


@given(values=WORTH)
def test_thinning_keeps_both_ends_and_every_extreme(values: list[float]) -> None:
    worth = np.array(values)
    fall = drawdown(np.arange(len(worth)), worth, ())
    kept = keep(worth, fall, buckets=7)
    assert len(kept) <= 3 * 7 + 2 or len(kept) == len(worth)
    assert {0, len(worth) - 1} <= set(kept.tolist())
    assert worth[kept].max() == worth.max()
    assert worth[kept].min() == worth.min()
    assert fall[kept].min() == fall.min()


@given(values=WORTH, share=st.floats(0.1, 3), place=st.integers(0, 399))
def test_a_deposit_changes_no_drawdown(values: list[float], share: float, place: int) -> None:
    """The same returns with money added in between fall just as far."""
    worth, at = np.array(values), place % len(values)
    times = 1000 * np.arange(len(worth))
    if at == 0:
        return
    amount = share * worth[at - 1]
    grown = worth.copy()
    grown[at:] *= (worth[at - 1] + amount) / worth[at - 1]
    plain, fed = drawdown(times, worth, ()), drawdown(times, grown, [(int(times[at]), float(amount))])
    np.testing.assert_allclose(fed, plain, atol=1e-9)


def test_a_deposit_buys_at_the_prices_of_its_time() -> None:
    closes = {"A/USD": Closes(times_ms=np.array([10, 20, 30]), values=np.array([2.0, 4.0, 8.0]), entry=1.0)}
    found = held_value(np.array([0, 10, 20, 30]), [(0, 100.0), (20, 40.0)], closes, 0.0)
    # 100 units from the start; 40 more money buys 10 units at 4.
    assert found.tolist() == [100.0, 200.0, 440.0, 880.0]


def test_without_prices_buy_and_hold_is_unknown_and_not_zero() -> None:
    assert np.isnan(held_value(np.array([0, 10]), [(0, 100.0)], {}, 0.0)).all()


def test_buy_and_hold_is_what_the_report_says_after_bars_have_left_for_coarser_tiers(tmp_path: Path, seed: int) -> None:
    """33 days: the first three are only in hours and in the archive by now."""
    days = 33
    end = START + timedelta(days=days)
    history = synthetic_market(seed, ["BTC/USD"], START, days)
    with Store.open(tmp_path / "brain.db") as store:
        candles, archive = CandleStore(store), Archive(tmp_path / "archive")
        for symbol, frame in history.m5.items():
            candles.add(symbol, Tier.M5, frame)
        aggregate_tiers(candles, archive, end)
        assert candles.span("BTC/USD", Tier.M5)[0] > to_ms(START)  # type: ignore[index]
        report = buy_and_hold_curve(history, START, end, 10_000.0, 0.004)
        times = np.array([to_ms(START + timedelta(days=day)) for day in range(1, days + 1)])
        prices = Prices(store, archive)
        prices.since(history.symbols, to_ms(START), to_ms(end - timedelta(hours=7)))
        closes = prices.since(history.symbols, to_ms(START), to_ms(end))
        found = held_value(times, [(to_ms(START), 10_000.0)], closes, 0.004)
    expected = report.values[np.searchsorted(report.times_ms, times, side="right") - 1]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_marks_read_in_two_looks_are_those_read_in_one(tmp_path: Path) -> None:
    def put(store: Store, first: int, last: int) -> None:
        rows = [{"book": "main", "at": _minute(at), "value": Decimal(at) + 1} for at in range(first, last)]
        with store.transaction() as connection:
            connection.execute(insert(EQUITY), rows)

    with Store.open(tmp_path / "brain.db") as store:
        grown = Marks(store, "main")
        grown.refresh()
        assert not len(grown.values)
        put(store, 0, 5)
        grown.refresh()
        put(store, 5, 9)
        grown.refresh()
        grown.refresh()
        whole = Marks(store, "main")
        whole.refresh()
    assert grown.values.tolist() == whole.values.tolist() == [float(at + 1) for at in range(9)]
    assert grown.times_ms.tolist() == whole.times_ms.tolist() == [to_ms(_minute(at)) for at in range(9)]


def _minute(at: int) -> datetime:
    return START + timedelta(minutes=at)
