"""Tables turned round: pivot, unpivot, transpose, and back."""

import polars as pl
from strategy.skills.book import Quiet, towards


class Strategy(Quiet):
    def analyze(self, markets, portfolio, timestamp):
        tall = pl.concat(
            [
                data.candles_1h.select(
                    pl.lit(symbol).alias("symbol"),
                    pl.col("timestamp").dt.date().alias("day"),
                    pl.col("timestamp").dt.hour().alias("hour"),
                    "close",
                )
                for symbol, data in markets.items()
            ]
        )
        wide = tall.pivot(on="symbol", index="day", values="close", aggregate_function="last").sort("day")
        long = wide.unpivot(index="day", variable_name="symbol", value_name="close")
        turned = wide.drop("day").tail(5).transpose(include_header=True, header_name="symbol")
        returns = wide.select(pl.exclude("day").pct_change()).drop_nulls()
        matrix = returns.to_numpy()
        best = returns.mean().transpose(include_header=True, column_names=["mean"]).sort("mean", descending=True)
        symbol, mean = best.row(0)
        cube = tall.pivot(on="hour", index="symbol", values="close", aggregate_function="mean").sort("symbol")
        corner = returns.corr().row(0)
        why = f"{long.height} {turned.width} {matrix.shape} {cube.width} {corner[1]:.4f} best {symbol} {mean:.6f}"
        return [towards(symbol, mean, portfolio, why)]
