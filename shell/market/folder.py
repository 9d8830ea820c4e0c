"""A data folder: `BTC-USD_5m.parquet` (or .csv) for each symbol; `_1h` and `_1d` files may reach further back.

Single bad rows are left out and reported; a file with many of them is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from shell.errors import DataError
from shell.market.bars import Tier
from shell.market.candle_file import read_candle_file
from shell.market.check import CheckedSeries, DataReport, SeriesReport, check_frame
from shell.market.history import History
from shell.market.pair import parse_symbol

# Up to this many bad rows, or this share of a file, are single mistakes; more is a file of another kind.
BAD_ROWS_MAX = 10
BAD_ROWS_PCT_MAX = 0.01
FILE_NAMES = "files named BTC-USD_5m.parquet or BTC-USD_5m.csv (and optionally _1h and _1d)"
NAMES_SHOWN_MAX = 8

_FILE_NAME = re.compile(r"([A-Za-z0-9]+-[A-Za-z0-9]+)_(5m|1h|1d)\.(parquet|csv)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderData:
    """A folder's history together with what was found wrong in it."""

    history: History
    report: DataReport


def list_symbols(folder: Path) -> list[str]:
    """Symbols that have a 5m file, sorted. Raises DataError when the folder is missing or holds no candle file."""
    return sorted(symbol for symbol, tier in find_files(folder) if tier is Tier.M5)


def load_history(folder: Path, symbols: Sequence[str] | None = None) -> History:
    """The folder's candles for `symbols` (None: all that have a 5m file). Raises DataError; see `read_folder`."""
    return read_folder(folder, symbols).history


def read_folder(folder: Path, symbols: Sequence[str] | None = None) -> FolderData:
    """`load_history` with the report. Raises DataError for a missing or empty folder, an unknown symbol, a symbol
    without 5m bars, wrong columns, or a file with so many bad rows that it must be of another kind."""
    files = find_files(folder)
    wanted = _choose(folder, files, symbols)
    frames: dict[Tier, dict[str, pl.DataFrame]] = {tier: {} for tier in Tier}
    reports = []
    for symbol in wanted:
        for tier in Tier:
            path = files.get((symbol, tier))
            if path is None:
                continue
            checked = check_candle_file(path, symbol, tier)
            refuse_other_kind(path, checked.report)
            frames[tier][symbol] = checked.clean
            reports.append(checked.report)
    source = folder.resolve().name
    history = History(m5=frames[Tier.M5], h1=frames[Tier.H1], d1=frames[Tier.D1], source=source, real=True)
    return FolderData(history=history, report=DataReport(source=source, series=tuple(reports)))


def check_folder(folder: Path, symbols: Sequence[str] | None = None, *, wick_pct: float | None = None) -> DataReport:
    """Judge every candle file of the folder, however bad its rows. Raises DataError when there is nothing to judge."""
    files = find_files(folder)
    wanted = None if symbols is None else {parse_symbol(symbol) for symbol in symbols}
    if wanted is not None and (unknown := wanted - {symbol for symbol, _ in files}):
        raise DataError(_unknown_symbol(folder, sorted(unknown)[0], files))
    reports = [
        check_candle_file(path, symbol, tier, wick_pct=wick_pct).report
        for (symbol, tier), path in sorted(files.items(), key=lambda item: (item[0][0], item[0][1].ms))
        if wanted is None or symbol in wanted
    ]
    return DataReport(source=folder.resolve().name, series=tuple(reports))


def find_files(folder: Path) -> dict[tuple[str, Tier], Path]:
    """The folder's candle files by symbol and tier, in name order. Raises DataError when there are none."""
    if not folder.exists():
        raise DataError(f"the data folder {folder} does not exist: it should hold {FILE_NAMES}")
    if not folder.is_dir():
        raise DataError(f"{folder} is a file: give the folder that holds {FILE_NAMES}")
    found: dict[tuple[str, Tier], Path] = {}
    others = []
    for path in sorted(folder.iterdir()):
        match = _FILE_NAME.fullmatch(path.name)
        if match is None:
            others.append(path.name)
            continue
        key = (match[1].upper().replace("-", "/"), Tier(match[2].lower()))
        if key in found:
            raise DataError(f"{folder} holds both {found[key].name} and {path.name}: keep one of them")
        found[key] = path
    if not found:
        shown = ", ".join(others[:NAMES_SHOWN_MAX]) + (", ..." if len(others) > NAMES_SHOWN_MAX else "")
        shown = shown or "nothing"
        raise DataError(f"the data folder {folder} holds no candles: it needs {FILE_NAMES}; it has {shown}")
    return found


def check_candle_file(path: Path, symbol: str, tier: Tier, *, wick_pct: float | None = None) -> CheckedSeries:
    """Read and judge one file. Raises DataError when it cannot be read or holds no row at all."""
    frame = read_candle_file(path)
    if frame.height == 0:
        raise DataError(f"{path} holds no rows")
    return check_frame(symbol, tier, frame, wick_pct=wick_pct)


def refuse_other_kind(path: Path, report: SeriesReport) -> None:
    """Raises DataError when so many rows are bad that the file must be of another kind than its name says."""
    bad = len(report.quarantined)
    if bad <= max(BAD_ROWS_MAX, BAD_ROWS_PCT_MAX * report.rows) and report.clean_rows:
        return
    worst = "; ".join(line.split(": ", 1)[1] for line in report.sentences()[:2])
    raise DataError(
        f"{path} cannot be used as {report.tier.value} candles: {worst}; at most {BAD_ROWS_MAX} bad rows or "
        f"{BAD_ROWS_PCT_MAX:.0%} of a file are left out, and rows must be sorted by time"
    )


def _choose(folder: Path, files: dict[tuple[str, Tier], Path], symbols: Sequence[str] | None) -> list[str]:
    with_5m = sorted(symbol for symbol, tier in files if tier is Tier.M5)
    if symbols is None:
        if not with_5m:
            raise DataError(f"{folder} holds no 5m candles: 5-minute bars are needed, in {FILE_NAMES}")
        return with_5m
    wanted = list(dict.fromkeys(parse_symbol(symbol) for symbol in symbols))
    if not wanted:
        raise DataError(f"no symbol was named; {folder} has {_names(with_5m)}")
    for symbol in wanted:
        if symbol in with_5m:
            continue
        tiers = [tier.value for tier in Tier if (symbol, tier) in files]
        if not tiers:
            raise DataError(_unknown_symbol(folder, symbol, files))
        name = symbol.replace("/", "-")
        raise DataError(f"{folder} has only {' and '.join(tiers)} candles of {name}: 5m is needed ({name}_5m.parquet)")
    return wanted


def _unknown_symbol(folder: Path, symbol: str, files: dict[tuple[str, Tier], Path]) -> str:
    known = sorted({symbol for symbol, _ in files})
    return f"{folder} has no candles of {symbol.replace('/', '-')}; it has {_names(known)}"


def _names(symbols: Sequence[str]) -> str:
    return ", ".join(symbol.replace("/", "-") for symbol in symbols) or "none"
