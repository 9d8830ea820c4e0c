"""Writes what the market book reveals into the candle store, and records the holes between."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from shell.clock import from_ms
from shell.market.bars import Bar, Tier
from shell.market.book import MarketBook
from shell.store.candles import CandleStore
from shell.store.store import Store


class BarKeeper:
    """Remembers which bars are stored; calling `keep` again, or after a crash, changes nothing."""

    def __init__(self, store: Store, candles: CandleStore, market: MarketBook) -> None:
        self._store = store
        self._candles = candles
        self._market = market
        self._kept = market.cursor
        self._last_ms: dict[str, int] = {}

    def keep(self, now: datetime) -> None:
        """Write the 5m bars revealed since the last time, and what came too late to be shown; holes are found at `now`."""
        rows: dict[str, dict[int, Bar]] = {}
        # What came later knows better, and stands last.
        for bar in (*self._market.bars_since(self._kept), *self._market.take_corrections()):
            if bar.tier is Tier.M5:
                rows.setdefault(bar.symbol, {})[bar.open_ms] = bar
        if rows:
            with self._store.transaction():
                for symbol, bars in rows.items():
                    self._keep(symbol, [bars[open_ms] for open_ms in sorted(bars)], now)
        self._kept = self._market.cursor

    def _keep(self, symbol: str, bars: list[Bar], now: datetime) -> None:
        self._candles.add_rows(symbol, Tier.M5, np.array([bar[2:] for bar in bars], dtype=np.float64))
        first_ms, last_ms = bars[0].open_ms, bars[-1].open_ms
        begin_ms = min(self._last_ms.get(symbol, first_ms - Tier.M5.ms), first_ms)
        if (last_ms - begin_ms) // Tier.M5.ms != len(bars):
            self._candles.refresh_gaps(symbol, Tier.M5, from_ms(begin_ms), from_ms(last_ms), now)
        self._last_ms[symbol] = max(last_ms, begin_ms)
