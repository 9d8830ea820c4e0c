"""Indicators as one number, the value of the last closed bar: what a strategy that looks at every bar needs.

`ema_last(data, "1h", 21)` is `last(ema(data, "1h", 21))` to the last bit. Inside the host it costs half a microsecond where
the window costs several, because no window is made: each cell keeps what its recurrence needs and takes the rows that came
since it was asked last. `across` gives one value per symbol, as one vector.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

import numpy as np

from shell.indicators.arithmetic import Atr, Ema, Figure, Rsi, Values, checked_period, deviation, maximum, mean, minimum
from shell.indicators.series import (
    COLUMNS,
    TIER_OF,
    atr,
    ema,
    highest,
    last,
    lowest,
    require_column,
    rolling_deviation,
    rolling_mean,
    rsi,
)
from shell.market.tape import Tape

if TYPE_CHECKING:
    from shell.contract import SymbolData
    from shell.market.bars import Tier


class Series(Protocol):
    """One symbol and tier inside the host: the bars it was started with, then rows of a tape."""

    tape: Tape
    symbol_index: int

    def begun_with(self, column: str) -> list[float]: ...

    def tail(self, column: str, bars: int) -> Values: ...


class Cell:
    """The part of an indicator that reads the tape: where its column stands and how many rows it has taken."""

    __slots__ = ("_at", "_taken", "tape")

    def __init__(self, series: Series, column: str) -> None:
        self.tape = series.tape
        self._at = series.tape.offset(COLUMNS.index(column), series.symbol_index)
        self._taken = 0

    def fresh(self) -> list[float]:
        """The column's values in the rows that came since the last call; rows without a bar of the symbol are left out."""
        tape, taken = self.tape, self._taken
        count = tape.count
        if taken == count:
            return []
        self._taken = count
        if count == taken + 1:
            x = tape.flat[taken * tape.width + self._at]
            return [x] if x == x else []
        values: list[float] = tape.table[taken:count, self._at].tolist()
        total = sum(values)
        # A sum of numbers is a number: then there is nothing to leave out.
        return values if total == total else [x for x in values if x == x]


class _EmaCell(Cell):
    __slots__ = ("_average", "value")

    def __init__(self, series: Series, period: int, column: str) -> None:
        super().__init__(series, column)
        self._average = Ema(period, column)
        self.value = math.nan
        self._take(series.begun_with(column))

    def now(self) -> float:
        if self._taken != self.tape.count:
            self._take(self.fresh())
        return self.value

    def _take(self, values: list[float]) -> None:
        for x in values:
            self.value = self._average.push(x)


class CrossCell(Cell):
    """Two averages; `value` is 1 at the bar where the fast one came to stand above the slow one, -1 where it ceased to."""

    __slots__ = ("above", "fast", "slow", "under", "value")

    def __init__(self, series: Series, fast: int, slow: int, column: str) -> None:
        super().__init__(series, column)
        self.fast, self.slow = Ema(fast, column), Ema(slow, column)
        self.above = self.under = False
        self.value: int = 0
        self._take(series.begun_with(column))

    def now(self) -> int:
        tape, taken = self.tape, self._taken
        count = tape.count
        if taken + 1 == count:
            # The step of nearly every call, written out: a call costs more than the arithmetic.
            self._taken = count
            x = tape.flat[taken * tape.width + self._at]
            fast, slow = self.fast, self.slow
            if x == x and fast.count >= fast.period and slow.count >= slow.period:
                fast.value = quick = fast.value + fast.alpha * (x - fast.value)
                slow.value = calm = slow.value + slow.alpha * (x - slow.value)
                above = quick > calm
                self.value = int(self.under) if above else -int(self.above)
                self.above, self.under = above, calm >= quick
            elif x == x:
                self._take([x])
        elif taken != count:
            self._take(self.fresh())
        return self.value

    def _take(self, values: list[float]) -> None:
        fast, slow = self.fast, self.slow
        for x in values:
            quick, calm = fast.push(x), slow.push(x)
            above = quick > calm
            self.value = int(self.under) if above else -int(self.above)
            self.above, self.under = above, calm >= quick


class _RsiCell(Cell):
    __slots__ = ("_index", "value")

    def __init__(self, series: Series, period: int, column: str) -> None:
        super().__init__(series, column)
        self._index = Rsi(period, column)
        self.value = math.nan
        self._take(series.begun_with(column))

    def now(self) -> float:
        if self._taken != self.tape.count:
            self._take(self.fresh())
        return self.value

    def _take(self, values: list[float]) -> None:
        if values:
            self.value = self._index.push_last(values)


class _AtrCell:
    __slots__ = ("_close", "_high", "_low", "_range", "value")

    def __init__(self, series: Series, period: int) -> None:
        self._high, self._low, self._close = (Cell(series, name) for name in ("high", "low", "close"))
        self._range = Atr(period)
        self.value = math.nan
        self._take(*(series.begun_with(name) for name in ("high", "low", "close")))

    def now(self) -> float:
        self._take(self._high.fresh(), self._low.fresh(), self._close.fresh())
        return self.value

    def _take(self, highs: list[float], lows: list[float], closes: list[float]) -> None:
        for high, low, close in zip(highs, lows, closes, strict=True):
            self.value = self._range.push(high, low, close)


class _TailCell(Cell):
    """A figure of the last few values, made when asked."""

    __slots__ = ("_column", "_figure", "_period", "_series")

    def __init__(self, series: Series, figure: Figure, period: int, column: str) -> None:
        super().__init__(series, column)
        self._series, self._figure, self._period, self._column = series, figure, period, column

    def now(self) -> float:
        tape, period = self.tape, self._period
        count = tape.count
        if count >= period:
            figure = float(self._figure(np.ascontiguousarray(tape.table[count - period : count, self._at])))
            if figure == figure:
                return figure
        # Rows without a bar, or bars from before the tape.
        values = self._series.tail(self._column, period)
        return float(self._figure(values)) if len(values) == period else math.nan


class _NewestCell(Cell):
    """The column itself."""

    __slots__ = ("_column", "_series")

    def __init__(self, series: Series, column: str) -> None:
        super().__init__(series, column)
        self._series, self._column = series, column

    def now(self) -> float:
        tape = self.tape
        if tape.count:
            x: float = tape.flat[(tape.count - 1) * tape.width + self._at]
            if x == x:
                return x
        values = self._series.tail(self._column, 1)
        return float(values[0]) if len(values) else math.nan


class _Now(Protocol):
    def now(self) -> float: ...


def ema_last(data: SymbolData, tier: str, period: int, column: str = "close") -> float:
    """The newest value of `ema`."""
    cell = _cell(data, tier, ("ema", tier, period, column), lambda series: _EmaCell(series, period, column))
    return last(ema(data, tier, period, column)) if cell is None else cell.now()


def ema_cross(data: SymbolData, tier: str, fast: int, slow: int, column: str = "close") -> int:
    """1 when the fast average closed above the slow one and at the bar before did not, -1 when it no longer does, else 0.

    While either average is not known yet there is no crossing.
    """
    try:
        if data.scan.live:  # type: ignore[attr-defined]
            return data.cells["cross", tier, fast, slow, column].now()  # type: ignore[attr-defined, no-any-return]
    except (AttributeError, KeyError):
        pass
    cell = _cell(data, tier, ("cross", tier, fast, slow, column), lambda series: CrossCell(series, fast, slow, column))
    if cell is not None:
        return int(cell.now())
    quick, calm = ema(data, tier, fast, column), ema(data, tier, slow, column)
    if len(quick) < 2:
        return 0
    above, was_above = quick[-1] > calm[-1], quick[-2] > calm[-2]
    if above:
        return int(calm[-2] >= quick[-2])
    return -int(was_above)


def rsi_last(data: SymbolData, tier: str, period: int = 14, column: str = "close") -> float:
    """The newest value of `rsi`."""
    cell = _cell(data, tier, ("rsi", tier, period, column), lambda series: _RsiCell(series, period, column))
    return last(rsi(data, tier, period, column)) if cell is None else cell.now()


def atr_last(data: SymbolData, tier: str, period: int = 14) -> float:
    """The newest value of `atr`."""
    cell = _cell(data, tier, ("atr", tier, period), lambda series: _AtrCell(series, period))
    return last(atr(data, tier, period)) if cell is None else cell.now()


def rolling_mean_last(data: SymbolData, tier: str, period: int, column: str = "close") -> float:
    """The newest value of `rolling_mean`."""
    cell = _tail(data, tier, "mean", mean, period, column)
    return last(rolling_mean(data, tier, period, column)) if cell is None else cell.now()


def rolling_deviation_last(data: SymbolData, tier: str, period: int, column: str = "close") -> float:
    """The newest value of `rolling_deviation`."""
    cell = _tail(data, tier, "deviation", deviation, period, column, 2)
    return last(rolling_deviation(data, tier, period, column)) if cell is None else cell.now()


def highest_last(data: SymbolData, tier: str, period: int, column: str = "high") -> float:
    """The newest value of `highest`."""
    cell = _tail(data, tier, "highest", maximum, period, column)
    return last(highest(data, tier, period, column)) if cell is None else cell.now()


def lowest_last(data: SymbolData, tier: str, period: int, column: str = "low") -> float:
    """The newest value of `lowest`."""
    cell = _tail(data, tier, "lowest", minimum, period, column)
    return last(lowest(data, tier, period, column)) if cell is None else cell.now()


def newest(data: SymbolData, tier: str, column: str = "close") -> float:
    """A column's value in the last closed bar, NaN when there is none yet."""
    cell = _cell(data, tier, ("newest", tier, column), lambda series: _NewestCell(series, column))
    if cell is not None:
        return cell.now()
    require_column(column)
    frame = getattr(data, f"candles_{tier}")
    return float(frame[column][-1]) if frame.height else math.nan


def across(
    figure: Callable[..., float], markets: Mapping[str, SymbolData], tier: str, *arguments: int | str
) -> Values:
    """`figure(data, tier, *arguments)` of every symbol, in the order of `markets`, as one vector."""
    return np.array([figure(data, tier, *arguments) for data in markets.values()], dtype=np.float64)


def _tail(
    data: SymbolData, tier: str, name: str, figure: Figure, period: int, column: str, least: int = 1
) -> _Now | None:
    def make(series: Series) -> _Now:
        require_column(column)
        return _TailCell(series, figure, checked_period(period, least), column)

    return _cell(data, tier, (name, tier, period, column), make)


def _cell(
    data: SymbolData, tier: str, key: tuple[object, ...], make: Callable[[Series], _Now]
) -> _Now | None:
    """The data's cell of that key; None where there are no cells or they have gone on: data built by hand, or kept."""
    try:
        if not data.scan.live:  # type: ignore[attr-defined]
            return None
        found: _Now = data.cells[key]  # type: ignore[attr-defined]
        return found
    except AttributeError:
        return None
    except KeyError:
        pass
    found_tier: Tier | None = TIER_OF.get(tier)
    if found_tier is None:
        raise ValueError(f"{tier!r} is not a tier: use one of {', '.join(TIER_OF)}")
    if isinstance(key[-1], str) and key[-1] != tier:
        require_column(key[-1])
    cell = make(data.series(found_tier))  # type: ignore[attr-defined]
    data.cells[key] = cell  # type: ignore[attr-defined]
    return cell
