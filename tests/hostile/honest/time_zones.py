"""Trades in the hours of New York: time zones in frames and in single values."""

import polars as pl
from strategy.skills.book import Quiet, towards


class Strategy(Quiet):
    def analyze(self, markets, portfolio, timestamp):
        signals = []
        for symbol, data in markets.items():
            local = data.candles_1h.with_columns(
                there=pl.col("timestamp").dt.convert_time_zone("America/New_York"),
                tokyo=pl.col("timestamp").dt.convert_time_zone("Asia/Tokyo").dt.hour(),
            )
            session = local.filter(pl.col("there").dt.hour().is_between(9, 16) & (pl.col("there").dt.weekday() <= 5))
            naive = local["timestamp"].dt.replace_time_zone(None).dt.strftime("%Y-%m-%d")
            newest = local["there"][-1]
            first = data.candles_5m["timestamp"][0]
            age = (timestamp - data.candles_5m["timestamp"][-1]).total_seconds()
            days = local.select(pl.col("there").dt.date().n_unique()).item()
            truncated = local["timestamp"].dt.truncate("1d").n_unique()
            why = (
                f"{session.height} session bars, newest {newest:%H:%M %Z}, first {first.isoformat()}, age {age:.0f}, "
                f"{days} {truncated} {naive[-1]} {local['tokyo'][-1]} {newest.utcoffset()} {local.describe().height}"
            )
            signals.append(towards(symbol, session["close"][-1] - session["open"][0], portfolio, why))
        return signals
