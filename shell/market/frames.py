"""Candles as polars frames: their columns and types, and the way there and back."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shell.market.bars import CANDLE_COLUMNS

TIMESTAMP = pl.Datetime("ms", "UTC")
CANDLE_SCHEMA = pl.Schema([("timestamp", TIMESTAMP), *((name, pl.Float64()) for name in CANDLE_COLUMNS[1:])])


def to_frame(rows: NDArray[np.float64]) -> pl.DataFrame:
    """Rows as a frame of contract columns; prices are not copied when the columns of `rows` are contiguous."""
    columns = rows.T
    return wrap(columns[0].astype(np.int64), columns)


def rows_of(frame: pl.DataFrame) -> NDArray[np.float64]:
    """A frame of contract columns as rows; the columns of the result are contiguous."""
    values = np.empty((len(CANDLE_COLUMNS), frame.height), dtype=np.float64)
    values[0] = frame["timestamp"].cast(TIMESTAMP).to_physical().to_numpy()
    for position, name in enumerate(CANDLE_COLUMNS[1:], start=1):
        values[position] = frame[name].to_numpy()
    return values.T


def empty_frame() -> pl.DataFrame:
    """No bars, with contract columns."""
    return pl.DataFrame(schema=CANDLE_SCHEMA)


def open_ms_of(frame: pl.DataFrame) -> NDArray[np.int64]:
    """Open times of a frame of contract columns, in ms."""
    times: NDArray[np.int64] = frame["timestamp"].cast(TIMESTAMP).to_physical().to_numpy()
    return times


def wrap(times: NDArray[np.int64], columns: NDArray[np.float64]) -> pl.DataFrame:
    """Open times in ms and the columns of rows as one frame, without copying."""
    series = [pl.Series("timestamp", times).cast(TIMESTAMP)]
    series += [pl.Series(name, columns[at]) for at, name in enumerate(CANDLE_COLUMNS[1:], start=1)]
    return pl.DataFrame(series)
