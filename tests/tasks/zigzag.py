"""A market that rises for nearly two days and falls as long, again and again: any hourly trend rule earns, holding does not."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl

from shell.clock import to_ms
from shell.market.bars import Tier
from shell.market.history import History

BARS_PER_DAY = 288
# Not whole days: else everything happens at one time of day, which makes a day the strategy's own bar.
LEG_DAYS = 1.9
SWING = 0.12


def zigzag(symbols: tuple[str, ...], start: datetime, days: int) -> History:
    """`days` days of 5m bars; symbols move alike, at different prices."""
    bars = np.arange(days * BARS_PER_DAY + 1)
    phase = bars / (BARS_PER_DAY * LEG_DAYS) % 2
    level = SWING * np.where(phase < 1, phase, 2 - phase) + 0.0005 * np.sin(bars * 0.7)
    times = to_ms(start) + bars[:-1] * Tier.M5.ms
    frames = {}
    for number, symbol in enumerate(symbols):
        price = 100.0 * (number + 1) * np.exp(level)
        opened, closed = price[:-1], price[1:]
        frames[symbol] = pl.DataFrame(
            {
                "timestamp": pl.Series(times).cast(pl.Datetime("ms", "UTC")), "open": opened,
                "high": np.maximum(opened, closed) * 1.0002, "low": np.minimum(opened, closed) * 0.9998,
                "close": closed, "volume": 50.0 + 10.0 * np.sin(bars[:-1] * 0.3),
            }
        )
    return History(m5=frames, source="zigzag", real=False)
