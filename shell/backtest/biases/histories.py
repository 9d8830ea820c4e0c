"""Other histories made of one: cut short, with an absurd future, with a stranger's future, with less of a past."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shell.market.bars import Tier
from shell.market.columns import BarArray
from shell.market.frames import rows_of, to_frame
from shell.market.history import History

# The absurd future: this factor a bar for this many bars (80 times the price after two hours), then no move at all.
POISON_FACTOR = 1.2
POISON_BARS = 24
POISON_VOLUME = 1e6
# The stranger's bars come in blocks of an hour, long enough to look like a market and short enough to be no known day.
BLOCK_BARS = 12

_DEEP = (Tier.H1, Tier.D1)


def ends_at(history: History, cut_ms: int) -> History:
    """Only what had closed at `cut_ms`, and one bar behind it in which nothing happens: a strategy is asked only where
    an order could still fill."""

    def cut(rows: BarArray, tier: Tier) -> BarArray:
        closed = rows[: int(np.searchsorted(rows[:, 0], cut_ms - tier.ms, side="right"))]
        if tier is not Tier.M5 or not len(closed):
            return closed
        price = closed[-1, 4]
        return np.vstack([closed, [cut_ms, price, price, price, price, 0.0]])

    return _changed(history, cut)


def begins_at(history: History, first_ms: int) -> History:
    """Only bars that open at or after `first_ms`, of every tier."""
    return _changed(history, lambda rows, _: rows[int(np.searchsorted(rows[:, 0], first_ms)) :])


def poisoned_from(history: History, cut_ms: int, *, rising: bool) -> History:
    """Every bar that had not closed at `cut_ms` replaced by an absurd one: prices soar, or fall to almost nothing."""
    factor = POISON_FACTOR if rising else 1 / POISON_FACTOR
    last = {symbol: _last_close(rows_of(frame), cut_ms) for symbol, frame in history.m5.items()}

    def poison(rows: BarArray, tier: Tier, symbol: str) -> BarArray:
        first = int(np.searchsorted(rows[:, 0], cut_ms - tier.ms, side="right"))
        if tier is Tier.M5:
            first = int(np.searchsorted(rows[:, 0], cut_ms))
        bars = np.arange(len(rows) - first)
        opens = last[symbol] * factor ** np.minimum(bars, POISON_BARS)
        closes = last[symbol] * factor ** np.minimum(bars + 1, POISON_BARS)
        highs, lows = np.maximum(opens, closes), np.minimum(opens, closes)
        absurd = np.column_stack([rows[first:, 0], opens, highs, lows, closes, np.full(len(bars), POISON_VOLUME)])
        return np.vstack([rows[:first], absurd])

    return _changed_by_symbol(history, poison)


def stranger_from(history: History, cut_ms: int, seed: int) -> History:
    """5m bars from `cut_ms` on replaced by a plausible market that never was: the history's own hours in random order,
    with repetition (a block bootstrap), one after another from the last true price. Deeper tiers keep what had closed."""
    rng = np.random.default_rng(seed)
    longest = max(frame.height for frame in history.m5.values())
    draws = rng.random(longest // BLOCK_BARS + 1)

    def replaced(rows: BarArray, tier: Tier) -> BarArray:
        if tier is not Tier.M5:
            return rows[: int(np.searchsorted(rows[:, 0], cut_ms - tier.ms, side="right"))]
        # The very first bar has none before it to follow.
        first = max(int(np.searchsorted(rows[:, 0], cut_ms)), 1)
        if first >= len(rows) or len(rows) <= BLOCK_BARS + 1:
            return rows
        starts = 1 + (draws * (len(rows) - BLOCK_BARS - 1)).astype(np.int64)
        source = (starts[:, None] + np.arange(BLOCK_BARS)).ravel()[: len(rows) - first]
        return np.vstack([rows[:first], _chained(rows, source, rows[first:, 0], float(rows[first - 1, 4]))])

    return _changed(history, replaced)


def _chained(rows: BarArray, source: NDArray[np.int64], times: NDArray[np.float64], price: float) -> BarArray:
    """The bars `source` (indices, none of them 0) of `rows`, scaled so that each follows the one before from `price` on."""
    before = rows[source - 1, 4]
    closes = price * np.cumprod(rows[source, 4] / before)
    scale = (np.concatenate(([price], closes[:-1])) / before)[:, None]
    return np.column_stack([times, rows[source, 1:5] * scale, rows[source, 5]])


def _last_close(rows: BarArray, cut_ms: int) -> float:
    at = int(np.searchsorted(rows[:, 0], cut_ms)) - 1
    return float(rows[at, 4]) if at >= 0 else float(rows[0, 1]) if len(rows) else 1.0


def _changed(history: History, change: Callable[[BarArray, Tier], BarArray]) -> History:
    return _changed_by_symbol(history, lambda rows, tier, _: change(rows, tier))


def _changed_by_symbol(history: History, change: Callable[[BarArray, Tier, str], BarArray]) -> History:
    def tier_of(frames: dict[str, pl.DataFrame], tier: Tier) -> dict[str, pl.DataFrame]:
        return {symbol: to_frame(change(rows_of(frame), tier, symbol)) for symbol, frame in frames.items()}

    h1, d1 = (tier_of(dict(frames), tier) for tier, frames in zip(_DEEP, (history.h1, history.d1), strict=True))
    return replace(history, m5=tier_of(dict(history.m5), Tier.M5), h1=h1, d1=d1)
