"""What a running shell counts of itself, for `brain status`, in forms that a fact can hold."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np

STEPS_KEPT = 300
# The same failure of the same part is told again after this long.
AGAIN_AFTER = timedelta(minutes=5)


@dataclass(slots=True)
class LiveCounts:
    """Since the start: slots worked and left out, prices that concerned a book, steps of the clock."""

    done: int = 0
    missed: int = 0
    incomplete: int = 0
    """Slots scanned at the end of the grace, without all of their bars."""
    ticks: int = 0
    clock_steps: int = 0
    _milliseconds: deque[float] = field(default_factory=lambda: deque(maxlen=STEPS_KEPT))

    def step_done(self, *, scan: bool, complete: bool, seconds: float) -> None:
        if scan:
            self.done += 1
            self.incomplete += not complete
            self._milliseconds.append(seconds * 1000)

    def as_dict(self) -> dict[str, Any]:
        times = None
        if self._milliseconds:
            median, p95, most = np.percentile(self._milliseconds, [50, 95, 100]).tolist()
            times = {"median": round(median, 1), "p95": round(p95, 1), "max": round(most, 1), "count": len(self._milliseconds)}
        return {
            "slots": {"done": self.done, "missed": self.missed, "incomplete": self.incomplete}, "ticks": self.ticks,
            "clock_steps": self.clock_steps, "step_ms": times,
        }


@dataclass(slots=True)
class LoopErrors:
    """Exceptions of the loop's parts, counted, with the newest of each part."""

    count: int = 0
    newest: dict[str, dict[str, Any]] = field(default_factory=dict)
    _told_at: dict[str, datetime] = field(default_factory=dict)

    def note(self, what: str, now: datetime, error: Exception) -> bool:
        """Count one; True when it should be told: another than the part's last, or told longer than AGAIN_AFTER ago."""
        self.count += 1
        before, sentence = self.newest.get(what, {"count": 0, "sentence": None}), str(error)[:300]
        self.newest[what] = {
            "count": before["count"] + 1, "at": now.isoformat(), "kind": type(error).__name__, "sentence": sentence
        }
        told_at = self._told_at.get(what)
        if before["sentence"] == sentence and told_at is not None and now - told_at < AGAIN_AFTER:
            return False
        self._told_at[what] = now
        return True

    def as_dict(self) -> dict[str, Any]:
        return {"count": self.count, "newest": dict(self.newest)}


def link_of(told: Mapping[str, Any]) -> dict[str, Any]:
    """A link's own account of itself, as plain values."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in told.items()}
