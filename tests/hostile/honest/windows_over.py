"""Window functions: ranks and sums over groups, shifts, running maxima, drawdowns."""

import polars as pl
from strategy.skills.book import Quiet, towards


class Strategy(Quiet):
    def analyze(self, markets, portfolio, timestamp):
        frame = pl.concat(
            [data.candles_1h.tail(100).with_columns(symbol=pl.lit(symbol)) for symbol, data in markets.items()]
        ).with_columns(
            change=(pl.col("close") / pl.col("close").shift(1) - 1).over("symbol"),
            peak=pl.col("close").cum_max().over("symbol"),
            number=pl.int_range(pl.len()).over("symbol"),
            traded=pl.col("volume").cum_sum().over("symbol"),
        )
        frame = frame.with_columns(
            drawdown=pl.col("close") / pl.col("peak") - 1,
            place=pl.col("change").rank("ordinal", descending=True).over("timestamp"),
            share=pl.col("volume") / pl.col("volume").sum().over("timestamp"),
            runs=(pl.col("change") > 0).rle_id().over("symbol"),
        )
        last = frame.filter(pl.col("number") == pl.col("number").max()).sort("place", "symbol")
        signals = []
        for row in last.iter_rows(named=True):
            why = f"place {row['place']} drawdown {row['drawdown']:.4f} share {row['share']:.4f} run {row['runs']}"
            signals.append(towards(row["symbol"], row["change"], portfolio, why))
        return signals
