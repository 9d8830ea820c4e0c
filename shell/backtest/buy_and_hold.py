"""What buying everything at the window's begin and holding it would have come to: what every strategy is compared with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime

import numpy as np
import polars as pl

from shell.backtest.result import EquityCurve
from shell.clock import from_ms, require_utc, to_ms
from shell.errors import DataError
from shell.market.bars import Tier
from shell.market.history import History


def buy_and_hold_curve(
    history: History, start: datetime, end: datetime, cash: float, taker_fee_pct: float
) -> EquityCurve:
    """Equity of buying every symbol in equal parts at its first open of the window and holding, marked at 5-minute
    closes.

    The taker fee is paid once, on the purchase; nothing is sold. Only bars that open at or after `start` and have
    closed by `end` count. A symbol's part stays cash until its first bar, and keeps its last close through holes.
    Raises DataError when no symbol has a bar in the window.
    """
    windows = {symbol: _window(frame, start, end) for symbol, frame in history.m5.items()}
    _require_bars(windows, start, end)
    times = np.unique(np.concatenate([window["timestamp"].to_numpy() for window in windows.values()]))
    share = cash / len(windows)
    values = np.zeros(len(times))
    for symbol in sorted(windows):
        window = windows[symbol]
        if window.is_empty():
            values += share
            continue
        held = share / (window["open"][0] * (1 + taker_fee_pct))
        latest = np.searchsorted(window["timestamp"].to_numpy(), times, side="right") - 1
        values += np.where(latest >= 0, held * window["close"].to_numpy()[np.maximum(latest, 0)], share)
    return EquityCurve(times_ms=times + Tier.M5.ms, values=values)


def buy_and_hold_return(history: History, start: datetime, end: datetime, taker_fee_pct: float) -> float:
    """The return of `buy_and_hold_curve` over the window, as a fraction. Raises DataError as it does."""
    windows = {symbol: _window(frame, start, end) for symbol, frame in history.m5.items()}
    _require_bars(windows, start, end)
    growth = [
        1.0 if window.is_empty() else window["close"][-1] / (window["open"][0] * (1 + taker_fee_pct))
        for _, window in sorted(windows.items())
    ]
    return math.fsum(growth) / len(growth) - 1


def _window(frame: pl.DataFrame, start: datetime, end: datetime) -> pl.DataFrame:
    """Bars opening at or after `start` and closed by `end`, with `timestamp` as milliseconds."""
    opened = pl.col("timestamp").dt.epoch("ms")
    return frame.filter((opened >= to_ms(start)) & (opened + Tier.M5.ms <= to_ms(end))).select(
        opened.alias("timestamp"), "open", "close"
    )


def _require_bars(windows: Mapping[str, pl.DataFrame], start: datetime, end: datetime) -> None:
    if not windows or all(window.is_empty() for window in windows.values()):
        raise DataError(
            f"no symbol has a 5-minute bar between {require_utc(start):%Y-%m-%d %H:%M} and "
            f"{from_ms(to_ms(end)):%Y-%m-%d %H:%M} UTC: choose a window inside the data"
        )
