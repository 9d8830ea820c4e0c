"""Groups of a whole month: conditions inside of aggregations, several keys, many rows."""

import polars as pl
from strategy.skills.book import Quiet, towards


class Strategy(Quiet):
    def analyze(self, markets, portfolio, timestamp):
        frame = pl.concat(
            [
                data.candles_5m.with_columns(
                    symbol=pl.lit(symbol),
                    hour=pl.col("timestamp").dt.hour(),
                    up=pl.col("close") > pl.col("open"),
                    change=pl.col("close") / pl.col("open") - 1,
                )
                for symbol, data in markets.items()
            ]
        )
        by_hour = (
            frame.group_by("symbol", "hour")
            .agg(
                pl.col("change").filter(pl.col("up")).mean().alias("gain"),
                pl.col("change").filter(pl.col("up").not_()).mean().alias("loss"),
                pl.col("volume").filter(pl.col("volume") > pl.col("volume").median()).len().alias("busy"),
                pl.col("close").sort_by("volume").last().alias("at_volume"),
                pl.col("change").std().alias("spread"),
            )
            .sort("symbol", "hour")
        )
        wide = frame.pivot(on="symbol", index="hour", values="change", aggregate_function="mean").sort("hour")
        frame = frame.with_columns(
            usual=pl.col("volume").median().over("symbol", "hour"),
            best=pl.col("change").filter(pl.col("up")).max().over("symbol"),
        )
        signals = []
        for symbol in sorted(markets):
            row = by_hour.filter((pl.col("symbol") == symbol) & (pl.col("hour") == timestamp.hour)).row(0, named=True)
            mine = frame.filter(pl.col("symbol") == symbol)
            score = (row["gain"] or 0.0) + (row["loss"] or 0.0)
            why = f"gain {row['gain']:.6f} loss {row['loss']:.6f} busy {row['busy']} at {row['at_volume']:.3f} "
            why += f"{wide.height} {mine['usual'][-1]:.3f} {mine['best'][-1]:.5f}"
            signals.append(towards(symbol, score, portfolio, why))
        return signals
