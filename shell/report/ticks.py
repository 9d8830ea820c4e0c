"""Round positions for axes: values by 1-2-5 steps, times by hours, days, weeks or months (UTC)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_HOUR = 3600
_DAY = 86_400
_TIME_STEPS = (
    300, 900, 1800, _HOUR, 2 * _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR,
    _DAY, 2 * _DAY, 3 * _DAY, 5 * _DAY, 7 * _DAY, 14 * _DAY,
)
_MONTH_STEPS = (1, 2, 3, 6, 12)
_MONTH_SECONDS = 2_629_746


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled position on an axis, in percent from its left or top end."""

    position: float
    label: str


def value_step(low: float, high: float, count: int) -> float:
    """The 1-2-5 step that cuts low..high into at most about `count` parts."""
    rough = (high - low) / count
    magnitude: float = 10.0 ** math.floor(math.log10(rough))
    for factor in (1.0, 2.0, 5.0):
        if factor * magnitude >= rough:
            return factor * magnitude
    return 10.0 * magnitude


def step_digits(step: float) -> int:
    """Decimals needed to tell multiples of `step` apart."""
    return max(0, -math.floor(math.log10(step) + 1e-9))


def values(low: float, high: float, count: int = 5) -> tuple[float, ...]:
    """The multiples of a round step within low..high."""
    step = value_step(low, high, count)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(index * step for index in range(first, last + 1))


def times(start: datetime, end: datetime, count: int = 8) -> tuple[Tick, ...]:
    """Round times within start..end, at most about `count`, placed in percent of the span."""
    seconds = (end - start).total_seconds()
    if seconds <= 0:
        return ()
    step = next((step for step in _TIME_STEPS if seconds / step <= count), None)
    moments = _multiples(start, end, step) if step else _months(start, end, seconds, count)
    return tuple(Tick(100 * (at - start).total_seconds() / seconds, _time_label(at, step)) for at in moments)


def _multiples(start: datetime, end: datetime, step: int) -> list[datetime]:
    first = math.ceil(start.timestamp() / step) * step
    return [datetime.fromtimestamp(at, UTC) for at in range(first, math.floor(end.timestamp()) + 1, step)]


def _months(start: datetime, end: datetime, seconds: float, count: int) -> list[datetime]:
    step = next((step for step in _MONTH_STEPS if seconds / (step * _MONTH_SECONDS) <= count), None)
    months = step or 12 * math.ceil(seconds / (12 * _MONTH_SECONDS) / count)
    index = math.ceil((start.year * 12 + start.month - 1) / months) * months
    found = []
    while (at := datetime(index // 12, index % 12 + 1, 1, tzinfo=UTC)) <= end:
        if at >= start:
            found.append(at)
        index += months
    return found


def _time_label(at: datetime, step: int | None) -> str:
    if step is None:
        return f"{at:%b} {at.year}"
    if step < _DAY and timedelta(hours=at.hour, minutes=at.minute):
        return f"{at:%H:%M}"
    return f"{at.day} {at:%b}"
