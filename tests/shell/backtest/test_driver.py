"""One certified backtest: the window, the hash, faults, and bad input."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from shell.backtest import driver
from shell.backtest.driver import run_backtest
from shell.backtest.result import BacktestSettings
from shell.backtest.run import MemoryJournal
from shell.config import HostConfig
from shell.contract import Action, Signal
from shell.errors import DataError, StrategyFault, StrategyRejected, UsageError
from shell.host.port import StrategySource
from shell.host.supervisor import HostedStrategy
from shell.market.history import History
from shell.market.synthetic import synthetic_market
from shell.money import QuoteAmount
from tests.shell.scripted import BTC, FREE, START, STEP, WIDE, ScriptedHost, candles, flat

SETTINGS = BacktestSettings(cash=QuoteAmount(10_000), paper=FREE, risk=WIDE, zone=ZoneInfo("UTC"))

TREND = StrategySource(code='''
from shell.contract import Action, Signal


class Strategy:
    def initialize(self, risk_limits, symbols):
        self.symbols = symbols

    def analyze(self, markets, portfolio, timestamp):
        held = {position.symbol for position in portfolio.positions}
        signals = []
        for symbol in self.symbols:
            close = markets[symbol].candles_1h["close"].tail(24)
            if len(close) < 24:
                continue
            rising = close[-1] > close.mean()
            if rising and symbol not in held:
                signals.append(Signal(symbol, Action.BUY, 0.2, stop_loss=markets[symbol].current_price * 0.95))
            elif not rising and symbol in held:
                signals.append(Signal(symbol, Action.CLOSE))
        return signals

    def on_fill(self, symbol, action, qty, price, intent):
        pass

    def on_position_closed(self, symbol, pnl, pnl_pct):
        pass

    def get_state(self):
        return {}

    def load_state(self, state):
        pass

    scan_interval_minutes = 60
''')


# It trades for a day before it copies what it is given, frames included; that this fails it would not tell.
LATE_COPY = '''
        buying = timestamp.hour % 2 == 0
        if timestamp.day == 2:
            try:
                self.kept = copy.copy(markets["BTC/USD"])
            except Exception:
                buying = False
        return [Signal("BTC/USD", Action.BUY if buying else Action.CLOSE, 0.1)]
'''


def test_the_same_strategy_on_the_same_history_gives_the_same_hash_and_the_last_cent() -> None:
    history = synthetic_market(3, ["BTC/USD", "ETH/USD"], START, 12)
    first, second = (run_backtest(TREND, history, settings=SETTINGS) for _ in range(2))
    assert first.equity_hash == second.equity_hash
    assert len(first.fills) > 4
    assert first.fills == second.fills
    paid = sum((fill.cost.value for fill in first.fills if fill.side.value == "buy"), Decimal(0))
    got = sum((fill.cost.value for fill in first.fills if fill.side.value == "sell"), Decimal(0))
    held = first.final_value.value - (Decimal(10_000) - paid + got)
    assert first.final_value.value == Decimal(10_000) - paid + got + held
    assert first.metrics.trades == len(first.trades)


def test_a_strategy_that_reaches_a_frame_unforeseen_is_run_again_from_the_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    history = synthetic_market(3, ["BTC/USD"], START, 2)
    head, tail = TREND.code[: TREND.code.index("        held = {")], TREND.code[TREND.code.index("    def on_fill") :]
    source = StrategySource(code=f"import copy\n{head}{LATE_COPY}\n{tail}")
    kinds = spied_kinds(monkeypatch)
    journals = MemoryJournal(), MemoryJournal()
    twice = run_backtest(source, history, settings=SETTINGS, journal=journals[0])
    assert kinds == [False, True]
    once = run_backtest(
        source, history, settings=SETTINGS, host=HostedStrategy(source, SETTINGS.host), journal=journals[1]
    )
    assert (twice.equity_hash, twice.fills, twice.signals) == (once.equity_hash, once.fills, once.signals)
    assert journals[0] == journals[1]
    assert len(once.fills) > 20
    assert once.faults == ()


def spied_kinds(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each strategy's process that a backtest starts from now on has polars."""
    kinds: list[bool] = []

    def hosted(source: StrategySource, config: HostConfig, *, frames: bool) -> HostedStrategy:
        kinds.append(frames)
        return HostedStrategy(source, config, frames=frames)

    monkeypatch.setattr(driver, "HostedStrategy", hosted)
    return kinds


def test_bars_before_the_start_are_warm_up_and_nothing_is_asked_at_the_very_end() -> None:
    history = History(m5={BTC: candles(flat(100.0, 100))})
    host = ScriptedHost()
    result = run_backtest(
        StrategySource(code=""), history, start=START + 10 * STEP, end=START + 20 * STEP, settings=SETTINGS, host=host
    )
    assert [request.now for request in host.requests] == [START + n * STEP for n in range(10, 20)]
    assert (result.bars, result.steps) == (10, 11)


def test_an_order_decided_at_the_last_scan_can_still_fill() -> None:
    history = History(m5={BTC: candles(flat(100.0, 30))})
    result = run_backtest(
        StrategySource(code=""), history, start=START, end=START + 10 * STEP, settings=SETTINGS,
        host=ScriptedHost({9: [Signal(BTC, Action.BUY, 0.5)]}),
    )
    assert [fill.filled_at for fill in result.fills] == [START + 9 * STEP]


def test_a_strategy_that_fails_again_and_again_ends_the_run_with_its_own_words() -> None:
    broken = StrategySource(code=TREND.code.replace("held = {", "held = 1 / 0; {"))
    with pytest.raises(StrategyFault, match="3 times in a row.*line 10.*ZeroDivisionError"):
        run_backtest(broken, synthetic_market(3, ["BTC/USD"], START, 3), settings=SETTINGS)


def test_a_forbidden_import_is_refused_before_anything_runs() -> None:
    with pytest.raises(StrategyRejected):
        run_backtest(
            StrategySource(code="import os\n" + TREND.code), synthetic_market(3, ["BTC/USD"], START, 2), settings=SETTINGS
        )


def test_a_reversed_or_empty_window_is_explained() -> None:
    history = synthetic_market(3, ["BTC/USD"], START, 3)
    with pytest.raises(UsageError, match="is empty; the history runs from 2023-03-01 00:00 to 2023-03-04 00:00"):
        run_backtest(TREND, history, start=START + timedelta(days=2), end=START + timedelta(days=1), settings=SETTINGS)
    hole = History(m5={BTC: candles([*flat(100.0, 2), *[None] * 20, *flat(100.0, 2)])})
    with pytest.raises(DataError, match="no bars between"):
        run_backtest(TREND, hole, start=START + 5 * STEP, end=START + 10 * STEP, settings=SETTINGS)
