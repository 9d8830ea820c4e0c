"""One candle file as a frame of contract columns: parquet, CSV with a header, or Kraken's downloadable OHLCVT files.

Rows come out exactly as they stand in the file, in its order; what cannot be read as a number or a time is null.
Judging rows is the business of `shell.market.check`.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from shell.errors import DataError
from shell.market.bars import CANDLE_COLUMNS
from shell.market.frames import CANDLE_SCHEMA, TIMESTAMP

SUFFIXES = (".parquet", ".csv")
TIME_NAMES = ("timestamp", "time", "date", "datetime")
# No header; time in epoch seconds: support.kraken.com, "Downloadable historical OHLCVT data" (read November 2025).
KRAKEN_COLUMNS = (*CANDLE_COLUMNS, "trades")
ALLOWED = (
    "a header naming timestamp, open, high, low, close, volume, or Kraken's OHLCVT rows without one "
    "(time, open, high, low, close, volume, trades)"
)
NAMES_SHOWN_MAX = 12

# An epoch number is told by its size: seconds until the year 5138, then milliseconds, microseconds, nanoseconds.
_EPOCH_UNITS = ((1e11, 1000, 1), (1e14, 1, 1), (1e17, 1, 1000), (float("inf"), 1, 1_000_000))


def read_candle_file(path: Path) -> pl.DataFrame:
    """The file's rows with contract columns. Raises DataError, naming the file, when it cannot be read as candles."""
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(f"{path.name} is neither a parquet nor a CSV file (.parquet or .csv)")
    try:
        if path.suffix.lower() == ".parquet":
            return _read_parquet(path)
        return _read_csv(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or type(error).__name__}") from None
    except PolarsError as error:
        kind = path.suffix.lower().lstrip(".")
        raise DataError(f"{path} is not a readable {kind} file ({type(error).__name__})") from None


def _read_parquet(path: Path) -> pl.DataFrame:
    names = list(pl.read_parquet_schema(path))
    chosen = _match_header(names)
    if chosen is None:
        raise DataError(_wrong_columns(path, names))
    frame = pl.read_parquet(path, columns=list(dict.fromkeys(chosen.values())))
    return _contract_columns(frame, chosen)


def _read_csv(path: Path) -> pl.DataFrame:
    with path.open(encoding="utf-8", errors="replace") as stream:
        first = stream.readline(4096).strip().lstrip("\ufeff")
    if not first:
        raise DataError(f"{path} is empty: a candle file needs {ALLOWED}")
    fields = [field.strip().strip('"') for field in first.split(",")]
    if _is_number(fields[0]):
        if len(fields) not in (len(CANDLE_COLUMNS), len(KRAKEN_COLUMNS)) or not all(map(_is_number, fields)):
            raise DataError(f"{path} has no header and {len(fields)} fields in its first row; it needs {ALLOWED}")
        names = list(KRAKEN_COLUMNS[: len(fields)])
        frame = pl.read_csv(path, has_header=False, new_columns=names, infer_schema=False, truncate_ragged_lines=True)
        return _contract_columns(frame, {name: name for name in CANDLE_COLUMNS})
    chosen = _match_header(fields)
    if chosen is None:
        raise DataError(_wrong_columns(path, fields))
    frame = pl.read_csv(path, infer_schema=False, truncate_ragged_lines=True)
    frame.columns = [name.strip() for name in frame.columns]
    return _contract_columns(frame, chosen)


def _match_header(names: list[str]) -> dict[str, str] | None:
    """Contract column -> the file's name for it, whatever its case; None when one is absent."""
    by_lower = {name.strip().lower(): name for name in reversed(names)}
    chosen = {}
    for column in CANDLE_COLUMNS:
        accepted = TIME_NAMES if column == "timestamp" else (column,)
        found = next((by_lower[name] for name in accepted if name in by_lower), None)
        if found is None:
            return None
        chosen[column] = found
    return chosen


def _wrong_columns(path: Path, names: list[str]) -> str:
    present = {name.strip().lower() for name in names}
    missing = [name for name in CANDLE_COLUMNS[1:] if name not in present]
    if not present.intersection(TIME_NAMES):
        missing.insert(0, "timestamp")
    shown = ", ".join(names[:NAMES_SHOWN_MAX]) + (", ..." if len(names) > NAMES_SHOWN_MAX else "")
    need = "the columns timestamp, open, high, low, close, volume" if path.suffix == ".parquet" else ALLOWED
    return f"{path} lacks {', '.join(missing)}: it has {shown or 'no columns'}; a candle file needs {need}"


def _contract_columns(frame: pl.DataFrame, chosen: dict[str, str]) -> pl.DataFrame:
    columns = [_as_times(frame[chosen["timestamp"]]).alias("timestamp")]
    columns += [frame[chosen[name]].cast(pl.Float64, strict=False).alias(name) for name in CANDLE_COLUMNS[1:]]
    return pl.DataFrame(columns, schema=CANDLE_SCHEMA)


def _as_times(times: pl.Series) -> pl.Series:
    """UTC milliseconds from datetimes (a naive one is UTC), dates, ISO text or epoch numbers; null where unreadable."""
    kind = times.dtype
    if isinstance(kind, pl.Datetime):
        aware = times.dt.replace_time_zone("UTC") if kind.time_zone is None else times.dt.convert_time_zone("UTC")
        return aware.cast(TIMESTAMP)
    if kind == pl.Date:
        return times.cast(pl.Datetime("ms")).dt.replace_time_zone("UTC")
    if kind == pl.String:
        numbers = times.str.strip_chars().cast(pl.Float64, strict=False)
        return _iso_times(times) if numbers.null_count() == len(times) else _epoch_times(numbers)
    if kind.is_numeric():
        return _epoch_times(times.cast(pl.Float64))
    return pl.Series(times.name, [None] * len(times), dtype=TIMESTAMP)


def _epoch_times(numbers: pl.Series) -> pl.Series:
    finite = numbers.set(numbers.is_nan() | numbers.is_infinite(), None)
    middle = finite.median()
    size = abs(middle) if isinstance(middle, float) else 0.0
    factor, divisor = next((factor, divisor) for limit, factor, divisor in _EPOCH_UNITS if size < limit)
    # A number too large for a date is as unreadable as text would be.
    ms = (finite * factor / divisor).round()
    ms = ms.set(ms.abs() > 4e12, None)
    return ms.cast(pl.Int64, strict=False).cast(TIMESTAMP)


def _iso_times(times: pl.Series) -> pl.Series:
    text = times.str.strip_chars().str.replace(r"^(\d{4}-\d\d-\d\d)[Tt]", "$1 ")
    text = text.str.replace(r"(?:Z| ?UTC)$", "+00:00").str.replace(r"^(\d{4}-\d\d-\d\d)$", "$1 00:00:00")
    text = text.str.replace(r"^(\d{4}-\d\d-\d\d \d\d:\d\d)(|[+-].*)$", "$1:00$2")
    text = text.str.replace(r"([+-]\d\d):?(\d\d)$", "$1:$2")
    zoned = pl.when(text.str.contains(r":\d\d(\.\d+)?[+-]\d\d:\d\d$")).then(text).otherwise(text + "+00:00")
    column = pl.select(zoned.alias("timestamp")).to_series()
    return column.str.to_datetime("%Y-%m-%d %H:%M:%S%.f%:z", time_unit="ms", time_zone="UTC", strict=False)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
