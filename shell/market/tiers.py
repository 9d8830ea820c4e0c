"""The three tiers over time: hours and days are built from what is below them, bars that leave a tier are archived.

Kept are 5m bars for 30 days, 1h for a year, 1d for seven years, cut at midnight UTC so that no hour or day is ever
built from a part of its bars. Full resolution is the archive and the store together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from shell.clock import from_ms, to_ms
from shell.errors import DataError
from shell.market.aggregate import aggregate, closed_only
from shell.market.archive import Archive
from shell.market.bars import DAY_MS, TIERS, Tier
from shell.market.frames import open_ms_of
from shell.market.history import History
from shell.market.port import CandleKeeper, CandleReader

# Nights rebuild this much of what is already built, for bars that came late.
REBUILT = timedelta(days=2)
_EPOCH = from_ms(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregationDone:
    """What one aggregation changed: bars built that were not there, and bars moved from each tier to the archive."""

    h1_built: int = 0
    d1_built: int = 0
    m5_archived: int = 0
    h1_archived: int = 0
    d1_archived: int = 0

    def as_dict(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """New bars in each higher tier."""

    h1: int
    d1: int


def aggregate_tiers(candles: CandleKeeper, archive: Archive, now: datetime) -> AggregationDone:
    """Build hours and days closed at `now`, archive what has left its tier, then delete it: one transaction.

    Files are written before the transaction commits, so a crash at any point leaves bars in the store, in the archive
    or in both, never in neither; running it again finishes the work and changes nothing that was done.
    """
    built_h1 = built_d1 = 0
    moved = dict.fromkeys(TIERS, 0)
    with candles.transaction():
        for symbol in candles.symbols():
            built = build_tiers(candles, symbol, _resume_at(candles, symbol), now, archive)
            built_h1, built_d1 = built_h1 + built.h1, built_d1 + built.d1
            for tier in TIERS:
                moved[tier] += archive_leaving(candles, archive, symbol, tier, now)
    return AggregationDone(
        h1_built=built_h1,
        d1_built=built_d1,
        m5_archived=moved[Tier.M5],
        h1_archived=moved[Tier.H1],
        d1_archived=moved[Tier.D1],
    )


def build_tiers(candles: CandleKeeper, symbol: str, start: datetime, now: datetime, archive: Archive | None = None) -> Built:
    """Build the hours and days of the UTC day of `start` and later that have closed at `now`, archived bars included.

    Hours come from 5m bars, days from 5m bars or, for days that these do not cover, from hours. Where the 5m series
    begins inside an hour or day, a bar that is already stored for it knows more and is kept.
    """
    begin_ms = to_ms(start) // DAY_MS * DAY_MS
    first_ms = _first_ms(candles, archive, symbol)
    with candles.transaction():
        if first_ms is None:
            return Built(h1=0, d1=_days_from_hours(candles, symbol, begin_ms, now, now))
        whole_hours, whole_days = _ceil(first_ms, Tier.H1.ms), _ceil(first_ms, DAY_MS)
        m5 = _everything(candles, archive, symbol, Tier.M5, from_ms(begin_ms), now)
        hours = closed_only(aggregate(m5, Tier.H1), Tier.H1, to_ms(now))
        h1 = candles.add(symbol, Tier.H1, _opened(hours, before=whole_hours), replace=False)
        h1 += candles.add(symbol, Tier.H1, _opened(hours, since=whole_hours))
        days = closed_only(aggregate(_opened(m5, since=whole_days), Tier.D1), Tier.D1, to_ms(now))
        d1 = candles.add(symbol, Tier.D1, days)
        if begin_ms < whole_days:
            d1 += _days_from_hours(candles, symbol, begin_ms, from_ms(whole_days), now)
    return Built(h1=h1, d1=d1)


def full_history(
    candles: CandleReader,
    archive: Archive,
    symbols: Sequence[str],
    start: datetime,
    end: datetime,
    *,
    source: str = "",
    real: bool = False,
) -> History:
    """Bars of `symbols` closed at `end`: 5m opened at or after `start`, 1h and 1d as far before it as a strategy sees.

    Raises DataError for a symbol without any 5m bar in that period.
    """
    frames: dict[Tier, dict[str, pl.DataFrame]] = {tier: {} for tier in TIERS}
    for symbol in symbols:
        for tier in TIERS:
            begin = start if tier is Tier.M5 else from_ms(to_ms(start) - tier.kept_ms)
            frame = _everything(candles, archive, symbol, tier, begin, end)
            if frame.height:
                frames[tier][symbol] = frame
            elif tier is Tier.M5:
                raise DataError(f"there are no 5m bars of {symbol} from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}")
    return History(m5=frames[Tier.M5], h1=frames[Tier.H1], d1=frames[Tier.D1], source=source, real=real)


def kept_since(tier: Tier, now: datetime) -> datetime:
    """Bars of `tier` opened before this midnight UTC have left the tier at `now`."""
    return from_ms((to_ms(now) - tier.kept_ms) // DAY_MS * DAY_MS)


def _first_ms(candles: CandleKeeper, archive: Archive | None, symbol: str) -> int | None:
    """Open time of the oldest 5m bar, stored or archived."""
    span = candles.span(symbol, Tier.M5)
    archived = None if archive is None else archive.first(symbol, Tier.M5)
    return min((at for at in (archived, span[0] if span else None) if at is not None), default=None)


def _everything(
    candles: CandleReader, archive: Archive | None, symbol: str, tier: Tier, start: datetime, end: datetime
) -> pl.DataFrame:
    stored = candles.between(symbol, tier, start, end)
    if archive is None:
        return stored
    archived = archive.read(symbol, tier, start, end)
    if archived.is_empty():
        return stored
    # In both after a crash between archiving and deleting, or after a second import: the store is the newer.
    return pl.concat([archived, stored]).unique("timestamp", keep="last", maintain_order=True).sort("timestamp")


def archive_leaving(candles: CandleKeeper, archive: Archive, symbol: str, tier: Tier, now: datetime) -> int:
    """Move the bars that have left `tier` at `now`; returns how many. The file is written before the store lets go."""
    limit = kept_since(tier, now)
    leaving = candles.before(symbol, tier, limit)
    if leaving.is_empty():
        return 0
    archive.write(symbol, tier, leaving)
    return candles.delete_before(symbol, tier, limit)


def _resume_at(candles: CandleKeeper, symbol: str) -> datetime:
    """Where building goes on: a little before the older of the last hour and the last day; the beginning, if none."""
    hour, day = candles.last(symbol, Tier.H1), candles.last(symbol, Tier.D1)
    if hour is None or day is None:
        return _EPOCH
    return max(_EPOCH, from_ms(min(hour.open_ms, day.open_ms)) - REBUILT)


def _days_from_hours(candles: CandleKeeper, symbol: str, begin_ms: int, until: datetime, now: datetime) -> int:
    hours = candles.between(symbol, Tier.H1, from_ms(begin_ms), until)
    days = closed_only(aggregate(hours, Tier.D1), Tier.D1, to_ms(now))
    return candles.add(symbol, Tier.D1, days, replace=False)


def _opened(frame: pl.DataFrame, *, since: int | None = None, before: int | None = None) -> pl.DataFrame:
    """The bars of a sorted frame opened at or after `since` or before `before`, in ms."""
    times = open_ms_of(frame)
    if since is not None:
        frame = frame.slice(int(times.searchsorted(since)))
    if before is not None:
        frame = frame.head(int(times.searchsorted(before)))
    return frame


def _ceil(ms: int, step: int) -> int:
    return -(-ms // step) * step
