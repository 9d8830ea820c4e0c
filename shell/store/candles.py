"""Candles in the database: the three tiers, the holes found in them, and the rows that were left out.

Everything here reads and writes whole series at a time; a window holds only bars that have closed at its end.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import chain, repeat
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Dialect, and_, bindparam, delete, func, insert, select

from shell.clock import from_ms, to_ms
from shell.errors import DataError
from shell.market.bars import Bar, Tier
from shell.market.check import Gap, QuarantinedRow, find_gaps
from shell.market.columns import WIDTH, BarArray, bars_of
from shell.market.frames import rows_of, to_frame
from shell.store.kept_bars import KeptBars
from shell.store.metadata import table_of
from shell.store.tables_candles import CandleGapRow, CandleQuarantineRow, CandleRow

_CANDLES = table_of(CandleRow)
_GAPS = table_of(CandleGapRow)
_QUARANTINE = table_of(CandleQuarantineRow)
_ROW = tuple(_CANDLES.c[name] for name in ("open_ms", "open", "high", "low", "close", "volume"))
# Made once: bars are read and written at every step, and making the text costs more than a few rows do.
_BARS = (
    select(*_ROW)
    .where(_CANDLES.c.symbol == bindparam("of"), _CANDLES.c.tier == bindparam("at_tier"))
    .where(_CANDLES.c.open_ms.between(bindparam("first"), bindparam("last")))
    .order_by(_CANDLES.c.open_ms)
)
_FIELDS = tuple(column.name for column in _ROW)
_NAMES = ("symbol", "tier", *_FIELDS)

# Far enough on either side for any bar, and a number every database takes.
_EVER_MS = 2**60
_UNFIT = "bars to store must be finite and in strictly increasing time"
_NO_TIMES: NDArray[np.int64] = np.empty(0, dtype=np.int64)


class Doors(Protocol):
    """What this needs of the store: its two doors, and how often what went through them was undone."""

    def transaction(self) -> AbstractContextManager[Connection]: ...

    def reading(self) -> AbstractContextManager[Connection]: ...

    @property
    def rollbacks(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What is stored of one series; `first` and `last` are open times."""

    symbol: str
    tier: Tier
    bars: int
    first: datetime
    last: datetime


# By store: several readers and writers of its candles are made, and all must forget what one of them wrote.
_KEPT: WeakKeyDictionary[Doors, KeptBars] = WeakKeyDictionary()


class KeptReader:
    """Reads bars, of those that it read before only what may have changed."""

    def __init__(self, store: Doors, kept: KeptBars) -> None:
        self._store = store
        self._kept = kept

    def between(self, symbol: str, tier: Tier, start: datetime, end: datetime) -> pl.DataFrame:
        """See `CandleStore.between`."""
        with self._store.reading() as connection:
            version = None
            if connection.dialect.name == "sqlite":
                version = connection.exec_driver_sql("PRAGMA data_version").scalar_one(), self._store.rollbacks
            return to_frame(self._kept.read(
                version, (symbol, tier), to_ms(start), to_ms(end) - tier.ms,
                lambda first_ms, last_ms: _select(connection, symbol, tier, first_ms, last_ms),
            ))


class CandleStore:
    """The candle tables of one database. Every writing method is one transaction, or joins the one it is called in."""

    def __init__(self, store: Doors) -> None:
        self._store = store
        # One for all who read and write through the same store: what any of them writes is forgotten.
        self._kept = _KEPT.setdefault(store, KeptBars())
        # `between` for a caller outside a transaction who asks night after night: see `KeptBars`.
        self.kept = KeptReader(store, self._kept)

    def transaction(self) -> AbstractContextManager[Connection]:
        """The store's own door, for several changes that belong together."""
        return self._store.transaction()

    def add(self, symbol: str, tier: Tier, frame: pl.DataFrame, *, replace: bool = True) -> int:
        """Store bars of contract columns in strictly increasing time; returns how many are new.

        Adding them again changes nothing. A stored bar of the same time with other values is replaced, or kept with
        `replace=False`. Raises DataError, with nothing stored, for times that do not increase or values not finite.
        """
        return self.add_rows(symbol, tier, rows_of(frame), replace=replace)

    def add_rows(self, symbol: str, tier: Tier, rows: BarArray, *, replace: bool = True) -> int:
        """See `add`."""
        if len(rows) == 0:
            return 0
        if not bool(np.isfinite(rows).all()):
            raise DataError(f"{symbol} {tier.value}: {_UNFIT}")
        times = rows[:, 0].astype(np.int64)
        if bool((np.diff(times) <= 0).any()):
            raise DataError(f"{symbol} {tier.value}: {_UNFIT}")
        with self._store.transaction() as connection:
            stored = _select(connection, symbol, tier, int(times[0]), int(times[-1]))
            fresh = ~np.isin(times, stored[:, 0].astype(np.int64), assume_unique=True)
            changed = _changed(rows, stored, fresh) if replace else np.zeros(len(rows), dtype=bool)
            if (written := times[fresh | changed]).size:
                self._kept.wrote((symbol, tier), int(written[0]))
            if changed.any():
                where = and_(_series(_CANDLES, symbol, tier), _CANDLES.c.open_ms == bindparam("at"))
                connection.execute(delete(_CANDLES).where(where), [{"at": at} for at in times[changed].tolist()])
            _insert(connection, symbol, tier, rows[fresh | changed])
        return int(fresh.sum())

    def delete_before(self, symbol: str, tier: Tier, before: datetime) -> int:
        """Remove the bars opened before `before`; returns how many there were."""
        where = and_(_series(_CANDLES, symbol, tier), _CANDLES.c.open_ms < to_ms(before))
        with self._store.transaction() as connection:
            self._kept.deleted((symbol, tier), to_ms(before))
            return int(connection.execute(delete(_CANDLES).where(where)).rowcount)

    def window(self, symbol: str, tier: Tier, end: datetime, length: timedelta | None = None) -> pl.DataFrame:
        """Bars closed at `end` and opened within `length` before it (None: as long as the tier is kept)."""
        kept_ms = tier.kept_ms if length is None else round(length.total_seconds() * 1000)
        return self.between(symbol, tier, from_ms(to_ms(end) - kept_ms), end)

    def between(self, symbol: str, tier: Tier, start: datetime, end: datetime) -> pl.DataFrame:
        """Bars opened at or after `start` and closed at `end`."""
        with self._store.reading() as connection:
            return to_frame(_select(connection, symbol, tier, to_ms(start), to_ms(end) - tier.ms))

    def before(self, symbol: str, tier: Tier, end: datetime) -> pl.DataFrame:
        """Every stored bar opened before `end`."""
        with self._store.reading() as connection:
            return to_frame(_select(connection, symbol, tier, -_EVER_MS, to_ms(end) - 1))

    def last(self, symbol: str, tier: Tier) -> Bar | None:
        """The newest stored bar."""
        newest = select(*_ROW).where(_series(_CANDLES, symbol, tier)).order_by(_CANDLES.c.open_ms.desc()).limit(1)
        with self._store.reading() as connection:
            row = connection.execute(newest).first()
        return None if row is None else bars_of(symbol, tier, np.array([tuple(row)], dtype=np.float64))[0]

    def span(self, symbol: str, tier: Tier) -> tuple[int, int] | None:
        """Open times in ms of the oldest and the newest stored bar."""
        ends = select(func.min(_CANDLES.c.open_ms), func.max(_CANDLES.c.open_ms))
        with self._store.reading() as connection:
            row = connection.execute(ends.where(_series(_CANDLES, symbol, tier))).one()
        return None if row[0] is None else (int(row[0]), int(row[1]))

    def symbols(self) -> list[str]:
        """Symbols with any stored bar, sorted."""
        with self._store.reading() as connection:
            return sorted(connection.execute(select(_CANDLES.c.symbol).distinct()).scalars())

    def coverage(self) -> list[Coverage]:
        """What is stored, by symbol and tier."""
        times = _CANDLES.c.open_ms
        series = (_CANDLES.c.symbol, _CANDLES.c.tier)
        query = select(*series, func.count(), func.min(times), func.max(times)).group_by(*series)
        with self._store.reading() as connection:
            rows = connection.execute(query).all()
        found = [
            Coverage(symbol=symbol, tier=Tier(tier), bars=bars, first=from_ms(first), last=from_ms(last))
            for symbol, tier, bars, first, last in rows
        ]
        return sorted(found, key=lambda item: (item.symbol, item.tier.ms))

    def refresh_gaps(
        self,
        symbol: str,
        tier: Tier,
        start: datetime,
        end: datetime,
        now: datetime,
        *,
        archived: NDArray[np.int64] = _NO_TIMES,
    ) -> list[Gap]:
        """Look for holes among the stored bars opened from `start` to `end` and their neighbours, and record them.

        `archived` are increasing open times of bars that have left the store and are no holes.
        A recorded hole that has been filled disappears; a known one keeps the time it was found, a new one gets `now`.
        Returns the holes of that stretch.
        """
        with self._store.transaction() as connection:
            low, high = _with_neighbours(connection, symbol, tier, to_ms(start), to_ms(end), archived)
            times = np.union1d(_times(connection, symbol, tier, low, high), archived)
            gaps = find_gaps(tier, times[(times >= low) & (times <= high)])
            inside = and_(_series(_GAPS, symbol, tier), _GAPS.c.from_ms.between(low, high))
            known = {(row.from_ms, row.to_ms): row.found_at for row in connection.execute(select(_GAPS).where(inside))}
            connection.execute(delete(_GAPS).where(inside))
            rows = [
                {
                    "symbol": symbol,
                    "tier": tier.value,
                    "from_ms": to_ms(gap.first),
                    "to_ms": to_ms(gap.last),
                    "bars": gap.bars,
                    "found_at": known.get((to_ms(gap.first), to_ms(gap.last)), to_ms(now)),
                }
                for gap in gaps
            ]
            if rows:
                connection.execute(insert(_GAPS), rows)
        return list(gaps)

    def gaps(self, symbol: str, tier: Tier) -> list[Gap]:
        """Recorded holes, oldest first."""
        query = select(_GAPS).where(_series(_GAPS, symbol, tier)).order_by(_GAPS.c.from_ms)
        with self._store.reading() as connection:
            rows = connection.execute(query).all()
        return [Gap(first=from_ms(row.from_ms), last=from_ms(row.to_ms), bars=row.bars) for row in rows]

    def quarantine(self, symbol: str, tier: Tier, rows: Iterable[QuarantinedRow], source: str) -> int:
        """Record rows left out of `source` (a file's name), each once however often it is given; returns how many."""
        candidates = [
            {
                "symbol": symbol,
                "tier": tier.value,
                "open_ms": row.open_ms,
                **{name: getattr(row, name) for name in _FIELDS[1:]},
                "reason": row.flaw.value,
                "source": source,
            }
            for row in rows
        ]
        with self._store.transaction() as connection:
            same = and_(_series(_QUARANTINE, symbol, tier), _QUARANTINE.c.source == source)
            compared = [_QUARANTINE.c[name] for name in (*_FIELDS, "reason")]
            known = {tuple(row) for row in connection.execute(select(*compared).where(same))}
            fresh = []
            for candidate in candidates:
                key = tuple(candidate[column.name] for column in compared)
                if key not in known:
                    known.add(key)
                    fresh.append(candidate)
            if fresh:
                connection.execute(insert(_QUARANTINE), fresh)
        return len(fresh)

    def quarantined(self, symbol: str, tier: Tier) -> list[dict[str, Any]]:
        """Rows left out, in the order they were found, as values for people and JSON."""
        query = select(_QUARANTINE).where(_series(_QUARANTINE, symbol, tier)).order_by(_QUARANTINE.c.id)
        with self._store.reading() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]


def _series(table: Any, symbol: str, tier: Tier) -> ColumnElement[bool]:
    return and_(table.c.symbol == symbol, table.c.tier == tier.value)


def _select(connection: Connection, symbol: str, tier: Tier, first_ms: int, last_ms: int) -> BarArray:
    """Rows opened from `first_ms` to `last_ms`, both included, oldest first."""
    series = {"of": symbol, "at_tier": tier.value, "first": first_ms, "last": last_ms}
    with connection.execute(_BARS, series) as found:
        # From the driver's own cursor: numbers need no conversion, and a row object for each bar costs more than reading it.
        cursor: Any = found.cursor
        values = np.fromiter(chain.from_iterable(cursor), dtype=np.float64)
    return np.asfortranarray(values.reshape(-1, WIDTH))


def _times(connection: Connection, symbol: str, tier: Tier, first_ms: int, last_ms: int) -> NDArray[np.int64]:
    where = and_(_series(_CANDLES, symbol, tier), _CANDLES.c.open_ms.between(first_ms, last_ms))
    times = connection.execute(select(_CANDLES.c.open_ms).where(where).order_by(_CANDLES.c.open_ms)).scalars()
    return np.fromiter(times, dtype=np.int64)


def _with_neighbours(
    connection: Connection, symbol: str, tier: Tier, first_ms: int, last_ms: int, archived: NDArray[np.int64]
) -> tuple[int, int]:
    """The stretch widened to the stored or archived bar before it and the one after it."""
    times, series = _CANDLES.c.open_ms, _series(_CANDLES, symbol, tier)
    before = connection.execute(select(func.max(times)).where(series, times < first_ms)).scalar()
    after = connection.execute(select(func.min(times)).where(series, times > last_ms)).scalar()
    earlier, later = archived[archived < first_ms].tolist()[-1:], archived[archived > last_ms].tolist()[:1]
    low = max([*earlier, *([] if before is None else [before])], default=first_ms)
    high = min([*later, *([] if after is None else [after])], default=last_ms)
    return int(low), int(high)


def _changed(rows: BarArray, stored: BarArray, fresh: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which rows differ from the stored bar of the same time."""
    changed = np.zeros(len(rows), dtype=bool)
    if len(stored):
        at = np.searchsorted(stored[:, 0], rows[~fresh, 0])
        changed[~fresh] = (stored[at] != rows[~fresh]).any(axis=1)
    return changed


def _insert(connection: Connection, symbol: str, tier: Tier, rows: BarArray) -> None:
    if len(rows) == 0:
        return
    columns = [rows[:, 0].astype(np.int64).tolist(), *(rows[:, at].tolist() for at in range(1, WIDTH))]
    values = zip(repeat(symbol), repeat(tier.value), *columns, strict=False)
    text = _insertion(connection.dialect)
    if text:
        # Tuples straight to the driver: a year of bars takes half the time that a dictionary each would.
        connection.exec_driver_sql(text, list(values))
    else:
        connection.execute(insert(_CANDLES), [dict(zip(_NAMES, row, strict=True)) for row in values])


@lru_cache(maxsize=8)
def _insertion(dialect: Dialect) -> str:
    """The insertion of one bar as `dialect` writes it, its values in the order of `_NAMES`; empty where they have names."""
    compiled = insert(_CANDLES).compile(dialect=dialect, column_keys=list(_NAMES))
    return str(compiled) if compiled.positional and compiled.positiontup == list(_NAMES) else ""
