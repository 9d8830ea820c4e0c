"""Conditions, casts, bins, lists, structs and selectors."""

import polars as pl
import polars.selectors as cs
from strategy.skills.book import Quiet, towards


class Strategy(Quiet):
    def analyze(self, markets, portfolio, timestamp):
        signals = []
        for symbol, data in markets.items():
            frame = data.candles_5m.tail(300).with_columns(
                change=pl.col("close").pct_change().fill_null(strategy="zero"),
                kind=pl.when(pl.col("close") > pl.col("open")).then(pl.lit("up")).otherwise(pl.lit("down")),
                body=(pl.col("close") - pl.col("open")).abs(),
                hour=pl.col("timestamp").dt.hour().cast(pl.Int32),
            )
            frame = frame.with_columns(
                bin=pl.col("change").cut([-0.002, 0.0, 0.002], labels=["a", "b", "c", "d"]),
                quarter=pl.col("volume").qcut(4, labels=["1", "2", "3", "4"]),
                kind=pl.col("kind").cast(pl.Categorical),
                both=pl.struct("open", "close"),
                filled=pl.col("change").replace(0.0, None).forward_fill().interpolate(),
            )
            numbers = frame.select(cs.numeric() & ~cs.by_name("hour")).mean().row(0)
            lists = (
                frame.group_by("hour")
                .agg(pl.col("close"))
                .sort("hour")
                .with_columns(
                    last=pl.col("close").list.last(), long=pl.col("close").list.len(), best=pl.col("close").list.max()
                )
            )
            counts = frame["bin"].value_counts().sort("bin")
            exploded = lists.select("hour", "close").explode("close").height
            spans = frame.select(pl.max_horizontal("open", "close").sum() - pl.min_horizontal("open", "close").sum()).item()
            folded = frame.select(pl.fold(pl.lit(0.0), lambda a, b: a + b, [pl.col("high"), pl.col("low")]).mean()).item()
            ups = frame.select((pl.col("kind") == "up").sum()).item()
            unnested = frame.select("both").unnest("both").width
            why = f"{ups} ups, {counts['count'].to_list()}, {exploded} {spans:.4f} {folded:.4f} {unnested} {numbers[0]:.4f} {lists.height}"
            signals.append(towards(symbol, ups - 150, portfolio, why))
        return signals
