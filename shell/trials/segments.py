"""Three disjoint segments of history: search (any number of looks, logged), selection (counted trials), vault.

Oldest to newest: search, selection, vault. Edges are midnights UTC. The newest edge is the anchor, not the present, so
that within a quarter the segments stand still and the trials scored on one selection segment add up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from shell.clock import require_utc
from shell.config import OrchestratorConfig
from shell.errors import DataError

MONTHS_PER_QUARTER = 3


class SegmentName(StrEnum):
    """The three disjoint segments of history, oldest first."""

    SEARCH = "search"
    SELECTION = "selection"
    VAULT = "vault"


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """`start` (included) to `end` (excluded), aware UTC."""

    name: SegmentName
    start: datetime
    end: datetime

    @property
    def days(self) -> float:
        return (self.end - self.start).total_seconds() / 86_400

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {"start": self.start.isoformat(), "end": self.end.isoformat(), "days": self.days}


def quarter_name(moment: datetime) -> str:
    """The calendar quarter of `moment` in UTC, such as "2026Q1"; text order is time order."""
    at = require_utc(moment)
    return f"{at.year:04d}Q{(at.month - 1) // MONTHS_PER_QUARTER + 1}"


def next_quarter(moment: datetime) -> datetime:
    """Midnight UTC at which the quarter after that of `moment` begins."""
    start = quarter_start(moment)
    month = start.month + MONTHS_PER_QUARTER
    return start.replace(year=start.year + month // 13, month=(month - 1) % 12 + 1)


def quarter_start(moment: datetime) -> datetime:
    """Midnight UTC of the first day of the calendar quarter that `moment` lies in."""
    at = require_utc(moment)
    month = at.month - (at.month - 1) % MONTHS_PER_QUARTER
    return datetime(at.year, month, 1, tzinfo=UTC)


def anchor_for(now: datetime, recorded: datetime | None) -> datetime:
    """The newest edge of the segments at `now`: the recorded one while its quarter lasts, else the last midnight.

    Whoever stores state records the answer, so that the first split of a quarter holds until the quarter's end.
    """
    if recorded is not None and quarter_start(recorded) == quarter_start(now):
        return _midnight_before(recorded)
    return _midnight_before(now)


def split(
    *, first: datetime, last: datetime, anchor: datetime, config: OrchestratorConfig
) -> Mapping[SegmentName, Segment]:
    """Split the days between `first` and `last` (the times history covers) that lie before `anchor`.

    At most `history_days_max` days back from the newest edge. Raises DataError when there are fewer than
    `history_days_min` whole days.
    """
    end = _midnight_before(min(require_utc(anchor), require_utc(last)))
    start = max(_midnight_after(first), end - timedelta(days=config.history_days_max))
    days = (end - start).days
    if days < config.history_days_min:
        raise DataError(
            f"there are {max(days, 0)} whole days of history before {end:%Y-%m-%d}; "
            f"a search needs {config.history_days_min} (orchestrator.history_days_min)"
        )
    search_days = int(days * config.search_pct)
    selection_days = int(days * config.selection_pct)
    if min(search_days, selection_days, days - search_days - selection_days) < 1:
        raise DataError(
            f"{days} days do not split into three segments of at least a day with search_pct {config.search_pct} and "
            f"selection_pct {config.selection_pct}: their sum must stay below 1"
        )
    edges = (start, start + timedelta(days=search_days), start + timedelta(days=search_days + selection_days), end)
    return {
        name: Segment(name=name, start=edges[index], end=edges[index + 1]) for index, name in enumerate(SegmentName)
    }


def _midnight_before(moment: datetime) -> datetime:
    return require_utc(moment).replace(hour=0, minute=0, second=0, microsecond=0)


def _midnight_after(moment: datetime) -> datetime:
    midnight = _midnight_before(moment)
    return midnight if midnight == require_utc(moment) else midnight + timedelta(days=1)
