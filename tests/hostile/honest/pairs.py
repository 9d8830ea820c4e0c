"""Two symbols beside each other: joins by time, nearest joins, correlation, and frames stacked in both directions."""

from itertools import combinations

import polars as pl
from strategy.skills.book import Quiet, towards


class Strategy(Quiet):
    def analyze(self, markets, portfolio, timestamp):
        signals = []
        for one, other in combinations(sorted(markets), 2):
            left = markets[one].candles_5m.select("timestamp", pl.col("close").alias("one"))
            right = markets[other].candles_5m.select("timestamp", pl.col("close").alias("other"))
            both = left.join(right, on="timestamp", how="inner").with_columns(ratio=pl.col("one") / pl.col("other"))
            alone = left.join(right, on="timestamp", how="anti").height + left.join(right, on="timestamp", how="full").height
            hours = markets[one].candles_1h.select("timestamp", pl.col("close").alias("hour"))
            near = both.join_asof(hours, on="timestamp", strategy="backward", tolerance="3h")
            drift = near.select((pl.col("one") / pl.col("hour") - 1).mean()).item()
            related = both.select(pl.corr("one", "other")).item()
            score = both.select((pl.col("ratio").last() - pl.col("ratio").mean()) / pl.col("ratio").std()).item()
            tall = pl.concat([left.rename({"one": "price"}), right.rename({"other": "price"})], how="vertical")
            wide = pl.concat([left.rename({"timestamp": "at"}), right], how="horizontal")
            why = f"{one} and {other}: {related:.4f}, drift {drift:.6f}, {alone} {tall.height} {wide.width}"
            signals.append(towards(one, -score, portfolio, why))
        return signals
