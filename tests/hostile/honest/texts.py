"""Texts: in polars, in Python, by pattern."""

import re
import string

import polars as pl
from strategy.skills.book import Quiet, towards

QUOTE = re.compile(r"^(?P<base>[A-Z0-9]+)/(?P<quote>USD|EUR)$")


class Strategy(Quiet):
    def analyze(self, markets, portfolio, timestamp):
        names = pl.DataFrame({"symbol": sorted(markets)}).with_columns(
            base=pl.col("symbol").str.split("/").list.first(),
            quote=pl.col("symbol").str.extract(r"/(\w+)$", 1),
            lower=pl.col("symbol").str.to_lowercase().str.replace_all("/", "-"),
            long=pl.col("symbol").str.len_chars(),
            usd=pl.col("symbol").str.contains("USD", literal=True),
            padded=pl.col("symbol").str.pad_end(9, "."),
            joined=pl.concat_str("symbol", pl.lit("x"), separator="_"),
            shaped=pl.format("{} of {}", "symbol", pl.lit(3)),
        )
        signals = []
        for row in names.iter_rows(named=True):
            found = QUOTE.match(row["symbol"])
            letters = sum(char in string.ascii_uppercase for char in row["symbol"])
            data = markets[row["symbol"]]
            day = data.candles_1d.select(pl.col("timestamp").dt.strftime("%d %B").alias("day"))["day"][-1]
            parsed = pl.Series(["2024-01-05"]).str.to_date()[0]
            why = " ".join(
                [row["lower"], row["padded"], row["joined"], row["shaped"], found["base"], str(letters), day, f"{parsed:%j}"]
            )
            signals.append(towards(row["symbol"], 1.0 if row["usd"] else -1.0, portfolio, f"{why:<40}|{row['base']!r:>8}"))
        return signals
