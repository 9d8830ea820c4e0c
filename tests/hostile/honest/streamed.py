"""Many rows through every way of collecting: streaming, several queries at once, in the background; groups, joins, windows."""

import polars as pl
from strategy.skills.book import Quiet, towards

COPIES = 8


class Strategy(Quiet):
    def analyze(self, markets, portfolio, timestamp):
        month = pl.concat(
            [
                data.candles_5m.with_columns(symbol=pl.lit(symbol), copy=pl.lit(copy), up=pl.col("close") > pl.col("open"))
                for symbol, data in markets.items()
                for copy in range(COPIES)
            ]
        ).with_columns(hour=pl.col("timestamp").dt.hour())
        lazy = month.lazy()
        by_symbol = lazy.group_by("symbol").agg(
            pl.col("close").filter(pl.col("up")).mean().alias("above"),
            pl.col("close").filter(pl.col("up").not_()).mean().alias("below"),
            pl.col("volume").median().alias("usual"),
        )
        streamed = by_symbol.sort("symbol").collect(engine="streaming")
        background = by_symbol.sort("symbol").collect(background=True).fetch_blocking()
        counts, joined = pl.collect_all(
            [
                lazy.group_by("symbol", "hour").agg(pl.len()).sort("symbol", "hour"),
                lazy.join(by_symbol, on="symbol").select((pl.col("close") > pl.col("above")).mean()),
            ],
            engine="streaming",
        )
        windows = lazy.with_columns(rank=pl.col("volume").rank().over("symbol", "hour")).unique(["symbol", "timestamp"])
        ranked = windows.sort("symbol", "timestamp").collect(engine="streaming")
        hours = month.sort("timestamp").group_by_dynamic("timestamp", every="1h", group_by="symbol").agg(pl.col("close").last())
        signals = []
        for row, again in zip(streamed.iter_rows(named=True), background.iter_rows(named=True), strict=True):
            mine = ranked.filter(pl.col("symbol") == row["symbol"])
            score = mine["close"][-1] - (row["above"] or 0.0)
            why = f"{row['above']:.4f} {again['below']:.4f} {row['usual']:.4f} of {counts.height} {joined.item():.4f} "
            why += f"{mine['rank'][-1]:.1f} {hours.height}"
            signals.append(towards(row["symbol"], score, portfolio, why))
        return signals
