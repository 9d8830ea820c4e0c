"""A lazy query of several steps."""

import polars as pl
from strategy.skills.book import Quiet, towards


class Strategy(Quiet):
    def analyze(self, markets, portfolio, timestamp):
        signals = []
        for symbol, data in markets.items():
            row = (
                data.candles_5m.lazy()
                .with_columns(
                    change=pl.col("close").pct_change(),
                    fast=pl.col("close").rolling_mean(12),
                    slow=pl.col("close").rolling_mean(48),
                )
                .filter(pl.col("volume") > 0)
                .with_columns(gap=(pl.col("fast") / pl.col("slow") - 1).fill_null(0.0))
                .select(pl.col("gap").last(), pl.col("change").tail(24).std().alias("spread"), pl.len().alias("bars"))
                .collect()
            )
            gap, spread, bars = row.row(0)
            signals.append(towards(symbol, gap / (spread or 1.0), portfolio, f"gap {gap:.5f} of {bars} bars"))
        return signals
