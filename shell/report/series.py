"""Series of (time, value) made fit to draw: finite, in order, thinned without losing an extreme; and their drawdown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from shell.report.data import Series

POINTS_MAX = 1500


def finite(series: Sequence[tuple[datetime, float]]) -> Series:
    """The points whose value is a finite number, in order of time."""
    return tuple(sorted((point for point in series if math.isfinite(point[1])), key=lambda point: point[0]))


def downsample(series: Sequence[tuple[datetime, float]], limit: int = POINTS_MAX) -> Series:
    """At most `limit` points that keep the first, the last, and the lowest and highest of every stretch between them.

    Raises ValueError for a limit below four, which could not hold both ends and both extremes.
    """
    if limit < 4:
        raise ValueError(f"a series cannot be thinned to {limit} points: at least 4 are needed")
    if len(series) <= limit:
        return tuple(series)
    inner = range(1, len(series) - 1)
    buckets = (limit - 2) // 2
    kept = {0, len(series) - 1}
    for bucket in range(buckets):
        stretch = inner[bucket * len(inner) // buckets : (bucket + 1) * len(inner) // buckets]
        kept.add(min(stretch, key=lambda index: series[index][1]))
        kept.add(max(stretch, key=lambda index: series[index][1]))
    return tuple(series[index] for index in sorted(kept))


def drawdown(series: Sequence[tuple[datetime, float]]) -> Series:
    """The fall from the highest value so far, as a fraction of it (0 at a peak, -0.1 ten per cent below)."""
    peak = -math.inf
    falls = []
    for moment, value in series:
        peak = max(peak, value)
        falls.append((moment, value / peak - 1 if peak > 0 else 0.0))
    return tuple(falls)
