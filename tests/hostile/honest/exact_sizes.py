"""Sizes in exact decimals, statistics of the standard library, plain mathematics."""

import math
import statistics
from decimal import ROUND_DOWN, Decimal, getcontext, localcontext

from shell.contract import Action, Signal

TICK = Decimal("0.01")


class Strategy:
    scan_interval_minutes = 60

    def initialize(self, risk_limits, symbols):
        self.budget = Decimal(str(risk_limits.default_trade_pct))
        self.spent = Decimal(0)

    def analyze(self, markets, portfolio, timestamp):
        signals = []
        for symbol, data in sorted(markets.items()):
            closes = data.candles_1h["close"].to_list()[-100:]
            changes = [after / before - 1 for before, after in zip(closes, closes[1:], strict=False)]
            spread = statistics.stdev(changes)
            normal = statistics.NormalDist(statistics.fmean(changes), spread)
            slope, _ = statistics.linear_regression(range(len(closes)), closes)
            quartiles = statistics.quantiles(changes, n=4)
            with localcontext() as context:
                context.prec = 10
                size = (self.budget / Decimal(1 + math.floor(spread * 100))).quantize(Decimal("0.0001"), rounding=ROUND_DOWN)
            price = Decimal(repr(data.current_price)).quantize(TICK)
            self.spent += size * price
            risk = math.log1p(abs(normal.inv_cdf(0.05))) * math.sqrt(24)
            why = f"{size} at {price}, spent {self.spent:.2f}, risk {risk:.5f}, {slope:.5f}, {quartiles[1]:.6f}, {getcontext().prec}"
            if math.isfinite(risk) and not math.isclose(risk, 0.0):
                signals.append(Signal(symbol, Action.BUY, float(size), stop_loss=float(price * Decimal("0.95")), reasoning=why))
        return signals

    def on_fill(self, symbol, action, qty, price, intent):
        self.spent -= Decimal(repr(qty)) * Decimal(repr(price))

    def on_position_closed(self, symbol, pnl, pnl_pct):
        pass

    def get_state(self):
        return {"spent": str(self.spent)}

    def load_state(self, state):
        self.spent = Decimal(state["spent"])
