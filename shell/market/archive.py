"""Bars that have left a tier, in parquet: one file for each symbol, tier and month of UTC.

A month is written under a temporary name, flushed to disk and then renamed: a crash leaves the old file or the new one.
Writing the same bars again changes nothing, which is what makes the nightly aggregation re-runnable.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from polars.exceptions import PolarsError

from shell.clock import to_ms
from shell.errors import DataError
from shell.market.bars import CANDLE_COLUMNS, Tier
from shell.market.frames import CANDLE_SCHEMA, empty_frame, open_ms_of

_MONTH_FILES = "[0-9][0-9][0-9][0-9]-[0-9][0-9].parquet"


class Archive:
    """The parquet archive below `folder`, which is created with the first bar."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, symbol: str, tier: Tier, frame: pl.DataFrame) -> int:
        """Merge bars of contract columns into their months; where a bar is there already, the given one counts.

        Returns how many bars are new. Each month is whole on disk when its rename is done; months are written in order.
        """
        if frame.is_empty():
            return 0
        bars = frame.select(CANDLE_COLUMNS).cast(CANDLE_SCHEMA)
        months = bars.group_by(pl.col("timestamp").dt.strftime("%Y-%m").alias("month"), maintain_order=True)
        parts = sorted(((str(key[0]), part) for key, part in months), key=lambda item: item[0])
        return sum(self._merge(symbol, tier, month, part.select(CANDLE_COLUMNS)) for month, part in parts)

    def read(self, symbol: str, tier: Tier, start: datetime, end: datetime) -> pl.DataFrame:
        """Archived bars opened at or after `start` and closed at `end`, sorted. Raises DataError for a damaged file."""
        first, last = f"{start:%Y-%m}.parquet", f"{end:%Y-%m}.parquet"
        paths = [path for path in self._months(symbol, tier) if first <= path.name <= last]
        if not paths:
            return empty_frame()
        frame = pl.concat([_read_month(path) for path in paths])
        opens = pl.col("timestamp").to_physical()
        return frame.filter((opens >= to_ms(start)) & (opens <= to_ms(end) - tier.ms))

    def first(self, symbol: str, tier: Tier) -> int | None:
        """Open time in ms of the oldest archived bar."""
        months = self._months(symbol, tier)
        # Months are sorted: one row of one column, for every symbol of every night, instead of a month of bars.
        return int(open_ms_of(_read_month(months[0], ("timestamp",), rows=1))[0]) if months else None

    def last(self, symbol: str, tier: Tier) -> int | None:
        """Open time in ms of the newest archived bar."""
        months = self._months(symbol, tier)
        return int(_read_month(months[-1])["timestamp"].to_physical()[-1]) if months else None

    def opens_around(self, symbol: str, tier: Tier, start: datetime, end: datetime) -> NDArray[np.int64]:
        """Open times in ms of the bars opened from `start` to `end`, of the last one before and the first one after."""
        months = self._months(symbol, tier)
        first, last = f"{start:%Y-%m}.parquet", f"{end:%Y-%m}.parquet"
        before, after = [path for path in months if path.name < first], [path for path in months if path.name > last]
        near = before[-1:] + [path for path in months if first <= path.name <= last] + after[:1]
        if not near:
            return np.empty(0, dtype=np.int64)
        times = np.concatenate([open_ms_of(_read_month(path)) for path in near])
        low, high = times.searchsorted(to_ms(start)), times.searchsorted(to_ms(end), side="right")
        return times[max(int(low) - 1, 0) : int(high) + 1]

    def symbols(self) -> list[str]:
        """Symbols with any archived bar, sorted."""
        if not self.folder.is_dir():
            return []
        names = (path.name.replace("-", "/") for path in self.folder.iterdir() if path.is_dir())
        return sorted(name for name in names if any(self._months(name, tier) for tier in Tier))

    def _place(self, symbol: str, tier: Tier) -> Path:
        return self.folder / symbol.replace("/", "-") / tier.value

    def _months(self, symbol: str, tier: Tier) -> list[Path]:
        return sorted(self._place(symbol, tier).glob(_MONTH_FILES))

    def _merge(self, symbol: str, tier: Tier, month: str, part: pl.DataFrame) -> int:
        folder = self._place(symbol, tier)
        path = folder / f"{month}.parquet"
        before = _read_month(path) if path.exists() else empty_frame()
        merged = pl.concat([before, part]).unique("timestamp", keep="last", maintain_order=True).sort("timestamp")
        if merged.equals(before):
            return 0
        folder.mkdir(parents=True, exist_ok=True)
        _replace(path, merged)
        return merged.height - before.height


def _read_month(path: Path, columns: Sequence[str] = CANDLE_COLUMNS, rows: int | None = None) -> pl.DataFrame:
    """Its `columns`, of the first `rows` bars. Raises DataError for a damaged file."""
    try:
        found = pl.read_parquet(path, columns=list(columns), n_rows=rows)
        return found.select(columns).cast({name: CANDLE_SCHEMA[name] for name in columns})
    except (PolarsError, OSError) as error:
        raise DataError(f"the archive file {path} is damaged ({type(error).__name__}): restore it or move it") from None


def _replace(path: Path, frame: pl.DataFrame) -> None:
    """Write, flush to disk, rename, flush the folder: after a crash there is the old file or the new one."""
    temporary = path.with_name(f".{path.name}.new")
    with temporary.open("wb") as stream:
        frame.write_parquet(stream, compression="zstd")
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
    for folder in (path.parent, path.parent.parent):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
