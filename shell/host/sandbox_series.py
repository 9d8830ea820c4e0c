"""Made-up candles for the sandbox: seeded walks of 5-minute bars, and the longer tiers made of them."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from shell.host.port import BarArray
from shell.market.bars import DAY_MS, Tier

BEGINS = datetime(2024, 1, 1, tzinfo=UTC)
BEGINS_MS = round(BEGINS.timestamp() * 1000)
M5_A_DAY = DAY_MS // Tier.M5.ms

_SWING = 0.08
_SWING_DAYS = 4.0
_NOISE = 0.0015


def no_bars() -> BarArray:
    """A window of a symbol that has none."""
    return np.empty((0, 6))


def five_minutes(rng: np.random.Generator, price: float, days: float, *, phase: float = 0.0) -> BarArray:
    """5-minute bars from `BEGINS` on, around `price`, that swing by some percent within days: trends begin and end."""
    count = round(days * M5_A_DAY)
    at = np.arange(count + 1) / M5_A_DAY
    swing = _SWING * np.sin(2.0 * np.pi * at / _SWING_DAYS + phase)
    level = price * np.exp(swing + _NOISE * rng.standard_normal(count + 1))
    open_, close = level[:-1], level[1:]
    reach = 1.0 + _NOISE * rng.random((2, count))
    rows = np.empty((count, 6))
    rows[:, 0] = BEGINS_MS + Tier.M5.ms * np.arange(count)
    rows[:, 1], rows[:, 4] = open_, close
    rows[:, 2], rows[:, 3] = np.maximum(open_, close) * reach[0], np.minimum(open_, close) / reach[1]
    rows[:, 5] = 1.0 + rng.random(count)
    return rows


def joined(m5: BarArray, tier: Tier) -> BarArray:
    """The bars of a longer tier, each over the 5-minute bars there are of its time; the newest may not have closed yet."""
    if not len(m5):
        return no_bars()
    bucket = m5[:, 0] // tier.ms
    first = np.flatnonzero(np.concatenate(([True], bucket[1:] != bucket[:-1])))
    last = np.concatenate((first[1:], [len(m5)])) - 1
    return np.column_stack(
        (
            bucket[first] * tier.ms,
            m5[first, 1],
            np.maximum.reduceat(m5[:, 2], first),
            np.minimum.reduceat(m5[:, 3], first),
            m5[last, 4],
            np.add.reduceat(m5[:, 5], first),
        )
    )


def with_earlier_days(rng: np.random.Generator, d1: BarArray, days: int) -> BarArray:
    """Daily bars with `days` more before them, a random walk that ends where they begin."""
    steps = np.exp(np.cumsum(0.02 * rng.standard_normal(days)))
    close = d1[0, 1] * steps / steps[-1]
    open_ = np.concatenate((close[:1], close[:-1]))
    high, low = np.maximum(open_, close) * 1.01, np.minimum(open_, close) / 1.01
    times = d1[0, 0] - DAY_MS * np.arange(days, 0, -1)
    return np.concatenate((np.column_stack((times, open_, high, low, close, np.full(days, 300.0))), d1))
