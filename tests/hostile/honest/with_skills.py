"""Everything that measures lies in skills, some of which use one another."""

import strategy.skills.measures as measures
from strategy.skills.measures import sharpe, volatility

from strategy.skills import book, rounding


class Strategy(book.Quiet):
    def analyze(self, markets, portfolio, timestamp):
        signals = []
        for symbol, data in markets.items():
            closes = data.candles_5m["close"].to_numpy()
            score = sharpe(closes)
            why = ", ".join(
                [measures.told("sharpe", score), measures.told("volatility", volatility(closes)), rounding.short(closes[-1], 6)]
            )
            signals.append(book.towards(symbol, score, portfolio, why))
        return signals
