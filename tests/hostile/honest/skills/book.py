"""What most strategies do not need to say themselves."""

from shell.contract import Action, Signal


class Quiet:
    """A strategy without memory; the others build on it."""

    scan_interval_minutes = 15

    def initialize(self, risk_limits, symbols):
        self.limits, self.symbols = risk_limits, list(symbols)

    def on_fill(self, symbol, action, qty, price, intent):
        pass

    def on_position_closed(self, symbol, pnl, pnl_pct):
        pass

    def get_state(self):
        return {}

    def load_state(self, state):
        pass


def held(portfolio):
    return {position.symbol for position in portfolio.positions}


def towards(symbol, score, portfolio, why):
    """A purchase when the score is positive, a sale of what is held when it is not, and the reason in words."""
    if score > 0 and symbol not in held(portfolio):
        return Signal(symbol, Action.BUY, 0.05, confidence=min(1.0, abs(score)), reasoning=why, tag="towards")
    return Signal(symbol, Action.CLOSE, reasoning=why)
