"""All of the shell's indicators, on the data and on plain series."""

from strategy.skills.book import Quiet, towards

import shell.indicators as ind
from shell.indicators import last


class Strategy(Quiet):
    def analyze(self, markets, portfolio, timestamp):
        signals = []
        for symbol, data in markets.items():
            upper = ind.highest(data, "1h", 20)[-2]
            lower = ind.lowest(data, "1h", 20)[-2]
            middle, spread = last(ind.sma(data, "1h", 20)), last(ind.rolling_deviation(data, "1h", 20))
            change = last(ind.rate_of_change(data, "1d", 5))
            closes = data.candles_1h["close"]
            again = last(ind.ema_of(closes, 20)), last(ind.rsi_of(closes.to_list())), last(ind.sma_of(closes.to_numpy(), 5))
            reach = last(ind.atr_of(data.candles_1h["high"], data.candles_1h["low"], closes))
            place = (data.current_price - lower) / (upper - lower)
            why = f"{upper:.3f} {lower:.3f} {middle:.3f} {spread:.4f} {change:.4f} {again[0]:.4f} {again[1]:.2f} {again[2]:.3f} {reach:.4f}"
            signals.append(towards(symbol, place - 0.5, portfolio, why))
        return signals
