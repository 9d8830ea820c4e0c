"""The strategy that engines are compared with: EMA 9/21 cross, RSI and volume filters, on 5-minute bars.

In when EMA 9 crosses above EMA 21 while RSI(14) is below 70 and the volume above 1.2 times its 20-bar mean; out when it
crosses below, at a stop of 2 % or a target of 4 %. Long only, a tenth of the equity a trade. It asks something of an
engine on every bar and trades about twice a day: made to be measured, not to earn.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from shell.contract import Action, Intent, Portfolio, RiskLimits, Signal, SymbolData
from shell.indicators import ema_crossings, newest, rolling_mean_last, rsi_last

FAST, SLOW, RSI_PERIOD, VOLUME_PERIOD = 9, 21, 14, 20
RSI_MAX, VOLUME_FACTOR = 70.0, 1.2
STOP_PCT, TARGET_PCT, SIZE_PCT = 0.02, 0.04, 0.10


class Strategy:
    """Stateless: a cross is read from the last two bars."""

    scan_interval_minutes = 5

    def initialize(self, risk_limits: RiskLimits, symbols: list[str]) -> None:
        return None

    def analyze(self, markets: dict[str, SymbolData], portfolio: Portfolio, timestamp: datetime) -> list[Signal]:
        crossings = ema_crossings(markets, "5m", FAST, SLOW)
        if not crossings:
            return []
        held = {position.symbol for position in portfolio.positions}
        signals = []
        for symbol, direction in crossings.items():
            if symbol in held:
                if direction < 0:
                    signals.append(Signal(symbol, Action.CLOSE, intent=Intent.DAY))
            elif direction > 0 and self._confirmed(markets[symbol]):
                price = markets[symbol].current_price
                signals.append(
                    Signal(
                        symbol, Action.BUY, SIZE_PCT, stop_loss=price * (1 - STOP_PCT),
                        take_profit=price * (1 + TARGET_PCT), intent=Intent.DAY,
                    )
                )
        return signals

    def on_fill(self, symbol: str, action: Action, qty: float, price: float, intent: Intent) -> None:
        return None

    def on_position_closed(self, symbol: str, pnl: float, pnl_pct: float) -> None:
        return None

    def get_state(self) -> dict[str, Any]:
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        return None

    def _confirmed(self, data: SymbolData) -> bool:
        return rsi_last(data, "5m", RSI_PERIOD) < RSI_MAX and (
            newest(data, "5m", "volume") > VOLUME_FACTOR * rolling_mean_last(data, "5m", VOLUME_PERIOD, "volume")
        )
