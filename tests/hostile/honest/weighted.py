"""Exponential weights in polars, eager and lazy."""

import polars as pl
from strategy.skills.book import Quiet, towards


class Strategy(Quiet):
    def analyze(self, markets, portfolio, timestamp):
        signals = []
        for symbol, data in markets.items():
            frame = data.candles_5m.with_columns(
                fast=pl.col("close").ewm_mean(span=9, adjust=False),
                slow=pl.col("close").ewm_mean(half_life=20, min_samples=10),
                spread=pl.col("close").ewm_std(alpha=0.1),
                variance=pl.col("close").ewm_var(com=12),
                timed=pl.col("close").ewm_mean_by("timestamp", half_life="1h"),
            )
            macd = (
                frame.lazy()
                .select(line=pl.col("close").ewm_mean(span=12) - pl.col("close").ewm_mean(span=26))
                .with_columns(signal=pl.col("line").ewm_mean(span=9))
                .collect()
                .row(-1)
            )
            fast, slow, spread, _, timed = frame.select("fast", "slow", "spread", "variance", "timed").row(-1)
            why = f"fast {fast:.4f} slow {slow:.4f} spread {spread:.4f} timed {timed:.4f} macd {macd[0]:.5f} {macd[1]:.5f}"
            signals.append(towards(symbol, fast - slow, portfolio, why))
        return signals
