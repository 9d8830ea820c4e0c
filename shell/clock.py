"""Time, the only place that reads it. Everything else is given a `Clock` or a `now` in aware UTC.

Durations are measured by `monotonic()`; New York exists only in `night_window`, a user's time zone only in `local_day`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
NIGHT_HOURS = 3
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_INSTANT = timedelta.resolution
_MILLISECOND = timedelta(milliseconds=1)
# The moment that `to_ms` was asked for last: one step of an engine asks several times.
_newest = [(_EPOCH, 0)]
# The moment that `from_ms` made last, and the distances between such moments that it met.
_made = [(_EPOCH, 0)]
_SPANS_KEPT = 4096
_spans: dict[int, timedelta] = {}
_EARLIEST_MS = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND
_LATEST_MS = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND
MS = 1000
# How far this machine's clock may be from the exchange's before somebody is told, and before trading starts.
CLOCK_DIFFERENCE_TOLD = timedelta(seconds=2)


class Clock(Protocol):
    """Tells the time in aware UTC."""

    def now(self) -> datetime: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class VirtualClock:
    """A clock that moves only when told to, and never backwards."""

    def __init__(self, start: datetime) -> None:
        self._now = require_utc(start)

    def now(self) -> datetime:
        return self._now

    def advance_to(self, moment: datetime) -> None:
        """Move to `moment`. Raises ValueError if that lies in the past."""
        if require_utc(moment) < self._now:
            raise ValueError(f"a virtual clock cannot go back from {self._now} to {moment}")
        self._now = moment


class PacedClock:
    """A clock that runs `speed` times as fast as the machine's from `start` on: for a simulated exchange of that speed."""

    def __init__(self, start: datetime, speed: float) -> None:
        self._start = require_utc(start)
        self._speed = speed
        self._begun = monotonic()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=(monotonic() - self._begun) * self._speed)


# Seconds from an arbitrary origin, for durations and deadlines: the system's own, since a backtest asks at every slot.
monotonic = time.monotonic


def require_utc(moment: datetime) -> datetime:
    """`moment` in UTC. Raises ValueError for a naive one, which has no meaning here."""
    if moment.tzinfo is UTC:
        return moment
    if moment.tzinfo is None:
        raise ValueError(f"a time without a zone was given: {moment.isoformat()}")
    return moment.astimezone(UTC)


def to_ms(moment: datetime) -> int:
    """Milliseconds since the epoch, exact for any aware datetime with millisecond precision."""
    known, ms = _newest[0]
    if moment is not known:
        ms = round((moment if moment.tzinfo is UTC else require_utc(moment)).timestamp() * MS)
        _newest[0] = moment, ms
    return ms


def from_ms(ms: int) -> datetime:
    """The aware UTC datetime of `ms` milliseconds since the epoch. Raises ValueError or OverflowError beyond the calendar."""
    if type(ms) is int and _EARLIEST_MS <= ms <= _LATEST_MS:
        # A fraction of what the way below costs, which takes numpy's numbers, too: moments mostly follow one another at
        # distances that were met before, and often the last one is asked for again.
        wanted: int = ms
        moment, known = _made[0]
        if wanted != known:
            apart = wanted - known
            span = _spans.get(apart)
            if span is None:
                span = apart * _MILLISECOND
                if len(_spans) < _SPANS_KEPT:
                    _spans[apart] = span
            moment = moment + span
            _made[0] = _newest[0] = moment, wanted
        return moment
    return datetime.fromtimestamp(ms / MS, UTC)


def compact(moment: datetime) -> str:
    """A UTC moment to the minute as ids have it, 20230101T0005: what %Y%m%dT%H%M gives, cheaper."""
    day, minute = (moment.year * 100 + moment.month) * 100 + moment.day, moment.hour * 100 + moment.minute
    return f"{day:08}T{minute:04}"


def parse_moment(text: str) -> datetime:
    """An ISO date or datetime, UTC when it names no zone. Raises ValueError with the offending text."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text!r} is not a date (2023-03-01) or time (2023-03-01T00:05:00Z)") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def local_day(moment: datetime, zone: ZoneInfo) -> date:
    """The calendar day of `moment` in a user's time zone."""
    return require_utc(moment).astimezone(zone).date()


class LocalDays:
    """`local_day` in one zone for moments of which many fall on one day: that day's bounds are kept.

    Days on which the zone's clock changes are worked out every time: there a day's bounds are not all there is to know.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._day, self._begins, self._ends = date.min, _EPOCH, _EPOCH

    def day_of(self, moment: datetime) -> date:
        """The calendar day of `moment`. Raises ValueError for one without a zone."""
        if moment.tzinfo is not None and self._begins <= moment < self._ends:
            return self._day
        local = require_utc(moment).astimezone(self._zone)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        begins = moment.astimezone(UTC) - (local.replace(tzinfo=None) - midnight.replace(tzinfo=None))
        ends = begins + _DAY
        offset = local.utcoffset()
        if all(each.astimezone(self._zone).utcoffset() == offset for each in (begins, ends - _INSTANT)):
            self._day, self._begins, self._ends = local.date(), begins, ends
        return local.date()


def local_moment(day: date, hour: int, minute: int, zone: ZoneInfo) -> datetime:
    """The UTC instant at which a wall clock in `zone` shows hour:minute on `day` (the first one when it shows it twice)."""
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Night:
    """One orchestration window, named by its New York date: 00:00-03:00 there, so 2 or 4 hours long when clocks change."""

    day: date
    begins: datetime
    ends: datetime

    def contains(self, moment: datetime) -> bool:
        return self.begins <= moment < self.ends


def night_window(day: date) -> Night:
    """The window of the New York date `day`, edges in UTC."""
    return Night(day, local_moment(day, 0, 0, NEW_YORK), local_moment(day, NIGHT_HOURS, 0, NEW_YORK))


def next_night(after: datetime) -> Night:
    """The first night that begins strictly after `after`."""
    day = local_day(after, NEW_YORK)
    night = night_window(day)
    while night.begins <= after:
        day += timedelta(days=1)
        night = night_window(day)
    return night
