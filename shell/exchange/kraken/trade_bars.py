"""Candles out of single trades: pure. Only bars whose end is known to have passed are given out.

Prices and quantities become floats here, as everywhere in market data; a bar without trades does not exist.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import polars as pl

from shell.clock import to_ms
from shell.exchange.kraken.public_types import PublicTrade
from shell.market.bars import Tier
from shell.market.columns import WIDTH
from shell.market.frames import to_frame


class TradeBars:
    """Builds one symbol's bars from trades in rising time, each counted once by its id."""

    __slots__ = ("_last_id", "_tier", "_trades", "trades")

    def __init__(self, tier: Tier = Tier.M5) -> None:
        self._tier = tier
        self._last_id = 0
        self._trades: dict[int, list[tuple[float, float]]] = {}
        self.trades = 0
        """How many were counted."""

    def add(self, trades: Iterable[PublicTrade], *, since_ms: int, until_ms: int) -> None:
        """Count trades made from `since_ms` on and before `until_ms`."""
        for trade in trades:
            # Ids rise; pages overlap where several trades share a time.
            if trade.trade_id and trade.trade_id <= self._last_id:
                continue
            self._last_id = max(self._last_id, trade.trade_id)
            at = to_ms_floor(trade)
            if since_ms <= at < until_ms and trade.qty > 0:
                self._trades.setdefault(at - at % self._tier.ms, []).append((float(trade.price), float(trade.qty)))
                self.trades += 1

    def take(self, before_ms: int) -> pl.DataFrame:
        """The bars that end at or before `before_ms`, oldest first; they are forgotten here."""
        ready = sorted(open_ms for open_ms in self._trades if open_ms + self._tier.ms <= before_ms)
        rows = np.empty((len(ready), WIDTH))
        for at, open_ms in enumerate(ready):
            prices, volumes = zip(*self._trades.pop(open_ms), strict=True)
            rows[at] = open_ms, prices[0], max(prices), min(prices), prices[-1], math.fsum(volumes)
        return to_frame(rows)


def to_ms_floor(trade: PublicTrade) -> int:
    """The millisecond in which a trade was made, never the next one: a bar ends before its end."""
    return to_ms(trade.traded_at.replace(microsecond=trade.traded_at.microsecond // 1000 * 1000))
