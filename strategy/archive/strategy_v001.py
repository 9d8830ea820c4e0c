"""v001: a slow trend on hourly bars.

Belief: coins trend for days to weeks, and a rule that trades rarely keeps what a 0.40 % taker fee would take from a
quick one. Enter when a fast average stands clearly above a slow one, by a limit order a little below the last price
(the maker fee, no chasing). Leave when the trend is over, or at a stop wide enough that ordinary noise does not reach
it. No day trading, no target: the winners pay for the many small losses.

It looks once an hour, when a new hourly bar has closed; every other scan returns at once.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from shell.contract import Action, Intent, OrderType, Portfolio, RiskLimits, Signal, SymbolData
from shell.indicators import atr, ema, last
from strategy.skills.regime import is_panic
from strategy.skills.sizing import daily_volatility, volatility_scaled_size
from strategy.skills.trend import trend_begins, trend_is_over, trend_strength

# name: (low, high, step, value). Averages and ranges in hourly bars; strengths and distances in average true ranges.
PARAMETERS = {
    "fast": (4, 60, 4, 48),
    "slow": (24, 360, 12, 240),
    "noise": (24, 96, 24, 48),
    "enter_above": (0.25, 3.0, 0.25, 1.0),
    "exit_below": (-2.0, 0.5, 0.25, -0.5),
    "stop_ranges": (3.0, 15.0, 1.0, 8.0),
    "limit_ranges": (0.0, 1.0, 0.05, 0.25),
    "panic_above": (1.5, 4.0, 0.25, 2.5),
    "daily_risk_pct": (0.001, 0.01, 0.0005, 0.003),
}
VALUE = {name: spec[3] for name, spec in PARAMETERS.items()}

HOUR_SECONDS = 3600
# A resting entry lives 24 hours in the shell; asking again sooner would only be refused as a duplicate.
PATIENCE_HOURS = 24


class Strategy:
    """Long only; at most one position and one resting entry a symbol."""

    scan_interval_minutes = 5

    def __init__(self) -> None:
        self._hour = 0
        self._max_trade_pct = 0.0
        # The hour (since the epoch) at which an entry was last asked for, by symbol.
        self._asked: dict[str, int] = {}

    def initialize(self, risk_limits: RiskLimits, symbols: list[str]) -> None:
        self._max_trade_pct = risk_limits.max_trade_pct

    def analyze(self, markets: dict[str, SymbolData], portfolio: Portfolio, timestamp: datetime) -> list[Signal]:
        hour = int(timestamp.timestamp()) // HOUR_SECONDS
        if hour == self._hour:
            return []
        self._hour = hour
        held = {position.symbol for position in portfolio.positions}
        signals = [
            self._exit(symbol, data) if symbol in held else self._entry(symbol, data, hour)
            for symbol, data in markets.items()
        ]
        return [signal for signal in signals if signal is not None]

    def on_fill(self, symbol: str, action: Action, qty: float, price: float, intent: Intent) -> None:
        if action is Action.BUY:
            self._asked.pop(symbol, None)

    def on_position_closed(self, symbol: str, pnl: float, pnl_pct: float) -> None:
        self._asked.pop(symbol, None)

    def get_state(self) -> dict[str, Any]:
        return {"hour": self._hour, "asked": dict(self._asked)}

    def load_state(self, state: dict[str, Any]) -> None:
        self._hour = int(state.get("hour", 0))
        self._asked = {symbol: int(hour) for symbol, hour in state.get("asked", {}).items()}

    def _entry(self, symbol: str, data: SymbolData, hour: int) -> Signal | None:
        if hour - self._asked.get(symbol, 0) < PATIENCE_HOURS:
            return None
        strength, noise = _trend(data)
        if not trend_begins(strength, VALUE["enter_above"]) or _in_panic(data):
            return None
        price = data.current_price
        limit = price - VALUE["limit_ranges"] * noise
        stop = limit - VALUE["stop_ranges"] * noise
        size = volatility_scaled_size(VALUE["daily_risk_pct"], daily_volatility(noise, price), self._max_trade_pct)
        if size <= 0 or stop <= 0:
            return None
        self._asked[symbol] = hour
        return Signal(
            symbol, Action.BUY, size, OrderType.LIMIT, limit_price=limit, stop_loss=stop, intent=Intent.POSITION,
            confidence=min(1.0, 0.5 + 0.1 * strength), tag="trend",
            reasoning=f"fast average {strength:.1f} ranges above the slow one; limit {VALUE['limit_ranges']:g} below",
        )

    def _exit(self, symbol: str, data: SymbolData) -> Signal | None:
        strength, _ = _trend(data)
        if not trend_is_over(strength, VALUE["exit_below"]):
            return None
        return Signal(
            symbol, Action.CLOSE, intent=Intent.POSITION, tag="trend",
            reasoning=f"the trend is over: fast average {strength:.1f} ranges above the slow one",
        )


def _trend(data: SymbolData) -> tuple[float, float]:
    """Trend strength and the usual hourly range; the strength is NaN, so neither begun nor over, before enough bars."""
    noise = last(atr(data, "1h", VALUE["noise"]))
    return trend_strength(last(ema(data, "1h", VALUE["fast"])), last(ema(data, "1h", VALUE["slow"])), noise), noise


def _in_panic(data: SymbolData) -> bool:
    return is_panic(last(atr(data, "1h", 24)), last(atr(data, "1h", VALUE["slow"])), VALUE["panic_above"])
