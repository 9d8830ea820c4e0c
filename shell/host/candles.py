"""The child's candles: what was fed per symbol and tier, and a `SymbolData` that builds a frame only when touched."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shell.contract import SymbolData
from shell.host.port import BarArray
from shell.indicators import Indicator
from shell.market.bars import CANDLE_COLUMNS, DAY_MS, TIERS, Tier
from shell.market.columns import Columns

_POSITION = {name: at for at, name in enumerate(CANDLE_COLUMNS)}
_set = object.__setattr__


class TierSeries:
    """All bars of one symbol and tier since the start of this process, with the indicators grown over them."""

    __slots__ = ("_bounds", "_frame", "_now_ms", "columns", "indicators", "tier")

    def __init__(self, tier: Tier, rows: BarArray | None) -> None:
        self.tier = tier
        self.columns = Columns(rows, tier=tier)
        self.indicators: dict[tuple[object, ...], Indicator] = {}
        self._now_ms = -1
        self._bounds = (0, 0)
        self._frame: pl.DataFrame | None = None

    def bounds(self, now_ms: int) -> tuple[int, int]:
        """Indices [start, stop) of the window at `now_ms`: closed bars no older than the tier is kept."""
        if now_ms != self._now_ms:
            found = self.columns.bounds(now_ms, self.tier.kept_ms)
            if found != self._bounds:
                self._bounds, self._frame = found, None
            self._now_ms = now_ms
        return self._bounds

    def frame(self, now_ms: int) -> pl.DataFrame:
        """The window at `now_ms`, zero-copy, the same object until the window changes."""
        start, stop = self.bounds(now_ms)
        if self._frame is None:
            self._frame = self.columns.frame_of(start, stop)
        return self._frame

    def column(self, name: str) -> NDArray[np.float64]:
        """Every value of one column, the whole history held here. Raises KeyError for an unknown column."""
        return self.columns.slice(0, len(self.columns))[:, _POSITION[name]]


class HostSymbolData(SymbolData):
    """`SymbolData` over growing series: candles are those known at the scan it was made for, whenever they are read."""

    __slots__ = ("_now_ms", "_series", "_venue_volume")
    _now_ms: int
    _venue_volume: float
    _series: Mapping[Tier, TierSeries]

    def __init__(self, series: Mapping[Tier, TierSeries], now_ms: int, symbol: str, facts: Sequence[float]) -> None:
        _, bid, ask, last, volume_24h, maker_fee_pct, taker_fee_pct = facts
        _set(self, "_series", series)
        _set(self, "_now_ms", now_ms)
        _set(self, "symbol", symbol)
        _set(self, "current_price", last)
        _set(self, "spread", ask - bid)
        _set(self, "_venue_volume", volume_24h)
        _set(self, "maker_fee_pct", maker_fee_pct)
        _set(self, "taker_fee_pct", taker_fee_pct)

    @property
    def volume_24h(self) -> float:
        """Base units traded in 24 hours: the venue's figure, or the sum of the candles where it gave none."""
        if not math.isnan(self._venue_volume):
            return self._venue_volume
        columns = self._series[Tier.M5].columns
        return float(columns.window(self._now_ms, DAY_MS)[:, _POSITION["volume"]].sum())

    @property
    def candles_5m(self) -> pl.DataFrame:
        return self._series[Tier.M5].frame(self._now_ms)

    @property
    def candles_1h(self) -> pl.DataFrame:
        return self._series[Tier.H1].frame(self._now_ms)

    @property
    def candles_1d(self) -> pl.DataFrame:
        return self._series[Tier.D1].frame(self._now_ms)

    def growing(self, tier: Tier) -> tuple[TierSeries, int, int]:
        """For `shell.indicators`: the series of a tier and the bounds of this scan's window in it."""
        series = self._series[tier]
        start, stop = series.bounds(self._now_ms)
        return series, start, stop


class CandleShelf:
    """Every symbol's series, fed as bars close (D6): nothing later than the newest fed bar exists in this process."""

    __slots__ = ("_series", "symbols")

    def __init__(self, symbols: Sequence[str], windows: Mapping[tuple[str, Tier], BarArray]) -> None:
        self.symbols = list(symbols)
        self._series = [{tier: TierSeries(tier, windows.get((symbol, tier))) for tier in TIERS} for symbol in self.symbols]

    def feed(self, bars: Sequence[Sequence[float]]) -> None:
        """Append closed bars (symbol index, tier index, open_ms, open, high, low, close, volume), oldest first."""
        for symbol_index, tier_index, open_ms, open_, high, low, close, volume in bars:
            columns = self._series[int(symbol_index)][TIERS[int(tier_index)]].columns
            columns.append(int(open_ms), open_, high, low, close, volume)

    def markets(self, now_ms: int, facts: Sequence[Sequence[float]]) -> dict[str, SymbolData]:
        """The `markets` argument of `analyze` at `now_ms`."""
        symbols, series = self.symbols, self._series
        return {
            symbols[index]: HostSymbolData(series[index], now_ms, symbols[index], row)
            for row in facts
            for index in (int(row[0]),)
        }
