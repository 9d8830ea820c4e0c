"""The arithmetic of the indicators: recurrences that take one bar at a time, and figures of the last few values."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Values = NDArray[np.float64]
Figure = Callable[[Values], Values]

_FEW = 8
_BULK_VALUES = 1_000_000


class Source(Protocol):
    """Columns of one symbol and tier, oldest bar first."""

    def column(self, name: str) -> Values: ...


class Recurrence(Protocol):
    """One indicator's arithmetic. `feed` returns the values of bars [start, stop), called once per bar, in order."""

    def feed(self, source: Source, start: int, stop: int) -> Sequence[float] | Values: ...


class Ema:
    """Exponential average of one column; the same bits whether fed in one go or bar by bar."""

    __slots__ = ("alpha", "column", "count", "period", "value")

    def __init__(self, period: int, column: str) -> None:
        self.period, self.column = checked_period(period, 1), column
        self.alpha: float = 2.0 / (period + 1.0)
        self.count, self.value = 0, math.nan

    @property
    def known(self) -> bool:
        """True once `period` values were seen."""
        return self.count >= self.period

    def push(self, x: float) -> float:
        """The average after one more value, NaN until `period` were seen."""
        self.value = value = self.value + self.alpha * (x - self.value) if self.count else x
        self.count += 1
        return value if self.count >= self.period else math.nan

    def feed(self, source: Source, start: int, stop: int) -> list[float]:
        push = self.push
        return [push(x) for x in source.column(self.column)[start:stop].tolist()]


class Rolling:
    """A figure of the last `period` values, computed afresh for each bar, so that errors never accumulate."""

    __slots__ = ("_column", "_figure", "_period")

    def __init__(self, figure: Figure, period: int, column: str, period_min: int = 1) -> None:
        self._figure, self._period, self._column = figure, checked_period(period, period_min), column

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


class Change:
    """Change against the value `period` bars earlier."""

    __slots__ = ("_column", "_period")

    def __init__(self, period: int, column: str) -> None:
        self._period, self._column = checked_period(period, 1), column

    def feed(self, source: Source, start: int, stop: int) -> Values:
        values, period = source.column(self._column), self._period
        out = np.full(stop - start, math.nan)
        first = max(start, period)
        if first < stop:
            with np.errstate(divide="ignore", invalid="ignore"):
                out[first - start :] = values[first:stop] / values[first - period : stop - period] - 1.0
        return out


class Rsi:
    """Wilder's averages of gains and losses."""

    __slots__ = ("_changes", "_gain", "_loss", "_previous", "column", "period")

    def __init__(self, period: int, column: str) -> None:
        self.period, self.column = checked_period(period, 1), column
        self._previous, self._changes, self._gain, self._loss = math.nan, -1, 0.0, 0.0

    def push(self, x: float) -> float:
        """The index after one more value, NaN until `period` changes were seen."""
        return self.push_all((x,))[-1]

    def push_all(self, values: Sequence[float]) -> list[float]:
        """`push` for many values, oldest first."""
        period, previous, changes, gain, loss = self.period, self._previous, self._changes, self._gain, self._loss
        out, before = [], period - 1
        for x in values:
            change = x - previous if changes >= 0 else 0.0
            up, down = (change, 0.0) if change > 0.0 else (0.0, -change)
            changes, previous = changes + 1, x
            if changes <= period:
                gain, loss = gain + up / period, loss + down / period
            else:
                gain, loss = (gain * before + up) / period, (loss * before + down) / period
            out.append(_strength(gain, loss) if changes >= period else math.nan)
        self._previous, self._changes, self._gain, self._loss = previous, changes, gain, loss
        return out

    def push_last(self, values: Sequence[float]) -> float:
        """The index after the last of `values`, oldest first: what lies between is not worked out."""
        # As a float the period gives the same quotients and products, without being made one at every bar.
        period, previous, gain, loss = float(self.period), self._previous, self._gain, self._loss
        if self._changes <= period:
            return self.push_all(values)[-1]
        before = period - 1.0
        for x in values:
            change, previous = x - previous, x
            if change > 0.0:
                gain, loss = (gain * before + change) / period, loss * before / period
            else:
                gain, loss = gain * before / period, (loss * before - change) / period
        self._previous, self._changes, self._gain, self._loss = previous, self._changes + len(values), gain, loss
        return _strength(gain, loss)

    def feed(self, source: Source, start: int, stop: int) -> list[float]:
        return self.push_all(source.column(self.column)[start:stop].tolist())


class Atr:
    """Wilder's average of true ranges."""

    __slots__ = ("_average", "_count", "_previous", "period")

    def __init__(self, period: int) -> None:
        self.period = checked_period(period, 1)
        self._previous, self._count, self._average = math.nan, 0, 0.0

    def push(self, high: float, low: float, close: float) -> float:
        """The average after one more bar, NaN until `period` were seen."""
        period = self.period
        span = max(high, self._previous) - min(low, self._previous) if self._count else high - low
        self._count, self._previous = self._count + 1, close
        if self._count <= period:
            self._average += span / period
        else:
            self._average = (self._average * (period - 1) + span) / period
        return self._average if self._count >= period else math.nan

    def feed(self, source: Source, start: int, stop: int) -> list[float]:
        highs, lows = source.column("high")[start:stop].tolist(), source.column("low")[start:stop].tolist()
        closes = source.column("close")[start:stop].tolist()
        return [self.push(high, low, close) for high, low, close in zip(highs, lows, closes, strict=True)]


def _strength(gain: float, loss: float) -> float:
    return 100.0 * gain / (gain + loss) if gain + loss > 0.0 else 50.0


def mean(windows: Values) -> Values:
    """Arithmetic mean over the last axis."""
    if windows.ndim == 1:
        # One window, as at every bar of a strategy: the same number without an array made for it.
        return np.add.reduce(windows) / len(windows)  # type: ignore[no-any-return]
    return np.asarray(np.add.reduce(windows, axis=-1) / windows.shape[-1])


def deviation(windows: Values) -> Values:
    """Sample standard deviation over the last axis, in two passes."""
    period = windows.shape[-1]
    if windows.ndim == 1:
        spread = windows - np.add.reduce(windows) / period
    else:
        spread = windows - (np.add.reduce(windows, axis=-1) / period)[:, None]
    return np.asarray(np.sqrt(np.add.reduce(spread * spread, axis=-1) / (period - 1)))


def maximum(windows: Values) -> Values:
    """The highest over the last axis."""
    return np.asarray(windows.max(axis=-1))


def minimum(windows: Values) -> Values:
    """The lowest over the last axis."""
    return np.asarray(windows.min(axis=-1))


def checked_period(period: int, least: int) -> int:
    """`period` as an int. Raises ValueError unless it is a whole number of at least `least`."""
    if isinstance(period, bool) or not isinstance(period, (int, np.integer)) or period < least:
        raise ValueError(f"period is {period!r}: use a whole number of at least {least}")
    return int(period)
