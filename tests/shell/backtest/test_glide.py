"""A run that glides over quiet slots and one that steps through all of them give the same books, to the last unit."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shell.backtest.driver import run_backtest
from shell.backtest.glide import Glide
from shell.backtest.result import BacktestResult, BacktestSettings
from shell.backtest.run import MemoryJournal
from shell.book_setup import fees_of, new_engine, pairs_of
from shell.config import HostConfig, PaperConfig, RiskConfig
from shell.engine import Engine
from shell.execution.record import StepRecord
from shell.host.inline import InlineHost
from shell.host.port import StrategySource
from shell.market.history import History
from shell.market.recorded import RecordedBook
from shell.market.recorder import recording_of
from shell.market.synthetic import synthetic_market
from shell.money import QuoteAmount
from tests.shell.scripted import FREE, START, STEP, ScriptedHost

SYMBOLS = ["BTC/USD", "ETH/USD", "SOL/USD"]

# Decides by the clock and the price alone, so that whatever it does at a slot it does again in another run.
GAMBLER = """
import random

from shell.contract import Action, OrderType, Signal


class Strategy:
    scan_interval_minutes = {interval}

    def initialize(self, risk_limits, symbols):
        self.symbols, self.heard, self.scans = symbols, 0, 0

    def analyze(self, markets, portfolio, timestamp):
        self.scans += 1
        signals = []
        held = {{position.symbol: position for position in portfolio.positions}}
        for symbol, data in markets.items():
            draw = random.Random(f"{seed} {{timestamp.isoformat()}} {{symbol}}")
            chance, price = draw.random(), data.current_price
            if chance > {busy}:
                continue
            if symbol not in held:
                limit = price * draw.uniform(0.99, 0.9999) if draw.random() < 0.4 else None
                base = limit or price
                signals.append(Signal(
                    symbol, Action.BUY, draw.uniform(0.0, 0.4), OrderType.LIMIT if limit else OrderType.MARKET, limit,
                    base * draw.uniform(0.97, 0.999) if draw.random() < 0.7 else None,
                    price * draw.uniform(1.002, 1.03) if draw.random() < 0.7 else None,
                ))
            else:
                kind = draw.choice([Action.CLOSE, Action.SELL, Action.MODIFY])
                stop = price * draw.uniform(0.97, 0.999) if kind is Action.MODIFY else None
                signals.append(Signal(symbol, kind, stop_loss=stop, tag=f"{{portfolio.total_value:.6f}} {{self.heard}}"))
        if chance < 0.002:
            raise ValueError("planted")
        return signals

    def on_fill(self, symbol, action, qty, price, intent):
        self.heard += 1

    def on_position_closed(self, symbol, pnl, pnl_pct):
        self.heard += 100

    def get_state(self):
        return {{}}

    def load_state(self, state):
        pass
"""


def settings_of(risk: RiskConfig, paper: PaperConfig = FREE, zone: str = "UTC") -> BacktestSettings:
    return BacktestSettings(
        cash=QuoteAmount(10_000), paper=paper, risk=risk, zone=ZoneInfo(zone), host=HostConfig(max_consecutive_faults=50)
    )


def with_holes(history: History, seed: int) -> History:
    draw = np.random.default_rng(seed)
    frames = {symbol: frame.filter(pl.Series(draw.random(frame.height) > 0.03)) for symbol, frame in history.m5.items()}
    return History(m5=frames)


def both_ways(source: StrategySource, history: History, chosen: BacktestSettings) -> list[tuple[BacktestResult, MemoryJournal]]:
    runs = []
    for gliding in (True, False):
        journal = MemoryJournal()
        result = run_backtest(
            source, history, start=START + timedelta(hours=7), settings=chosen, host=InlineHost(source), journal=journal,
            gliding=gliding,
        )
        runs.append((result, journal))
    return runs


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 2**31), busy=st.sampled_from([0.003, 0.03, 0.3]), interval=st.sampled_from([5, 15, 60, 7]),
    daily=st.sampled_from(["1", "0.02", "0.002"]), fall=st.sampled_from(["1", "0.03", "0.004"]),
    zone=st.sampled_from(["UTC", "America/New_York", "Asia/Kolkata"]), holes=st.booleans(),
)
def test_gliding_changes_nothing(
    seed: int, busy: float, interval: int, daily: str, fall: str, zone: str, holes: bool
) -> None:
    source = StrategySource(code=GAMBLER.format(seed=seed, busy=busy, interval=interval))
    history = synthetic_market(seed % 1000, SYMBOLS, START, 2)
    if holes:
        history = with_holes(history, seed)
    risk = RiskConfig(
        max_daily_loss_pct=Decimal(daily), max_drawdown_pct=Decimal(fall), max_daily_trades=10_000, max_consecutive_losses=7,
        duplicate_window=timedelta(0), max_trade_pct=Decimal("0.4"), max_position_pct=Decimal("0.5"),
    )
    (glided, one), (stepped, other) = both_ways(source, history, settings_of(risk, zone=zone))
    assert glided.fills == stepped.fills
    assert glided.trades == stepped.trades
    assert one.answers == other.answers
    assert one.halts == other.halts
    assert one.faults == other.faults
    assert glided.equity_hash == stepped.equity_hash
    assert glided.final_value == stepped.final_value
    assert glided.metrics == stepped.metrics


def test_halts_really_happen_while_gliding() -> None:
    """The property above is worth something only if what it varies has effects."""
    source = StrategySource(code=GAMBLER.format(seed=3, busy=0.03, interval=5))
    history = synthetic_market(3, SYMBOLS, START, 3)
    risk = RiskConfig(max_daily_loss_pct=Decimal("0.002"), max_drawdown_pct=Decimal("0.004"), max_daily_trades=10_000)
    (result, journal), _ = both_ways(source, history, settings_of(risk))
    assert {"DAILY_LOSS", "DRAWDOWN"} <= set(result.halts)
    assert len(result.fills) > 10
    assert journal.answers


# Quiet but for the two moments at which a library of its own panics; each process counts its scans afresh.
PANICKING = """
class PanicException(BaseException):
    pass


class Strategy:
    scan_interval_minutes = 15

    def initialize(self, risk_limits, symbols):
        self.scans = 0

    def analyze(self, markets, portfolio, timestamp):
        self.scans += 1
        if timestamp.hour in (9, 11) and timestamp.minute == 45 and self.scans > 1:
            raise PanicException("WouldBlock")
        return []

    def on_fill(self, symbol, action, qty, price, intent):
        pass

    def on_position_closed(self, symbol, pnl, pnl_pct):
        pass

    def get_state(self):
        return {}

    def load_state(self, state):
        pass
"""


@dataclass(slots=True)
class AskingJournal(MemoryJournal):
    """Keeps the slots at which the strategy was asked a second time, and how often each slot was recorded."""

    retried: list[datetime] = field(default_factory=list)
    scanned: list[datetime] = field(default_factory=list)

    def record(self, step: StepRecord) -> None:
        MemoryJournal.record(self, step)
        if step.retried and step.scan is not None:
            self.retried.append(step.scan.slot)
        if step.scan is not None:
            self.scanned.append(step.scan.slot)


def test_a_panic_that_ends_a_glide_is_asked_again_in_the_same_slot() -> None:
    source, history = StrategySource(code=PANICKING), synthetic_market(5, SYMBOLS, START, 1)
    asked = []
    for gliding in (True, False):
        journal = AskingJournal()
        result = run_backtest(
            source, history, start=START + timedelta(hours=7), settings=settings_of(RiskConfig()), host=InlineHost(source),
            journal=journal, gliding=gliding,
        )
        assert not result.faults
        assert len(set(journal.scanned)) == len(journal.scanned)
        asked.append(journal.retried)
    assert asked[0] == asked[1] == [START + timedelta(hours=hour, minutes=45) for hour in (9, 11)]


def glide_over(frames: History, steps: int) -> tuple[Engine, Glide]:
    end = START + steps * STEP
    book = RecordedBook(recording_of(frames, frames.symbols, START, end))
    engine = new_engine(
        book="b", version="v", market=book, host=ScriptedHost(), journal=MemoryJournal(), paper=FREE, risk=RiskConfig(),
        host_config=HostConfig(), zone=ZoneInfo("UTC"), pairs=pairs_of(frames), fees=fees_of(frames.symbols, FREE),
    )
    return engine, Glide(engine, book, ZoneInfo("UTC"))


@pytest.mark.parametrize(("minutes", "every", "due"), [(5, 1, 1), (3, 1, 1), (15, 3, 3), (60, 12, 12), (7, None, None)])
def test_scans_fall_on_slots_of_the_clock(minutes: int, every: int | None, due: int | None) -> None:
    engine, glide = glide_over(synthetic_market(1, SYMBOLS, START, 1), 200)
    engine.interval_minutes = minutes
    assert glide.every() == every
    if every is not None:
        assert glide.first_due(1, every) == due
        assert glide.first_due(0, every) == 0
