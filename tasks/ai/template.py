"""The text around a grammar's rule: one strategy, readable by itself, with its numbers declared as PARAMETERS."""

from __future__ import annotations

from string import Template

TEMPLATE = Template('''"""A rule found by search on hourly bars, long only.

$hypothesis
Enters $order_words, with a stop some average ranges below; looks once an hour, when an hourly bar has closed.
"""

from __future__ import annotations

${math}from datetime import datetime
from typing import Any

from shell.contract import Action, Intent, OrderType, Portfolio, RiskLimits, Signal, SymbolData
from shell.indicators import $indicators

# name: (low, high, step, value). Averages and channels in hourly bars; stops and bands in average true ranges.
PARAMETERS = {
$parameters
}
VALUE = {name: spec[3] for name, spec in PARAMETERS.items()}

HOUR_SECONDS = 3600
RANGE_BARS = 24
# A resting entry lives 24 hours in the shell; asking again sooner would only be refused as a duplicate.
PATIENCE_HOURS = 24
$before$volume_score

class Strategy:
    """At most one position and one resting entry a symbol."""

    scan_interval_minutes = 60

    def __init__(self) -> None:
        self._max_trade_pct = 0.0
        # By symbol: the hour of the last request to enter, the hour a position was first seen, the highest price since.
        self._asked: dict[str, int] = {}
        self._entered: dict[str, int] = {}
        self._peak: dict[str, float] = {}

    def initialize(self, risk_limits: RiskLimits, symbols: list[str]) -> None:
        self._max_trade_pct = risk_limits.max_trade_pct

    def analyze(self, markets: dict[str, SymbolData], portfolio: Portfolio, timestamp: datetime) -> list[Signal]:
        hour = int(timestamp.timestamp()) // HOUR_SECONDS
        held = {position.symbol for position in portfolio.positions}
        signals = []
        for symbol, data in markets.items():
            if symbol in held:
                self._entered.setdefault(symbol, hour)
                self._peak[symbol] = max(self._peak.get(symbol, 0.0), data.current_price)
                if self._leaves(data, hour):
                    signals.append(Signal(symbol, Action.CLOSE, reasoning="the rule's exit is met", tag="search"))
            elif hour - self._asked.get(symbol, 0) >= PATIENCE_HOURS and self._enters(data):
                signal = self._entry(symbol, data)
                if signal is not None:
                    self._asked[symbol] = hour
                    signals.append(signal)
        return signals

    def on_fill(self, symbol: str, action: Action, qty: float, price: float, intent: Intent) -> None:
        if action is Action.BUY:
            self._asked.pop(symbol, None)
            self._peak[symbol] = max(self._peak.get(symbol, 0.0), price)

    def on_position_closed(self, symbol: str, pnl: float, pnl_pct: float) -> None:
        self._entered.pop(symbol, None)
        self._peak.pop(symbol, None)

    def get_state(self) -> dict[str, Any]:
        return {"asked": dict(self._asked), "entered": dict(self._entered), "peak": dict(self._peak)}

    def load_state(self, state: dict[str, Any]) -> None:
        self._asked = {symbol: int(hour) for symbol, hour in state.get("asked", {}).items()}
        self._entered = {symbol: int(hour) for symbol, hour in state.get("entered", {}).items()}
        self._peak = {symbol: float(price) for symbol, price in state.get("peak", {}).items()}

    def _enters(self, data: SymbolData) -> bool:
        return $entry

    def _leaves(self, data: SymbolData, hour: int) -> bool:
        return $leave

    def _entry(self, symbol: str, data: SymbolData) -> Signal | None:
        price = $price
        stop = price - VALUE["stop_ranges"] * last(atr(data, "1h", RANGE_BARS))
        if not stop > 0:
            return None
        size = min(VALUE["size_pct"], self._max_trade_pct)
        return Signal(
            symbol, Action.BUY, size, OrderType.$order_type, ${limit_price}stop_loss=stop, intent=Intent.SWING,
            reasoning="the rule's entry is met", tag="search",
        )
''')
