"""Indicators as one value per bar of a window: grown bar by bar inside the host, recomputed from frames anywhere else."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

from shell.indicators.arithmetic import (
    Atr,
    Change,
    Ema,
    Recurrence,
    Rolling,
    Rsi,
    Source,
    Values,
    deviation,
    maximum,
    mean,
    minimum,
)
from shell.market.bars import Tier

if TYPE_CHECKING:
    import polars as pl

    from shell.contract import SymbolData

Numbers: TypeAlias = "Sequence[float] | pl.Series | Values"

TIER_OF = {tier.value: tier for tier in Tier}
COLUMNS = ("open", "high", "low", "close", "volume")
_CAPACITY_MIN = 64


class Indicator:
    """A recurrence with every value it gave so far. Memory that a returned view shows is never written again."""

    __slots__ = ("_key", "_recurrence", "_values", "_view", "count")

    def __init__(self, recurrence: Recurrence) -> None:
        self.count = 0
        self._recurrence = recurrence
        self._values: Values = np.empty(_CAPACITY_MIN)
        self._key = (-1, -1)
        self._view: Values = self._values[:0]

    def values(self, source: Source, start: int, stop: int) -> Values:
        """The values of bars [start, stop), read-only, after catching up with the bars that came since."""
        if self.count < stop:
            self._grow(source, stop)
        if self._key != (start, stop):
            view = self._values[start:stop]
            view.flags.writeable = False
            self._key, self._view = (start, stop), view
        return self._view

    def _grow(self, source: Source, stop: int) -> None:
        if stop > len(self._values):
            larger = np.empty(max(stop, 2 * len(self._values)))
            larger[: self.count] = self._values[: self.count]
            self._values = larger
        self._values[self.count : stop] = self._recurrence.feed(source, self.count, stop)
        self.count = stop


# --- for strategies: one value per bar of the window ------------------------------------------------------------------


def ema(data: SymbolData, tier: str, period: int, column: str = "close") -> Values:
    """Exponential moving average, smoothing 2/(period+1), started at the first value.

    e_t = e_{t-1} + 2/(period+1) * (x_t - e_{t-1}); the same as polars' `ewmmean(span=period, adjust=False,
    min_samples=period)`. Hunter, "The exponentially weighted moving average", J. Quality Technology 18 (1986).
    """
    return _grown(data, tier, ("ema", period, column), lambda: Ema(period, column))


def sma(data: SymbolData, tier: str, period: int, column: str = "close") -> Values:
    """Simple moving average: the arithmetic mean of the last `period` values."""
    return rolling_mean(data, tier, period, column)


def rolling_mean(data: SymbolData, tier: str, period: int, column: str = "close") -> Values:
    """The arithmetic mean of the last `period` values, this bar's included."""
    return _grown(data, tier, ("mean", period, column), lambda: Rolling(mean, period, column))


def rolling_deviation(data: SymbolData, tier: str, period: int, column: str = "close") -> Values:
    """Sample standard deviation (n - 1, as polars' `rolling_std`) of the last `period` values; two passes, no drift."""
    return _grown(data, tier, ("deviation", period, column), lambda: Rolling(deviation, period, column, 2))


def highest(data: SymbolData, tier: str, period: int, column: str = "high") -> Values:
    """The highest of the last `period` values, this bar's included: Donchian's upper channel. For a breakout compare a
    close with the value one bar earlier, `highest(...)[-2]`."""
    return _grown(data, tier, ("highest", period, column), lambda: Rolling(maximum, period, column))


def lowest(data: SymbolData, tier: str, period: int, column: str = "low") -> Values:
    """The lowest of the last `period` values, this bar's included: Donchian's lower channel."""
    return _grown(data, tier, ("lowest", period, column), lambda: Rolling(minimum, period, column))


def rate_of_change(data: SymbolData, tier: str, period: int, column: str = "close") -> Values:
    """x_t / x_{t-period} - 1, a fraction; NaN for the first `period` bars."""
    return _grown(data, tier, ("change", period, column), lambda: Change(period, column))


def rsi(data: SymbolData, tier: str, period: int = 14, column: str = "close") -> Values:
    """Relative strength index, 0..100, Wilder's smoothing; NaN for the first `period` bars, 50 when nothing moved.

    100 - 100 / (1 + G/L), where G and L start as the mean gain and loss of the first `period` changes and then follow
    G_t = (G_{t-1} * (period - 1) + gain_t) / period. Wilder, "New Concepts in Technical Trading Systems", 1978.
    """
    return _grown(data, tier, ("rsi", period, column), lambda: Rsi(period, column))


def atr(data: SymbolData, tier: str, period: int = 14) -> Values:
    """Average true range in quote units, Wilder's smoothing; NaN for the first `period - 1` bars.

    True range: max(high, previous close) - min(low, previous close), high - low on the first bar. The first average is
    the mean of `period` true ranges, then A_t = (A_{t-1} * (period - 1) + TR_t) / period. Wilder, 1978.
    """
    return _grown(data, tier, ("atr", period), lambda: Atr(period))


def last(values: Values) -> float:
    """The newest value as a float, NaN when there is none: `last(ema(data, "1h", 21))`."""
    return float(values[-1]) if len(values) else math.nan


# --- from plain sequences ---------------------------------------------------------------------------------------------


def ema_of(series: Numbers, period: int) -> Values:
    """`ema` of a plain sequence."""
    return _whole(Ema(period, "close"), close=series)


def sma_of(series: Numbers, period: int) -> Values:
    """`sma` of a plain sequence."""
    return rolling_mean_of(series, period)


def rolling_mean_of(series: Numbers, period: int) -> Values:
    """`rolling_mean` of a plain sequence."""
    return _whole(Rolling(mean, period, "close"), close=series)


def rolling_deviation_of(series: Numbers, period: int) -> Values:
    """`rolling_deviation` of a plain sequence."""
    return _whole(Rolling(deviation, period, "close", 2), close=series)


def highest_of(series: Numbers, period: int) -> Values:
    """`highest` of a plain sequence."""
    return _whole(Rolling(maximum, period, "close"), close=series)


def lowest_of(series: Numbers, period: int) -> Values:
    """`lowest` of a plain sequence."""
    return _whole(Rolling(minimum, period, "close"), close=series)


def rate_of_change_of(series: Numbers, period: int) -> Values:
    """`rate_of_change` of a plain sequence."""
    return _whole(Change(period, "close"), close=series)


def rsi_of(series: Numbers, period: int = 14) -> Values:
    """`rsi` of a plain sequence."""
    return _whole(Rsi(period, "close"), close=series)


def atr_of(high: Numbers, low: Numbers, close: Numbers, period: int = 14) -> Values:
    """`atr` of three plain sequences of one length. Raises ValueError if they differ."""
    return _whole(Atr(period), high=high, low=low, close=close)


# --- where the columns come from --------------------------------------------------------------------------------------


class _Growing(Source, Protocol):
    """A source that keeps its indicators from scan to scan."""

    indicators: dict[tuple[object, ...], Indicator]


class _Frame:
    """Columns of a candle frame."""

    __slots__ = ("_frame",)

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    def column(self, name: str) -> Values:
        values: Values = self._frame[name].to_numpy().astype(np.float64)
        return values


class _Arrays:
    """Columns given one by one."""

    __slots__ = ("_columns",)

    def __init__(self, columns: dict[str, Values]) -> None:
        self._columns = columns

    def column(self, name: str) -> Values:
        return self._columns[name]


def _grown(data: SymbolData, tier: str, key: tuple[object, ...], make: Callable[[], Recurrence]) -> Values:
    found = TIER_OF.get(tier)
    if found is None:
        raise ValueError(f"{tier!r} is not a tier: use one of {', '.join(TIER_OF)}")
    growing: Callable[[Tier], tuple[_Growing, int, int]] | None = getattr(data, "growing", None)
    if growing is None:
        _require_column_of(key)
        frame: pl.DataFrame = getattr(data, f"candles_{found.value}")
        return _read_only(make().feed(_Frame(frame), 0, frame.height))
    series, start, stop = growing(found)
    indicator = series.indicators.get(key)
    if indicator is None:
        _require_column_of(key)
        indicator = series.indicators[key] = Indicator(make())
    return indicator.values(series, start, stop)


def _require_column_of(key: tuple[object, ...]) -> None:
    if len(key) > 2:
        require_column(str(key[2]))


def require_column(column: str) -> None:
    """Raises ValueError unless candles have such a column."""
    if column not in COLUMNS:
        raise ValueError(f"{column!r} is not a candle column: use one of {', '.join(COLUMNS)}")


def _whole(recurrence: Recurrence, **columns: Numbers) -> Values:
    arrays = {name: _array(values) for name, values in columns.items()}
    lengths = {len(values) for values in arrays.values()}
    if len(lengths) > 1:
        raise ValueError(f"the sequences differ in length: {', '.join(f'{k} {len(v)}' for k, v in arrays.items())}")
    return np.asarray(recurrence.feed(_Arrays(arrays), 0, lengths.pop()), dtype=np.float64)


def _array(values: Iterable[float]) -> Values:
    to_numpy = getattr(values, "to_numpy", None)
    return np.asarray(values if to_numpy is None else to_numpy(), dtype=np.float64)


def _read_only(values: Sequence[float] | Values) -> Values:
    array = np.asarray(values, dtype=np.float64)
    array.flags.writeable = False
    return array
