"""The window of a backtest: which part of a history it is about, and the ground that it then stands on."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from shell.backtest.buy_and_hold import buy_and_hold_return
from shell.backtest.ground import Ground
from shell.clock import from_ms, to_ms
from shell.errors import DataError, UsageError
from shell.market.bars import Tier
from shell.market.book import period_of
from shell.market.history import History
from shell.market.recorder import recording_of


class Window(NamedTuple):
    """From `start`, aligned to five minutes, to `end`."""

    start: datetime
    end: datetime


def window_of(history: History, start: datetime | None, end: datetime | None) -> Window:
    """The window that these moments mean, by default all of the history. Raises UsageError for a reversed one, DataError for a
    history without bars."""
    first, last = period_of(history.m5.values())
    start, end = start or first, min(end, last) if end else last
    if start >= end:
        raise UsageError(
            f"the window from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC is empty; "
            f"the history runs from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}"
        )
    return Window(from_ms(-(-to_ms(start) // Tier.M5.ms) * Tier.M5.ms), end)


def ground_of(history: History, window: Window, taker_fee_pct: float) -> Ground:
    """The ground of a run over `window`. Raises DataError where no bar lies in it."""
    recording = recording_of(history, history.symbols, window.start, window.end)
    if not recording.bars:
        raise DataError(f"there are no bars between {window.start:%Y-%m-%d %H:%M} and {window.end:%Y-%m-%d %H:%M} UTC")
    return Ground(
        recording=recording, end=window.end,
        first_prices={symbol: float(frame["close"][0]) if len(frame) else 1.0 for symbol, frame in history.m5.items()},
        buy_and_hold_return_pct=buy_and_hold_return(history, window.start, window.end, taker_fee_pct=taker_fee_pct),
    )
