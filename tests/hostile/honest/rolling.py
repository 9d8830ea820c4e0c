"""Rolling windows of polars: by count, by time, over groups."""

import polars as pl
from strategy.skills.book import Quiet, towards


class Strategy(Quiet):
    def analyze(self, markets, portfolio, timestamp):
        signals = []
        for symbol, data in markets.items():
            frame = data.candles_5m.tail(400)
            rolled = frame.with_columns(
                mean=pl.col("close").rolling_mean(20),
                spread=pl.col("close").rolling_std(20),
                high20=pl.col("high").rolling_max(20),
                low20=pl.col("low").rolling_min(20),
                middle=pl.col("close").rolling_median(21),
                tenth=pl.col("close").rolling_quantile(0.1, window_size=30),
                sum=pl.col("volume").rolling_sum(12, min_samples=1),
                skew=pl.col("close").rolling_skew(30),
                timed=pl.col("close").rolling_mean_by("timestamp", window_size="2h"),
                together=pl.rolling_corr("close", "volume", window_size=50),
            )
            hourly = frame.rolling("timestamp", period="1h").agg(pl.col("close").last() - pl.col("close").first())
            bands = rolled.lazy().with_columns(z=(pl.col("close") - pl.col("mean")) / pl.col("spread")).collect()
            row = bands.row(-1, named=True)
            why = " ".join(
                f"{name} {row[name]:.4f}" for name in ("z", "high20", "low20", "middle", "tenth", "skew", "timed", "together")
            )
            signals.append(towards(symbol, -row["z"], portfolio, f"{why} {hourly['close'][-1]:.5f}"))
        return signals
