"""Strategy texts and small worlds that the host's tests share."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from shell.config import HostConfig
from shell.contract import ClosedTrade, OpenPosition, Portfolio, RiskLimits
from shell.host.port import BarArray, ClosedNotice, FillNotice, ScanRequest, StrategySource, SymbolFacts
from shell.market.bars import TIERS, Bar, Quote, Tier

BEGIN = datetime(2024, 1, 10, tzinfo=UTC)
BEGIN_MS = round(BEGIN.timestamp() * 1000)
SYMBOLS = ("BTC/USD", "ETH/USD", "SOL/USD")
LIMITS = RiskLimits(max_trade_pct=0.1, default_trade_pct=0.05, max_positions=5, max_daily_loss_pct=0.03, max_drawdown_pct=0.15)
QUICK = HostConfig(call_timeout=timedelta(seconds=1), start_timeout=timedelta(seconds=20))

_TEMPLATE = """
import math
import numpy as np
import polars as pl
from shell import indicators
from shell.contract import Action, Intent, OrderType, Signal


class Strategy:
    def initialize(self, risk_limits, symbols):
        self.limits, self.symbols, self.count, self.seen = risk_limits, symbols, 0, []

    def analyze(self, markets, portfolio, timestamp):
        self.count += 1
{body}
        return []

    def on_fill(self, symbol, action, qty, price, intent):
        self.seen.append(["fill", symbol, action.value, qty, price, intent.value])

    def on_position_closed(self, symbol, pnl, pnl_pct):
        self.seen.append(["closed", symbol, pnl, pnl_pct])

    def get_state(self):
        return {{"count": self.count, "seen": self.seen}}

    def load_state(self, state):
        self.count, self.seen = state["count"], state["seen"]
"""


def strategy(body: str = "pass", skills: Mapping[str, str] | None = None) -> StrategySource:
    """An ordinary strategy whose analyze starts with `body`."""
    code = _TEMPLATE.format(body=textwrap.indent(textwrap.dedent(body).strip(), " " * 8))
    return StrategySource(code=code, skills=skills or {})


# Line of the first line of `body` in what `strategy` makes.
BODY_LINE = _TEMPLATE[: _TEMPLATE.index("{body}")].count("\n") + 1


def rows(tier: Tier, count: int, *, price: float = 100.0, end_ms: int = BEGIN_MS) -> BarArray:
    """`count` consecutive bars of which the last closes at `end_ms`; closes are price, price + 1, ..."""
    times = end_ms - tier.ms * np.arange(count, 0, -1)
    close = price + np.arange(count, dtype=float)
    return np.column_stack((times, close, close + 0.5, close - 0.5, close, np.full(count, 10.0)))


def windows(symbols: Sequence[str] = SYMBOLS, count: int = 50) -> dict[tuple[str, Tier], BarArray]:
    return {(symbol, tier): rows(tier, count) for symbol in symbols for tier in TIERS}


def scan(
    number: int = 1,
    *,
    symbols: Sequence[str] = SYMBOLS,
    bars: Sequence[Bar] = (),
    positions: Sequence[OpenPosition] = (),
    notices: Sequence[FillNotice | ClosedNotice] = (),
    trades: Sequence[ClosedTrade] = (),
) -> ScanRequest:
    """The scan `number` times five minutes after BEGIN."""
    now = BEGIN + number * timedelta(minutes=5)
    at_ms = round(now.timestamp() * 1000)
    account = Portfolio(
        cash=9000.0,
        total_value=10_000.0,
        positions=list(positions),
        recent_trades=[],
        daily_pnl=-5.0,
        total_pnl=7.5,
        fees=1.25,
    )
    return ScanRequest(
        now=now,
        new_bars=bars,
        facts={
            symbol: SymbolFacts(Quote(symbol, 99.0, 101.0, 100.0 + number, at_ms), 50.0, 0.0025, 0.004) for symbol in symbols
        },
        portfolio=account,
        notices=notices,
        new_trades=trades,
    )


def bar(number: int, symbol: str = "BTC/USD", close: float = 200.0) -> Bar:
    """The 5-minute bar that closes at scan `number`."""
    return Bar(symbol, Tier.M5, BEGIN_MS + (number - 1) * Tier.M5.ms, close, close + 1.0, close - 1.0, close, 3.0)
