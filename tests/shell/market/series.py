"""Small series of candles for tests: given or random, always consistent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import polars as pl
from hypothesis import strategies as st

from shell.clock import to_ms
from shell.market.bars import Tier
from shell.market.columns import BarArray
from shell.market.frames import to_frame

START = datetime(2024, 3, 1, tzinfo=UTC)
START_MS = to_ms(START)


def rows_at(times: Sequence[int], seed: int = 0) -> BarArray:
    """Consistent random bars opened at `times` (ms); more times add bars without changing the first."""
    drawn = np.random.default_rng(seed).random((len(times), 6)) - 0.5
    middle = 100 * np.exp(np.cumsum(drawn[:, 0] * 0.03))
    ends = middle[:, None] * (1 + drawn[:, 1:3] * 0.01)
    high = ends.max(axis=1) * (1 + np.abs(drawn[:, 3]) * 0.006)
    low = ends.min(axis=1) * (1 - np.abs(drawn[:, 4]) * 0.006)
    volume = (drawn[:, 5] + 0.5) * 10
    return np.column_stack([np.array(times, dtype=np.float64), ends[:, 0], high, low, ends[:, 1], volume])


def frame_at(times: Sequence[int], seed: int = 0) -> pl.DataFrame:
    return to_frame(rows_at(times, seed))


def five_minutes(count: int, begin_ms: int = START_MS, seed: int = 0) -> pl.DataFrame:
    """`count` 5m bars without holes."""
    return frame_at([begin_ms + at * Tier.M5.ms for at in range(count)], seed)


@st.composite
def bar_times(draw: st.DrawFn, days: int = 3, max_size: int = 200) -> list[int]:
    """Increasing open times of 5m bars with holes of every size, beginning anywhere in a day."""
    slots = draw(st.sets(st.integers(0, days * 288 - 1), min_size=1, max_size=max_size))
    return [START_MS + slot * Tier.M5.ms for slot in sorted(slots)]
