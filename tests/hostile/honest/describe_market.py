"""Summaries: describe, quantiles, skew, and what frames look like when printed."""

import polars as pl
from strategy.skills.book import Quiet, towards


class Strategy(Quiet):
    def analyze(self, markets, portfolio, timestamp):
        signals = []
        for symbol, data in markets.items():
            table = data.candles_1h.describe()
            mean = float(table.filter(pl.col("statistic") == "mean")["close"][0])
            rows = data.candles_1h.height
            changes = data.candles_1h["close"].pct_change().drop_nulls()
            low, high = changes.quantile(0.05), changes.quantile(0.95, interpolation="linear")
            shape = f"{changes.skew():.3f} {changes.kurtosis():.3f} {changes.median():.6f} {changes.var():.3g}"
            summary = changes.describe()
            print(data.candles_1d.tail(3), summary)
            text = str(data.candles_1d.head(1)).splitlines()[0]
            why = f"{rows} bars, 5% {low:.4f}, 95% {high:.4f}, {shape}, {text}, {summary.height}, {table.columns[0]}"
            signals.append(towards(symbol, data.current_price - mean, portfolio, why))
        return signals
