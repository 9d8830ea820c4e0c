"""Python functions inside polars: on elements, on batches, on rolling windows and on groups."""

import math

import polars as pl
from strategy.skills.book import Quiet, towards


def squashed(value):
    return math.tanh(value / 100.0)


class Strategy(Quiet):
    def analyze(self, markets, portfolio, timestamp):
        signals = []
        for symbol, data in markets.items():
            tail = data.candles_5m.tail(200)
            frame = tail.with_columns(
                squashed=pl.col("close").map_elements(squashed, return_dtype=pl.Float64),
                ranked=pl.col("volume").map_batches(lambda s: s.rank() / len(s), return_dtype=pl.Float64),
                middle=pl.col("close").rolling_map(lambda window: window.median(), 5),
                body=pl.struct("open", "close").map_elements(lambda r: r["close"] - r["open"], return_dtype=pl.Float64),
            )
            hours = frame.with_columns(hour=pl.col("timestamp").dt.hour())
            hours = hours.group_by("hour", maintain_order=True).map_groups(lambda group: group.tail(1))
            rows = [row["close"] for row in frame.iter_rows(named=True)][-3:]
            total = sum(value for (value,) in frame.select("body").rows())
            values = frame.select(pl.col("squashed", "ranked", "middle").last()).row(0)
            why = f"{values[0]:.6f} {values[1]:.3f} {values[2]:.4f} {hours.height} {sum(rows):.3f} {total:.4f}"
            signals.append(towards(symbol, total, portfolio, why))
        return signals
