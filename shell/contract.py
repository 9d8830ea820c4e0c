"""The IO contract between the rigid shell and a strategy: everything that crosses it, in either direction.

A strategy file defines a class `Strategy` with the methods of `StrategyProtocol` (no base class needed) and imports what it
uses from here. It is pure logic: market data and portfolio in, signals out; no network, files, processes or clock.

Conventions: every `_pct` is a fraction (0.02 is 2 %); times are aware UTC; prices are quote units per base unit; candles are
closed bars only, oldest first, with columns `timestamp` (UTC, bar open), `open, high, low, close, volume`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import polars as pl

DEFAULT_SCAN_INTERVAL_MINUTES = 5
RECENT_TRADES_MAX = 100
SIGNALS_MAX = 50


class Action(str, Enum):
    """What a signal asks for. Spot, long only: SELL reduces, CLOSE closes, MODIFY moves an open position's stop or target."""

    BUY = "BUY"
    SELL = "SELL"
    CLOSE = "CLOSE"
    MODIFY = "MODIFY"


class Intent(str, Enum):
    """The horizon a position is meant for."""

    DAY = "DAY"
    SWING = "SWING"
    POSITION = "POSITION"


class OrderType(str, Enum):
    """MARKET takes the spread; LIMIT rests at `limit_price` and fills only when the price trades through it."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"


@dataclass(frozen=True, slots=True)
class Signal:
    """One trading decision, by position or by keyword; all but symbol and action have defaults.

    `size_pct` is a fraction of the portfolio's total value (0: the default of the risk limits; for SELL a fraction of the
    total value to sell, 0: half of the position). `confidence` is 0..1. The shell answers every signal: approved, or refused
    with a code and a sentence.
    """

    symbol: str
    action: Action
    size_pct: float = 0.0
    order_type: OrderType = OrderType.MARKET
    limit_price: float | None = None
    stop_loss: float | None = None
    take_profit: float | None = None
    intent: Intent = Intent.SWING
    confidence: float = 0.5
    reasoning: str = ""
    tag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolData:
    """All market data for one symbol: candles_5m (30 days), candles_1h (1 year), candles_1d (7 years); `spread` is ask - bid
    in quote units, `volume_24h` base units. `current_price` is the live price, the candles are closed bars only."""

    current_price: float
    candles_5m: pl.DataFrame
    candles_1h: pl.DataFrame
    candles_1d: pl.DataFrame
    spread: float
    volume_24h: float
    symbol: str = ""
    maker_fee_pct: float = 0.0025
    taker_fee_pct: float = 0.004


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPosition:
    """One open position; `unrealized_pnl` in quote units before exit fees, `side` is always "long"."""

    symbol: str
    side: str
    qty: float
    avg_entry: float
    current_price: float
    unrealized_pnl: float
    unrealized_pnl_pct: float
    intent: Intent
    stop_loss: float | None = None
    take_profit: float | None = None
    opened_at: datetime | None = None
    tag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedTrade:
    """One completed trade, entry to flat; `pnl` is net of all fees, `pnl_pct` its fraction of the entry cost."""

    symbol: str
    side: str
    qty: float
    entry_price: float
    exit_price: float
    pnl: float
    pnl_pct: float
    intent: Intent
    opened_at: datetime
    closed_at: datetime
    fees: float = 0.0
    tag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Portfolio:
    """The account as the strategy may see it: allocated cash and what the system itself bought, nothing else."""

    cash: float
    total_value: float
    positions: list[OpenPosition]
    recent_trades: list[ClosedTrade]
    daily_pnl: float
    total_pnl: float
    fees: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskLimits:
    """Read-only risk limits, all fractions but `max_positions`. The shell enforces them whatever a strategy sends."""

    max_trade_pct: float
    default_trade_pct: float
    max_positions: int
    max_daily_loss_pct: float
    max_drawdown_pct: float
    max_position_pct: float = 1.0


class StrategyProtocol(Protocol):
    """What the host calls. `scan_interval_minutes` may be a property, a plain attribute, or left out (5)."""

    def initialize(self, risk_limits: RiskLimits, symbols: list[str]) -> None: ...

    def analyze(self, markets: dict[str, SymbolData], portfolio: Portfolio, timestamp: datetime) -> list[Signal]: ...

    def on_fill(self, symbol: str, action: Action, qty: float, price: float, intent: Intent) -> None: ...

    def on_position_closed(self, symbol: str, pnl: float, pnl_pct: float) -> None: ...

    def get_state(self) -> dict[str, Any]: ...

    def load_state(self, state: dict[str, Any]) -> None: ...

    @property
    def scan_interval_minutes(self) -> int: ...
