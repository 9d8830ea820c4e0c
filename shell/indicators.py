"""Indicators for strategies: grown bar by bar inside the host, recomputed from frames anywhere else.

`ema(data, "1h", 21)` takes the `SymbolData` of one scan and gives one value per bar of that tier's window, oldest
first, NaN until enough bars were seen, read-only. Inside the host each new bar costs the same however long the history
is; a `SymbolData` built by hand gives the same values from its frames. `ema_of(series, 21)` and its sisters take any
plain sequence. Recursive averages (EMA, RSI, ATR) start at the first bar the host was given and keep growing from
there, so they do not jump when the window's oldest bar leaves.

Only closed bars exist here: the newest value belongs to the last closed bar, not to `current_price`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from shell.market.bars import Tier

if TYPE_CHECKING:
    import polars as pl

    from shell.contract import SymbolData

Values = NDArray[np.float64]
Numbers: TypeAlias = "Sequence[float] | pl.Series | Values"

__all__ = [
    "atr",
    "atr_of",
    "ema",
    "ema_of",
    "highest",
    "highest_of",
    "last",
    "lowest",
    "lowest_of",
    "rate_of_change",
    "rate_of_change_of",
    "rolling_deviation",
    "rolling_deviation_of",
    "rolling_mean",
    "rolling_mean_of",
    "rsi",
    "rsi_of",
    "sma",
    "sma_of",
]

_TIERS = {tier.value: tier for tier in Tier}
_COLUMNS = ("open", "high", "low", "close", "volume")
_FEW = 8
_BULK_VALUES = 1_000_000
_CAPACITY_MIN = 64


class Source(Protocol):
    """Columns of one symbol and tier, oldest bar first."""

    def column(self, name: str) -> Values: ...


class Recurrence(Protocol):
    """One indicator's arithmetic. `feed` returns the values of bars [start, stop), called once per bar, in order."""

    def feed(self, source: Source, start: int, stop: int) -> Sequence[float] | Values: ...


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

    e_t = e_{t-1} + 2/(period+1) * (x_t - e_{t-1}); the same as polars' `ewm_mean(span=period, adjust=False,
    min_samples=period)`. Hunter, "The exponentially weighted moving average", J. Quality Technology 18 (1986).
    """
    return _grown(data, tier, ("ema", period, column), lambda: _Ema(period, column))


def sma(data: SymbolData, tier: str, period: int, column: str = "close") -> Values:
    """Simple moving average: the arithmetic mean of the last `period` values."""
    return rolling_mean(data, tier, period, column)


def rolling_mean(data: SymbolData, tier: str, period: int, column: str = "close") -> Values:
    """The arithmetic mean of the last `period` values, this bar's included."""
    return _grown(data, tier, ("mean", period, column), lambda: _Rolling(_mean, period, column))


def rolling_deviation(data: SymbolData, tier: str, period: int, column: str = "close") -> Values:
    """Sample standard deviation (n - 1, as polars' `rolling_std`) of the last `period` values; two passes, no drift."""
    return _grown(data, tier, ("deviation", period, column), lambda: _Rolling(_deviation, period, column, 2))


def highest(data: SymbolData, tier: str, period: int, column: str = "high") -> Values:
    """The highest of the last `period` values, this bar's included: Donchian's upper channel. For a breakout compare a
    close with the value one bar earlier, `highest(...)[-2]`."""
    return _grown(data, tier, ("highest", period, column), lambda: _Rolling(_highest, period, column))


def lowest(data: SymbolData, tier: str, period: int, column: str = "low") -> Values:
    """The lowest of the last `period` values, this bar's included: Donchian's lower channel."""
    return _grown(data, tier, ("lowest", period, column), lambda: _Rolling(_lowest, period, column))


def rate_of_change(data: SymbolData, tier: str, period: int, column: str = "close") -> Values:
    """x_t / x_{t-period} - 1, a fraction; NaN for the first `period` bars."""
    return _grown(data, tier, ("change", period, column), lambda: _Change(period, column))


def rsi(data: SymbolData, tier: str, period: int = 14, column: str = "close") -> Values:
    """Relative strength index, 0..100, Wilder's smoothing; NaN for the first `period` bars, 50 when nothing moved.

    100 - 100 / (1 + G/L), where G and L start as the mean gain and loss of the first `period` changes and then follow
    G_t = (G_{t-1} * (period - 1) + gain_t) / period. Wilder, "New Concepts in Technical Trading Systems", 1978.
    """
    return _grown(data, tier, ("rsi", period, column), lambda: _Rsi(period, column))


def atr(data: SymbolData, tier: str, period: int = 14) -> Values:
    """Average true range in quote units, Wilder's smoothing; NaN for the first `period - 1` bars.

    True range: max(high, previous close) - min(low, previous close), high - low on the first bar. The first average is
    the mean of `period` true ranges, then A_t = (A_{t-1} * (period - 1) + TR_t) / period. Wilder, 1978.
    """
    return _grown(data, tier, ("atr", period), lambda: _Atr(period))


def last(values: Values) -> float:
    """The newest value as a float, NaN when there is none: `last(ema(data, "1h", 21))`."""
    return float(values[-1]) if len(values) else math.nan


# --- from plain sequences ---------------------------------------------------------------------------------------------


def ema_of(series: Numbers, period: int) -> Values:
    """`ema` of a plain sequence."""
    return _whole(_Ema(period, "close"), close=series)


def sma_of(series: Numbers, period: int) -> Values:
    """`sma` of a plain sequence."""
    return rolling_mean_of(series, period)


def rolling_mean_of(series: Numbers, period: int) -> Values:
    """`rolling_mean` of a plain sequence."""
    return _whole(_Rolling(_mean, period, "close"), close=series)


def rolling_deviation_of(series: Numbers, period: int) -> Values:
    """`rolling_deviation` of a plain sequence."""
    return _whole(_Rolling(_deviation, period, "close", 2), close=series)


def highest_of(series: Numbers, period: int) -> Values:
    """`highest` of a plain sequence."""
    return _whole(_Rolling(_highest, period, "close"), close=series)


def lowest_of(series: Numbers, period: int) -> Values:
    """`lowest` of a plain sequence."""
    return _whole(_Rolling(_lowest, period, "close"), close=series)


def rate_of_change_of(series: Numbers, period: int) -> Values:
    """`rate_of_change` of a plain sequence."""
    return _whole(_Change(period, "close"), close=series)


def rsi_of(series: Numbers, period: int = 14) -> Values:
    """`rsi` of a plain sequence."""
    return _whole(_Rsi(period, "close"), close=series)


def atr_of(high: Numbers, low: Numbers, close: Numbers, period: int = 14) -> Values:
    """`atr` of three plain sequences of one length. Raises ValueError if they differ."""
    return _whole(_Atr(period), high=high, low=low, close=close)


# --- arithmetic -------------------------------------------------------------------------------------------------------


class _Ema:
    """Exponential average of one column."""

    __slots__ = ("_alpha", "_column", "_count", "_period", "_value")

    def __init__(self, period: int, column: str) -> None:
        self._period, self._column = _checked(period, 1), column
        self._alpha = 2.0 / (period + 1.0)
        self._count, self._value = 0, math.nan

    def feed(self, source: Source, start: int, stop: int) -> list[float]:
        alpha, value, count, period, out = self._alpha, self._value, self._count, self._period, []
        for x in source.column(self._column)[start:stop].tolist():
            value = value + alpha * (x - value) if count else x
            count += 1
            out.append(value if count >= period else math.nan)
        self._value, self._count = value, count
        return out


class _Rolling:
    """A figure of the last `period` values, computed afresh for each bar, so that errors never accumulate."""

    __slots__ = ("_column", "_figure", "_period")

    def __init__(self, figure: Callable[[Values], Values], period: int, column: str, period_min: int = 1) -> None:
        self._figure, self._period, self._column = figure, _checked(period, period_min), column

    def feed(self, source: Source, start: int, stop: int) -> Sequence[float] | Values:
        values, period, figure = source.column(self._column), self._period, self._figure
        if stop - start <= _FEW:
            # A sliding view costs 20 us to make; one slice costs 1. Both sum in the same order, to the same bits.
            return [float(figure(values[at - period : at])) if at >= period else math.nan for at in range(start + 1, stop + 1)]
        out = np.full(stop - start, math.nan)
        first = max(start, period - 1)
        step = max(1, _BULK_VALUES // period)
        for begin in range(first, stop, step):
            end = min(begin + step, stop)
            windows = sliding_window_view(values[begin - period + 1 : end], period)
            out[begin - start : end - start] = figure(windows)
        return out


class _Change:
    """Change against the value `period` bars earlier."""

    __slots__ = ("_column", "_period")

    def __init__(self, period: int, column: str) -> None:
        self._period, self._column = _checked(period, 1), column

    def feed(self, source: Source, start: int, stop: int) -> Values:
        values, period = source.column(self._column), self._period
        out = np.full(stop - start, math.nan)
        first = max(start, period)
        if first < stop:
            with np.errstate(divide="ignore", invalid="ignore"):
                out[first - start :] = values[first:stop] / values[first - period : stop - period] - 1.0
        return out


class _Rsi:
    """Wilder's averages of gains and losses."""

    __slots__ = ("_changes", "_column", "_gain", "_loss", "_period", "_previous")

    def __init__(self, period: int, column: str) -> None:
        self._period, self._column = _checked(period, 1), column
        self._previous, self._changes, self._gain, self._loss = math.nan, -1, 0.0, 0.0

    def feed(self, source: Source, start: int, stop: int) -> list[float]:
        period, previous, changes, gain, loss = self._period, self._previous, self._changes, self._gain, self._loss
        out = []
        for x in source.column(self._column)[start:stop].tolist():
            change = x - previous if changes >= 0 else 0.0
            up, down = max(change, 0.0), max(-change, 0.0)
            changes, previous = changes + 1, x
            if changes <= period:
                gain, loss = gain + up / period, loss + down / period
            else:
                gain, loss = (gain * (period - 1) + up) / period, (loss * (period - 1) + down) / period
            out.append(_strength(gain, loss) if changes >= period else math.nan)
        self._previous, self._changes, self._gain, self._loss = previous, changes, gain, loss
        return out


class _Atr:
    """Wilder's average of true ranges."""

    __slots__ = ("_average", "_count", "_period", "_previous")

    def __init__(self, period: int) -> None:
        self._period = _checked(period, 1)
        self._previous, self._count, self._average = math.nan, 0, 0.0

    def feed(self, source: Source, start: int, stop: int) -> list[float]:
        period, previous, count, average, out = self._period, self._previous, self._count, self._average, []
        highs, lows = source.column("high")[start:stop].tolist(), source.column("low")[start:stop].tolist()
        for high, low, close in zip(highs, lows, source.column("close")[start:stop].tolist(), strict=True):
            span = max(high, previous) - min(low, previous) if count else high - low
            count, previous = count + 1, close
            average = average + span / period if count <= period else (average * (period - 1) + span) / period
            out.append(average if count >= period else math.nan)
        self._previous, self._count, self._average = previous, count, average
        return out


def _strength(gain: float, loss: float) -> float:
    return 100.0 * gain / (gain + loss) if gain + loss > 0.0 else 50.0


def _mean(windows: Values) -> Values:
    return np.asarray(np.add.reduce(windows, axis=-1) / windows.shape[-1])


def _deviation(windows: Values) -> Values:
    period = windows.shape[-1]
    if windows.ndim == 1:
        spread = windows - np.add.reduce(windows) / period
    else:
        spread = windows - (np.add.reduce(windows, axis=-1) / period)[:, None]
    return np.asarray(np.sqrt(np.add.reduce(spread * spread, axis=-1) / (period - 1)))


def _highest(windows: Values) -> Values:
    return np.asarray(windows.max(axis=-1))


def _lowest(windows: Values) -> Values:
    return np.asarray(windows.min(axis=-1))


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
    found = _TIERS.get(tier)
    if found is None:
        raise ValueError(f"{tier!r} is not a tier: use one of {', '.join(_TIERS)}")
    growing: Callable[[Tier], tuple[_Growing, int, int]] | None = getattr(data, "growing", None)
    if growing is None:
        _require_column(key)
        frame: pl.DataFrame = getattr(data, f"candles_{found.value}")
        return _read_only(make().feed(_Frame(frame), 0, frame.height))
    series, start, stop = growing(found)
    indicator = series.indicators.get(key)
    if indicator is None:
        _require_column(key)
        indicator = series.indicators[key] = Indicator(make())
    return indicator.values(series, start, stop)


def _require_column(key: tuple[object, ...]) -> None:
    if len(key) > 2 and key[2] not in _COLUMNS:
        raise ValueError(f"{key[2]!r} is not a candle column: use one of {', '.join(_COLUMNS)}")


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


def _checked(period: int, least: int) -> int:
    if isinstance(period, bool) or not isinstance(period, (int, np.integer)) or period < least:
        raise ValueError(f"period is {period!r}: use a whole number of at least {least}")
    return int(period)
