"""v000 holds nothing, ever: the floor of every rollback."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from shell.contract import Action, Intent, Portfolio, RiskLimits, Signal, SymbolData


class Strategy:
    """Never enters. Stops and targets of positions it inherits stay with the shell."""

    scan_interval_minutes = 5

    def initialize(self, risk_limits: RiskLimits, symbols: list[str]) -> None:
        return None

    def analyze(self, markets: dict[str, SymbolData], portfolio: Portfolio, timestamp: datetime) -> list[Signal]:
        return []

    def on_fill(self, symbol: str, action: Action, qty: float, price: float, intent: Intent) -> None:
        return None

    def on_position_closed(self, symbol: str, pnl: float, pnl_pct: float) -> None:
        return None

    def get_state(self) -> dict[str, Any]:
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        return None
