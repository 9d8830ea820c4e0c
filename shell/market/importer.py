"""Import of candle files into the store: parquet, CSV with a header, Kraken's downloadable OHLCVT; a file or a folder.

Each file is one transaction: its bars, the rows left out of it, the holes in it and the hours and days built from it.
With an archive, bars older than their tier keeps (counted from the newest bar of the series) go on to parquet at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shell.clock import from_ms, to_ms
from shell.errors import DataError
from shell.market.archive import Archive
from shell.market.bars import DAY_MS, Tier
from shell.market.candle_file import SUFFIXES, read_candle_file
from shell.market.check import CheckedSeries, DataReport, SeriesReport, check_frame
from shell.market.folder import refuse_other_kind
from shell.market.frames import open_ms_of
from shell.market.pair import parse_symbol
from shell.market.port import CandleKeeper
from shell.market.tiers import archive_leaving, build_tiers
from shell.market.zipped import unpacked

# Called with bytes done, bytes in all, and the name of the file at hand.
Progress = Callable[[int, int, str], None]

ROWS_A_STEP = 50_000
_NO_TIMES: NDArray[np.int64] = np.empty(0, dtype=np.int64)
NAMES = "BTC-USD_5m, _1h or _1d (.parquet or .csv), or Kraken's XBTUSD_5.csv, _60.csv or _1440.csv"
_MINUTES = {"5": Tier.M5, "60": Tier.H1, "1440": Tier.D1}
_OWN_NAME = re.compile(r"([A-Z0-9]+-[A-Z0-9]+)_(5m|1h|1d)", re.IGNORECASE)
_KRAKEN_NAME = re.compile(r"([A-Z0-9]{5,})_(\d+)", re.IGNORECASE)
# Kraken's names of coins, and the quotes its pairs end with, longest first (docs.kraken.com, AssetPairs, Nov. 2025).
_KRAKEN_COINS = {"XBT": "BTC", "XDG": "DOGE"}
_KRAKEN_QUOTES = (
    "PYUSD",
    "RLUSD",
    "USDT",
    "USDC",
    "USD",
    "EUR",
    "GBP",
    "CAD",
    "JPY",
    "CHF",
    "AUD",
    "DAI",
    "XBT",
    "ETH",
)
# The oldest pairs have a second name with a letter for the kind of asset: XXBTZUSD.
_KRAKEN_OLD_PAIR = re.compile(r"X([A-Z]{3})[XZ]([A-Z]{3})")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileImported:
    """One file: how many of its bars were not stored before, and what was found in it."""

    file: str
    added: int
    report: SeriesReport

    @property
    def symbol(self) -> str:
        return self.report.symbol

    @property
    def tier(self) -> Tier:
        return self.report.tier

    @property
    def quarantined(self) -> int:
        """Rows left out."""
        return len(self.report.quarantined)

    @property
    def gaps(self) -> int:
        """Holes in the file."""
        return len(self.report.gaps)

    def as_dict(self) -> dict[str, Any]:
        return {"file": self.file, "added": self.added, **self.report.as_dict()}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import did; `skipped` are sentences on files of a folder that are no candles of a tier we keep."""

    source: str
    files: tuple[FileImported, ...]
    skipped: tuple[str, ...]

    @property
    def added(self) -> int:
        return sum(file.added for file in self.files)

    @property
    def data(self) -> DataReport:
        return DataReport(source=self.source, series=tuple(file.report for file in self.files))

    def as_dict(self) -> dict[str, Any]:
        files = [file.as_dict() for file in self.files]
        return {"source": self.source, "added": self.added, "files": files, "skipped": list(self.skipped)}


def import_path(
    path: Path,
    candles: CandleKeeper,
    archive: Archive | None = None,
    symbols: Sequence[str] | None = None,
    progress: Progress | None = None,
    *,
    now: datetime | None = None,
) -> ImportReport:
    """Import a file, or the candle files of a folder or of Kraken's zip of them, all symbols or those named.

    A single file may have any name when exactly one symbol is named; its tier is then told by its times. Raises
    DataError for what cannot be imported: nothing of that file is stored then, files before it are. Hours and days are
    built as far as they have closed at `now` (None: at the close of the file's newest bar; the next night goes on).
    """
    wanted = None if symbols is None else tuple(dict.fromkeys(parse_symbol(symbol) for symbol in symbols))
    if path.suffix.lower() == ".zip":
        with unpacked(path, wanted, series_of_name) as folder:
            told = import_path(folder, candles, archive, symbols, progress, now=now)
        return replace(told, source=path.name)
    chosen, skipped = _choose(path, wanted)
    report = progress or _silent
    total = sum(file.stat().st_size for file, _ in chosen)
    done, imported = 0, []
    for file, series in chosen:
        size = file.stat().st_size
        report(done, total, file.name)
        stored = _part_of(report, done, size, total, file.name)
        imported.append(_import_file(file, series, candles, archive, now, stored))
        done += size
        report(done, total, file.name)
    return ImportReport(source=path.name, files=tuple(imported), skipped=tuple(skipped))


def series_of_name(name: str) -> tuple[str, Tier] | str:
    """Symbol and tier that a file's name tells, or a sentence why it does not."""
    stem = name.rsplit(".", 1)[0]
    if own := _OWN_NAME.fullmatch(stem):
        return own[1].upper().replace("-", "/"), Tier(own[2].lower())
    if kraken := _KRAKEN_NAME.fullmatch(stem):
        symbol = _kraken_symbol(kraken[1].upper())
        if symbol is None:
            return f"{name}: {kraken[1]} is no pair we know how to split"
        if kraken[2] not in _MINUTES:
            return f"{name} holds {kraken[2]}-minute bars; 5, 60 and 1440 minutes are kept"
        return symbol, _MINUTES[kraken[2]]
    return f"{name} does not say which candles it holds: name it {NAMES}"


def _choose(path: Path, wanted: tuple[str, ...] | None) -> tuple[list[tuple[Path, tuple[str, Tier | None]]], list[str]]:
    """Files to import with symbol and tier (None: told by its times), and sentences on the others."""
    if not path.exists():
        raise DataError(f"{path} does not exist: give a candle file or a folder of them, named {NAMES}")
    if path.is_dir():
        return _choose_in_folder(path, wanted)
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(f"{path.name} is neither a parquet nor a CSV file (.parquet or .csv), nor a .zip of them")
    series = series_of_name(path.name)
    if isinstance(series, str):
        if wanted is None or len(wanted) != 1:
            raise DataError(f"{series}; or name exactly one symbol")
        return [(path, (wanted[0], None))], []
    if wanted is not None and series[0] not in wanted:
        raise DataError(f"{path.name} holds {series[0]}, not {', '.join(wanted)}")
    return [(path, series)], []


def _choose_in_folder(
    folder: Path, wanted: tuple[str, ...] | None
) -> tuple[list[tuple[Path, tuple[str, Tier | None]]], list[str]]:
    found: dict[tuple[str, Tier], Path] = {}
    skipped = []
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() not in SUFFIXES:
            continue
        series = series_of_name(file.name)
        if isinstance(series, str):
            skipped.append(series)
        elif series in found:
            raise DataError(f"{folder} holds both {found[series].name} and {file.name}: keep one of them")
        else:
            found[series] = file
    if not found:
        raise DataError(f"{folder} holds no candle files: they are named {NAMES}")
    known = sorted({symbol for symbol, _ in found})
    if wanted is not None and (unknown := [symbol for symbol in wanted if symbol not in known]):
        raise DataError(f"{folder} has no candles of {unknown[0]}; it has {', '.join(known)}")
    series_in_order = sorted(found, key=lambda item: (item[0], item[1].ms))
    return [(found[item], item) for item in series_in_order if wanted is None or item[0] in wanted], skipped


def _import_file(
    path: Path,
    series: tuple[str, Tier | None],
    candles: CandleKeeper,
    archive: Archive | None,
    now: datetime | None,
    stored: Callable[[float], None],
) -> FileImported:
    frame = read_candle_file(path)
    if frame.height == 0:
        raise DataError(f"{path} holds no rows")
    symbol, tier = series[0], series[1] or _tier_of_times(path, frame)
    checked = check_frame(symbol, tier, frame)
    refuse_other_kind(path, checked.report)
    return _take(checked, path.name, candles, archive, now, stored)


def import_frame(
    symbol: str,
    tier: Tier,
    frame: pl.DataFrame,
    source: str,
    candles: CandleKeeper,
    archive: Archive | None,
    now: datetime,
) -> FileImported:
    """Import bars that came from elsewhere than a file, in one transaction: checked, quarantined and built like a file's."""
    checked = check_frame(symbol, tier, frame)
    if checked.clean.is_empty():
        candles.quarantine(symbol, tier, checked.report.quarantined, source)
        return FileImported(file=source, added=0, report=checked.report)
    return _take(checked, source, candles, archive, now, lambda share: None)


def _take(
    checked: CheckedSeries,
    source: str,
    candles: CandleKeeper,
    archive: Archive | None,
    now: datetime | None,
    stored: Callable[[float], None],
) -> FileImported:
    symbol, tier = checked.report.symbol, checked.report.tier
    times = open_ms_of(checked.clean)
    first, last = from_ms(int(times[0])), from_ms(int(times[-1]))
    closed = from_ms(int(times[-1]) + tier.ms)
    with candles.transaction():
        archived = _NO_TIMES if archive is None else archive.opens_around(symbol, tier, first, last)
        known = np.intersect1d(archived, times)
        both = np.isin(known, open_ms_of(candles.between(symbol, tier, first, closed))) if len(known) else known
        added = _store(checked, candles, stored) - len(known) + int(both.sum())
        candles.quarantine(symbol, tier, checked.report.quarantined, source)
        candles.refresh_gaps(symbol, tier, first, last, closed if now is None else now, archived=archived)
        if tier is not Tier.D1:
            build_tiers(candles, symbol, first, _built_until(closed, now), archive)
        if archive is not None:
            _archive_old(candles, archive, symbol)
    return FileImported(file=source, added=added, report=checked.report)


def _built_until(closed: datetime, now: datetime | None) -> datetime:
    """The end of the UTC day in which the file's newest bar closed, so that its last day is built, but never after `now`."""
    if now is None:
        return closed
    return min(now, from_ms(-(-to_ms(closed) // DAY_MS) * DAY_MS))


def _archive_old(candles: CandleKeeper, archive: Archive, symbol: str) -> None:
    for tier in Tier:
        newest = candles.last(symbol, tier)
        if newest is not None:
            archive_leaving(candles, archive, symbol, tier, from_ms(newest.close_ms))


def _store(checked: CheckedSeries, candles: CandleKeeper, stored: Callable[[float], None]) -> int:
    added, height = 0, checked.clean.height
    for begin in range(0, height, ROWS_A_STEP):
        part = checked.clean.slice(begin, ROWS_A_STEP)
        added += candles.add(checked.report.symbol, checked.report.tier, part)
        stored((begin + part.height) / height)
    return added


def _tier_of_times(path: Path, frame: pl.DataFrame) -> Tier:
    """The tier whose bar length is the commonest step between rows."""
    steps = np.diff(open_ms_of(frame.drop_nulls("timestamp")))
    values, counts = np.unique(steps, return_counts=True)
    commonest = int(values[counts.argmax()]) if len(values) else 0
    for tier in Tier:
        if tier.ms == commonest:
            return tier
    raise DataError(f"{path} has a row every {commonest / 60_000:g} minutes; bars of 5, 60 or 1440 minutes are needed")


def _kraken_symbol(pair: str) -> str | None:
    if old := _KRAKEN_OLD_PAIR.fullmatch(pair):
        pair = old[1] + old[2]
    for quote in _KRAKEN_QUOTES:
        base = pair.removesuffix(quote)
        if base != pair and len(base) >= 2:
            return f"{_KRAKEN_COINS.get(base, base)}/{_KRAKEN_COINS.get(quote, quote)}"
    return None


def _part_of(progress: Progress, done: int, size: int, total: int, name: str) -> Callable[[float], None]:
    """Turns the stored share of one file into the import's progress."""
    return lambda share: progress(done + int(size * share), total, name)


def _silent(done: int, total: int, name: str) -> None:
    """No one is watching."""
