"""Two averages, a strength index and volume, by the shell's own indicators."""

from shell import indicators
from shell.contract import Action, Intent, OrderType, Signal


class Strategy:
    def initialize(self, risk_limits, symbols):
        self.limits = risk_limits
        self.bought = {}

    @property
    def scan_interval_minutes(self):
        return 5

    def analyze(self, markets, portfolio, timestamp):
        held = {position.symbol: position for position in portfolio.positions}
        signals = []
        for symbol, data in markets.items():
            fast = indicators.last(indicators.ema(data, "5m", 9))
            slow = indicators.last(indicators.ema(data, "5m", 21))
            strength = indicators.last(indicators.rsi(data, "1h"))
            span = indicators.last(indicators.atr(data, "1h"))
            busy = data.candles_5m["volume"][-1] > indicators.last(indicators.sma(data, "5m", 20, "volume"))
            reason = f"fast {fast:.3f} slow {slow:.3f} rsi {strength:.1f} busy {busy}"
            if symbol not in held and fast > slow and strength < 75:
                limit = round(data.current_price * 0.999, 2)
                signals.append(
                    Signal(
                        symbol=symbol,
                        action=Action.BUY,
                        size_pct=min(0.1, self.limits.max_trade_pct),
                        order_type=OrderType.LIMIT,
                        limit_price=limit,
                        stop_loss=max(limit - 2 * span, 0.01),
                        take_profit=limit + 4 * span,
                        intent=Intent.SWING,
                        confidence=0.6,
                        reasoning=reason,
                    )
                )
            elif symbol in held and fast < slow:
                signals.append(Signal(symbol, Action.CLOSE, reasoning=reason))
        return signals

    def on_fill(self, symbol, action, qty, price, intent):
        self.bought[symbol] = price

    def on_position_closed(self, symbol, pnl, pnl_pct):
        self.bought.pop(symbol, None)

    def get_state(self):
        return {"bought": self.bought}

    def load_state(self, state):
        self.bought = dict(state.get("bought", {}))
