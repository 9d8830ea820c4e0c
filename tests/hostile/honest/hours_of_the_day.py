"""Which hours of the day were good: groups by hour, by day, and by windows of time."""

import polars as pl
from strategy.skills.book import Quiet, towards


class Strategy(Quiet):
    def analyze(self, markets, portfolio, timestamp):
        signals = []
        for symbol, data in markets.items():
            hours = data.candles_1h.with_columns(change=pl.col("close") / pl.col("open") - 1)
            best = (
                hours.group_by(pl.col("timestamp").dt.hour().alias("hour"))
                .agg(pl.col("change").mean(), pl.len().alias("count"), pl.col("volume").median())
                .sort("change", "hour", descending=[True, False])
            )
            days = hours.group_by_dynamic("timestamp", every="1d").agg(
                pl.col("open").first(),
                pl.col("high").max(),
                pl.col("low").min(),
                pl.col("close").last(),
                pl.col("volume").sum(),
            )
            quarter = data.candles_5m.group_by_dynamic("timestamp", every="15m", closed="left").agg(pl.col("close").last())
            weeks = days.group_by(pl.col("timestamp").dt.weekday(), maintain_order=True).agg(pl.col("close").mean())
            now = best.filter(pl.col("hour") == timestamp.hour)
            score = now["change"][0] if now.height else 0.0
            why = f"hour {best['hour'][0]} is best of {best.height}, {days.height} days, {quarter.height} {weeks.height}"
            signals.append(towards(symbol, score, portfolio, why))
        return signals
