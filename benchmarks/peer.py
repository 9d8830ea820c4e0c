"""The peer: the same rules in the `backtesting` library, written as its users write them. Imports nothing of ours.

Signals come on a bar's close and fill at the next open; inside a bar the stop comes before the target; the fee is the
same. One symbol at a time, each with its own cash: the library knows no portfolio. `FractionalBacktest` trades in units of
1e-8 coins, so that a tenth of the equity is a tenth of the equity. Its progress bar is off, and handing the frame over
is not timed.
"""

from __future__ import annotations

from collections.abc import Iterable

import backtesting.backtesting
import numpy as np
import pandas as pd
from backtesting import Strategy
from backtesting.lib import FractionalBacktest
from numpy.typing import NDArray
from workload import AVERAGES, CASH, COLUMNS, SIZE_PCT, STOP_PCT, TAKER_FEE, TARGET_PCT

Values = NDArray[np.float64]
VERSION = backtesting.__version__
UNIT = 1e-8
# Sizes leave room for the fee and for an open above the close, as our risk limits do.
ROOM = 1.009


class EmaCross(Strategy):  # type: ignore[misc]
    """In on a cross up with RSI and volume behind it; out on a cross down, at the stop or at the target."""

    averages = AVERAGES

    def init(self) -> None:
        close, volume = pd.Series(self.data.Close), pd.Series(self.data.Volume)
        self.fast = self.I(_ema, close, self.averages[0])
        self.slow = self.I(_ema, close, self.averages[1])
        self.rsi = self.I(_rsi, close, 14)
        self.mean_volume = self.I(_mean, volume, 20)

    def next(self) -> None:
        above, was_above = self.fast[-1] > self.slow[-1], self.fast[-2] > self.slow[-2]
        if self.position:
            if was_above and not above:
                self.position.close()
        elif above and self.slow[-2] >= self.fast[-2] and self.rsi[-1] < 70:
            price = self.data.Close[-1]
            if self.data.Volume[-1] > 1.2 * self.mean_volume[-1]:
                units = int(SIZE_PCT * self.equity / (price * ROOM))
                self.buy(size=units, sl=price * (1 - STOP_PCT), tp=price * (1 + TARGET_PCT))


def tests_of(rows: Iterable[Values]) -> list[FractionalBacktest]:
    """One test a symbol; `rows` hold open_ms, open, high, low, close, volume."""
    backtesting.backtesting._tqdm = lambda sequence, **_: sequence
    return [
        FractionalBacktest(
            _frame(each), EmaCross, fractional_unit=UNIT, cash=CASH, commission=float(TAKER_FEE), finalize_trades=False
        )
        for each in rows
    ]


def run(tests: list[FractionalBacktest], averages: tuple[int, int] = AVERAGES) -> tuple[int, float]:
    """Trades and final values of all symbols in turn, added up."""
    trades, value = 0, 0.0
    for test in tests:
        result = test.run(averages=averages)
        trades += int(result["# Trades"])
        value += float(result["Equity Final [$]"])
    return trades, value


def _frame(rows: Values) -> pd.DataFrame:
    index = pd.to_datetime(rows[:, 0].astype(np.int64), unit="ms")
    return pd.DataFrame({name.capitalize(): rows[:, at] for at, name in enumerate(COLUMNS, start=1)}, index=index)


def _ema(values: pd.Series, period: int) -> Values:
    smooth: Values = values.ewm(span=period, adjust=False, min_periods=period).mean().to_numpy()
    return smooth


def _rsi(values: pd.Series, period: int) -> Values:
    change = values.diff()
    rise, fall = (
        side.clip(lower=0).ewm(alpha=1 / period, adjust=False, min_periods=period).mean() for side in (change, -change)
    )
    index: Values = (100 - 100 / (1 + rise / fall)).to_numpy()
    return index


def _mean(values: pd.Series, period: int) -> Values:
    mean: Values = values.rolling(period).mean().to_numpy()
    return mean
