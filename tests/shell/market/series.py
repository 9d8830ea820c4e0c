"""Small series of candles for tests: given or random, always consistent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import polars as pl
from hypothesis import strategies as st

from shell.clock import to_ms
from shell.market.bars import Tier
from shell.market.columns import BarArray, to_frame

START = datetime(2024, 3, 1, tzinfo=UTC)
START_MS = to_ms(START)


def rows_at(times: Sequence[int], seed: int = 0) -> BarArray:
    """Consistent random bars opened at `times` (ms)."""
    rng = np.random.default_rng(seed)
    middle = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, len(times))))
    ends = middle[:, None] * (1 + rng.normal(0, 0.004, (len(times), 2)))
    high = ends.max(axis=1) * (1 + rng.random(len(times)) * 0.003)
    low = ends.min(axis=1) * (1 - rng.random(len(times)) * 0.003)
    volume = rng.random(len(times)) * 10
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
