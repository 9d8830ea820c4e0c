"""What a model said would happen, in a form that data can refute: one metric, one bound, one day."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any


class Comparison(str, Enum):
    """Which side of the bound refutes."""

    BELOW = "below"
    ABOVE = "above"


class Grade(str, Enum):
    """OPEN: its day has not come. MOOT: what it was about never ran, or no longer runs, so data says nothing of it."""

    OPEN = "open"
    HELD = "held"
    REFUTED = "refuted"
    MOOT = "moot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """Made once a night. `kind` is the night's decision ("no change", "tweak", ...), `version` what was active, `baseline` the
    metric when it was made, None where it could not be measured."""

    night: str
    kind: str
    version: str
    hypothesis: str
    metric: str
    refuted_if: Comparison
    bound: float
    baseline: float | None
    made_at: datetime
    due_at: datetime
    grade: Grade = Grade.OPEN
    value: float | None = None
    graded_at: datetime | None = None

    @property
    def sentence(self) -> str:
        """What would refute it, for people."""
        return f"refuted if {self.metric} is {self.refuted_if.value} {self.bound:g} on {self.due_at:%Y-%m-%d}"


def measured(performance: Mapping[str, Any], metric: str) -> float | None:
    """The metric's value in the ground truth; None where it is not there or no finite number.

    Money is Decimal there, and text where it came over the control API.
    """
    value = performance.get(metric)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def grade(prediction: Prediction, performance: Mapping[str, Any], *, concerns_what_runs: bool) -> tuple[Grade, float | None]:
    """What the data of its day says. `concerns_what_runs` is false when what it was about is not what traded."""
    value = measured(performance, prediction.metric)
    if not concerns_what_runs or value is None:
        return Grade.MOOT, value
    below = value < prediction.bound
    above = value > prediction.bound
    refuted = below if prediction.refuted_if is Comparison.BELOW else above
    return (Grade.REFUTED if refuted else Grade.HELD), value
