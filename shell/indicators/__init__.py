"""Indicators for strategies: grown bar by bar inside the host, recomputed from frames anywhere else.

`ema(data, "1h", 21)` takes the `SymbolData` of one scan and gives one value per bar of that tier's window, oldest first, NaN
until enough bars were seen, read-only. `ema_last(data, "1h", 21)` gives the newest of them alone, much faster, and
`across(ema_last, markets, "1h", 21)` that of every symbol as one vector. `ema_of(series, 21)` takes any plain sequence.
Inside the host each new bar costs the same however long the history is; a `SymbolData` built by hand gives the same
values from its frames. Recursive averages (EMA, RSI, ATR) start at the first bar the host was given and keep growing from
there, so they do not jump when the window's oldest bar leaves.

Only closed bars exist here: the newest value belongs to the last closed bar, not to `current_price`.
"""

from __future__ import annotations

from shell.indicators.arithmetic import Values
from shell.indicators.crossing import ema_crossings
from shell.indicators.newest import (
    across,
    atr_last,
    ema_cross,
    ema_last,
    highest_last,
    lowest_last,
    newest,
    rolling_deviation_last,
    rolling_mean_last,
    rsi_last,
)
from shell.indicators.series import (
    Indicator,
    atr,
    atr_of,
    ema,
    ema_of,
    highest,
    highest_of,
    last,
    lowest,
    lowest_of,
    rate_of_change,
    rate_of_change_of,
    rolling_deviation,
    rolling_deviation_of,
    rolling_mean,
    rolling_mean_of,
    rsi,
    rsi_of,
    sma,
    sma_of,
)

__all__ = [
    "Indicator",
    "Values",
    "across",
    "atr",
    "atr_last",
    "atr_of",
    "ema",
    "ema_cross",
    "ema_crossings",
    "ema_last",
    "ema_of",
    "highest",
    "highest_last",
    "highest_of",
    "last",
    "lowest",
    "lowest_last",
    "lowest_of",
    "newest",
    "rate_of_change",
    "rate_of_change_of",
    "rolling_deviation",
    "rolling_deviation_last",
    "rolling_deviation_of",
    "rolling_mean",
    "rolling_mean_last",
    "rolling_mean_of",
    "rsi",
    "rsi_last",
    "rsi_of",
    "sma",
    "sma_of",
]
