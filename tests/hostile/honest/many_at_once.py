"""Several queries in one go, on the engines that polars offers."""

import polars as pl
from strategy.skills.book import Quiet, towards


class Strategy(Quiet):
    def analyze(self, markets, portfolio, timestamp):
        names = sorted(markets)
        plans = [
            markets[name]
            .candles_5m.lazy()
            .select(pl.col("close").last(), pl.col("volume").sum(), pl.col("close").std().alias("std"))
            for name in names
        ]
        answers = pl.collect_all(plans)
        streamed = (
            pl.concat([markets[name].candles_1h.lazy().with_columns(symbol=pl.lit(name)) for name in names])
            .group_by("symbol")
            .agg(pl.col("close").mean(), pl.col("high").max(), pl.len())
            .sort("symbol")
            .collect(engine="streaming")
        )
        eager = pl.concat([markets[name].candles_1d.with_columns(symbol=pl.lit(name)) for name in names])
        unique = eager.unique(subset=["symbol"], keep="last", maintain_order=True).sort("symbol")
        largest = eager.top_k(3, by="volume")["volume"].sum()
        counts = eager["symbol"].value_counts().sort("symbol")["count"].to_list()
        schema = streamed.lazy().collect_schema().names()
        signals = []
        for name, answer, row in zip(names, answers, streamed.iter_rows(named=True), strict=True):
            close, volume, spread = answer.row(0)
            why = f"{close:.4f} {volume:.2f} {spread:.4f} {row['close']:.4f} {row['len']} {largest:.3f} {counts} {len(schema)} {unique.height}"
            signals.append(towards(name, close - row["close"], portfolio, why))
        return signals
