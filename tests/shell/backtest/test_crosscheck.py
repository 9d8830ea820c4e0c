"""The engine and the `backtesting` library must agree: same trades, same money within rounding.

Goal: a mistake in our fills, fees or bookkeeping shows as a difference to a broker that shares no line with ours.
Method: one strategy with market orders, a stop and a target on seeded random bars (with and without holes), run
through both.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from shell.backtest.crosscheck import CrossCheck, crosscheck
from shell.backtest.driver import run_backtest
from shell.backtest.result import BacktestResult, BacktestSettings
from shell.config import PaperConfig, RiskConfig
from shell.errors import DataError
from shell.host.port import StrategySource
from shell.market.history import History
from shell.money import QuoteAmount
from shell.orders import Side
from tests.thorough import thorough

START = datetime(2023, 3, 1, tzinfo=UTC)
SYMBOL = "BTC/USD"

STRATEGY = StrategySource(
    code='''
from shell.contract import Action, Intent, Signal


class Strategy:
    """Buys after a rise of two bars, with a stop and a target; closes after a fall of three; moves its stop up once."""

    scan_interval_minutes = 5

    def initialize(self, risk_limits, symbols):
        self.fills, self.results, self.moved = [], [], False

    def analyze(self, markets, portfolio, timestamp):
        signals = []
        for symbol, data in markets.items():
            closes = data.candles_5m["close"].to_list()[-4:]
            if len(closes) < 4:
                continue
            price, held = data.current_price, [each for each in portfolio.positions if each.symbol == symbol]
            if not held and closes[-1] > closes[-2] > closes[-3]:
                self.moved = False
                signals.append(Signal(symbol, Action.BUY, 0.1, stop_loss=price * 0.99, take_profit=price * 1.012))
            elif held and closes[-1] < closes[-2] < closes[-3] < closes[-4]:
                signals.append(Signal(symbol, Action.CLOSE))
            elif held and not self.moved and price > held[0].avg_entry * 1.006:
                self.moved = True
                signals.append(Signal(symbol, Action.MODIFY, stop_loss=held[0].avg_entry))
            elif held and self.moved and timestamp.minute == 0 and held[0].qty * price > 0.06 * portfolio.total_value:
                signals.append(Signal(symbol, Action.SELL, 0.03))
        return signals

    def on_fill(self, symbol, action, qty, price, intent):
        self.fills.append(1)

    def on_position_closed(self, symbol, pnl, pnl_pct):
        self.results.append(pnl)

    def get_state(self):
        return {"moved": self.moved}

    def load_state(self, state):
        self.moved = state["moved"]
'''
)


def market(seed: int, bars: int, holes: tuple[tuple[int, int], ...] = ()) -> History:
    """A random walk with wide bars, prices on the tick of 0.1; each hole is a (first, last) range of missing bars."""
    rng = np.random.default_rng(seed)
    close = 30_000 * np.exp(np.cumsum(rng.normal(0, 0.003, bars)))
    opened = np.concatenate(([30_000.0], close[:-1])) * np.exp(rng.normal(0, 0.0005, bars))
    high = np.maximum(opened, close) * np.exp(np.abs(rng.normal(0, 0.003, bars)))
    low = np.minimum(opened, close) * np.exp(-np.abs(rng.normal(0, 0.003, bars)))
    frame = pl.DataFrame(
        {
            "timestamp": [START + timedelta(minutes=5 * number) for number in range(bars)],
            "open": opened.round(1), "high": high.round(1), "low": low.round(1), "close": close.round(1),
            "volume": rng.uniform(1, 20, bars).round(4),
        },
        schema_overrides={"timestamp": pl.Datetime("ms", "UTC")},
    )
    missing = {number for first, last in holes for number in range(first, last + 1)}
    kept = [number for number in range(bars) if number not in missing]
    return History(m5={SYMBOL: frame[kept]}, source="random")


def settings(taker_fee: str = "0.004") -> BacktestSettings:
    """No slippage, and no limit that the library does not know."""
    free = RiskConfig(
        max_daily_loss_pct=Decimal(1), max_drawdown_pct=Decimal(1), max_daily_trades=10_000,
        max_consecutive_losses=1000, max_trade_pct=Decimal("0.2"), max_position_pct=Decimal("0.5"),
    )
    paper = PaperConfig(slippage_pct=Decimal(0), taker_fee_pct=Decimal(taker_fee), maker_fee_pct=Decimal(0))
    return BacktestSettings(cash=QuoteAmount(100_000), paper=paper, risk=free, zone=ZoneInfo("UTC"))


def compare(ours: BacktestResult, theirs: CrossCheck) -> None:
    """Every sale with its bar, price and quantity; every entry that was sold at least in part; the money at the end."""
    sold = [fill for fill in ours.fills if fill.side is Side.SELL]
    exits = sorted(theirs.trades, key=lambda trade: trade.exit_time)
    assert [_bar(fill.filled_at) for fill in sold] == [trade.exit_time for trade in exits]
    assert [float(fill.price) for fill in sold] == pytest.approx([trade.exit_price for trade in exits], rel=1e-9)
    assert [float(fill.qty) for fill in sold] == pytest.approx([trade.qty for trade in exits], abs=2.1e-8)
    bought = {_bar(fill.filled_at): float(fill.price) for fill in ours.fills if fill.side is Side.BUY}
    entries = {trade.entry_time: trade.entry_price for trade in theirs.trades}
    still_open = bought.keys() - entries.keys()
    assert len(still_open) <= 1
    assert entries == pytest.approx({at: bought[at] for at in bought.keys() - still_open}, rel=1e-9)
    assert float(ours.final_value) == pytest.approx(theirs.final_value, abs=0.01)
    ended = {_bar(trade.opened_at): float(trade.pnl) for trade in ours.trades}
    booked = {at: sum(trade.pnl for trade in theirs.trades if trade.entry_time == at) for at in ended}
    assert booked == pytest.approx(ended, abs=0.005)


def _bar(moment: datetime) -> datetime:
    """The open of the 5-minute bar that `moment` lies in."""
    return moment - timedelta(minutes=moment.minute % 5, seconds=moment.second, microseconds=moment.microsecond)


@pytest.mark.parametrize("seed", [1, 2])
def test_same_trades_and_same_money_within_rounding(seed: int) -> None:
    history = market(seed, 1000)
    ours = run_backtest(STRATEGY, history, settings=settings())
    theirs = crosscheck(STRATEGY, history, SYMBOL, settings=settings())
    assert len(theirs.trades) > 60
    purposes = {fill.intent.purpose.value for fill in ours.fills}
    assert purposes == {"entry", "exit", "stop", "target"}
    compare(ours, theirs)


def test_same_trades_and_money_across_missing_bars() -> None:
    history = market(5, 1000, holes=((200, 200), (400, 401), (600, 630), (800, 805)))
    ours = run_backtest(STRATEGY, history, settings=settings())
    theirs = crosscheck(STRATEGY, history, SYMBOL, settings=settings())
    assert len(theirs.trades) > 60
    compare(ours, theirs)


@thorough
def test_the_window_begins_and_ends_where_the_engines_does() -> None:
    history = market(6, 700)
    window = {"start": START + timedelta(hours=20, minutes=2), "end": START + timedelta(hours=60)}
    ours = run_backtest(STRATEGY, history, settings=settings(), **window)
    theirs = crosscheck(STRATEGY, history, SYMBOL, settings=settings(), **window)
    assert theirs.bars == ours.bars
    compare(ours, theirs)


@thorough
def test_a_wrong_fee_would_be_seen() -> None:
    history = market(1, 400)
    ours = run_backtest(STRATEGY, history, settings=settings("0.004"))
    theirs = crosscheck(STRATEGY, history, SYMBOL, settings=settings("0.0041"))
    with pytest.raises(AssertionError):
        compare(ours, theirs)


def test_the_librarys_statistics_are_json_and_repeat() -> None:
    history = market(2, 300)
    first, second = (crosscheck(STRATEGY, history, SYMBOL, settings=settings()) for _ in range(2))
    assert first == second
    statistics = json.loads(json.dumps(first.library_statistics, allow_nan=False))
    assert statistics["# Trades"] == len(first.trades)
    assert statistics["Equity Final [$]"] == pytest.approx(first.final_value)


def test_what_the_two_treat_differently_is_said() -> None:
    dear = settings().paper.model_copy(update={"slippage_pct": Decimal("0.001")})
    slipping = BacktestSettings(cash=QuoteAmount(100_000), paper=dear, risk=settings().risk, zone=ZoneInfo("UTC"))
    checked = crosscheck(STRATEGY, market(3, 300), SYMBOL, settings=slipping)
    assert any("slippage" in sentence for sentence in checked.differences)


def test_an_unknown_symbol_and_an_empty_window_are_refused() -> None:
    history = market(1, 50)
    with pytest.raises(DataError, match="there is for BTC/USD"):
        crosscheck(STRATEGY, history, "ETH/USD", settings=settings())
    with pytest.raises(DataError, match="no bars of BTC/USD"):
        crosscheck(STRATEGY, history, SYMBOL, start=START + timedelta(days=9), settings=settings())
