"""Bars that were read once and are still what the database holds: a check of every night reads the new day of a year of hours.

Whoever writes bars says so here, and what it touched is read again. What other connections write is seen by the number that
SQLite gives to the state of a database; where there is no such number nothing is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from shell.market.bars import Tier
from shell.market.columns import BarArray

Series = tuple[str, Tier]
Select = Callable[[int, int], BarArray]
# The number that the database gives to what others wrote, and how often something was undone here.
Version = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Known:
    """All bars opened from `first_ms` to `last_ms`, both included."""

    first_ms: int
    last_ms: int
    rows: BarArray


class KeptBars:
    """For one store of bars, inside its transactions and readings alone, whose lock keeps threads apart: one stretch for each
    symbol and tier. The rows that are given out are nobody's to change."""

    def __init__(self) -> None:
        self._known: dict[Series, _Known] = {}
        self._version: Version | None = None

    def read(self, version: Version | None, series: Series, first_ms: int, last_ms: int, select: Select) -> BarArray:
        """Bars opened from `first_ms` to `last_ms`, both included, oldest first; `select` reads those that are not known.
        `version` is that of the database, None where it has none."""
        if version is None or version != self._version:
            self._known.clear()
            self._version = version
        known = self._known.get(series)
        if known is None or first_ms < known.first_ms or first_ms > known.last_ms:
            rows = select(first_ms, last_ms)
        elif last_ms <= known.last_ms:
            return _cut(known.rows, first_ms, last_ms)
        else:
            older, newer = _cut(known.rows, first_ms, known.last_ms), select(known.last_ms + 1, last_ms)
            rows = np.asfortranarray(np.concatenate([older, newer])) if len(newer) else older
        if version is not None:
            self._known[series] = _Known(first_ms, last_ms, rows)
        return rows

    def wrote(self, series: Series, first_ms: int) -> None:
        """Bars opened at `first_ms` and later may be others now."""
        known = self._known.get(series)
        if known is None or first_ms > known.last_ms:
            return
        if first_ms <= known.first_ms:
            del self._known[series]
        else:
            self._known[series] = _Known(known.first_ms, first_ms - 1, _cut(known.rows, known.first_ms, first_ms - 1))

    def deleted(self, series: Series, before_ms: int) -> None:
        """No bar opened before `before_ms` is there any more, unless that is undone: none of them is known."""
        known = self._known.get(series)
        if known is None or before_ms <= known.first_ms:
            return
        if before_ms > known.last_ms:
            del self._known[series]
        else:
            self._known[series] = _Known(before_ms, known.last_ms, _cut(known.rows, before_ms, known.last_ms))


def _cut(rows: BarArray, first_ms: int, last_ms: int) -> BarArray:
    low, high = rows[:, 0].searchsorted(first_ms), rows[:, 0].searchsorted(last_ms, side="right")
    return rows[low:high]
