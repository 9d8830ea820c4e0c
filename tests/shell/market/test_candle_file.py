"""Reading one file: every allowed way of writing times and columns gives the same bars, any other a sentence."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from shell.errors import DataError
from shell.market.candle_file import read_candle_file
from shell.market.frames import CANDLE_SCHEMA
from tests.shell.market.series import five_minutes

FRAME = five_minutes(24)
EPOCH_MS = FRAME["timestamp"].to_physical()


@pytest.mark.parametrize(
    "times",
    [
        FRAME["timestamp"],
        FRAME["timestamp"].cast(pl.Datetime("ns", "UTC")),
        FRAME["timestamp"].dt.replace_time_zone(None).cast(pl.Datetime("us")),
        FRAME["timestamp"].dt.convert_time_zone("America/New_York"),
        EPOCH_MS,
        EPOCH_MS // 1000,
        (EPOCH_MS // 1000).cast(pl.Float64),
        EPOCH_MS * 1_000_000,
        FRAME["timestamp"].dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
    ],
    ids=["ms", "ns", "naive us", "New York", "epoch ms", "epoch s", "float s", "epoch ns", "text"],
)
def test_parquet_times_of_every_kind_become_utc_milliseconds(tmp_path: Path, times: pl.Series) -> None:
    path = tmp_path / "BTC-USD_5m.parquet"
    FRAME.with_columns(times.alias("timestamp"), trades=pl.lit(3)).write_parquet(path)
    read = read_candle_file(path)
    assert read.equals(FRAME)
    assert read.schema == CANDLE_SCHEMA


@pytest.mark.parametrize(
    "written",
    [
        "%Y-%m-%dT%H:%M:%SZ",
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%d %H:%M",
        "%Y-%m-%d %H:%M:%S%.3f",
        "%Y-%m-%dT%H:%M:%S+00:00",
        "%Y-%m-%d %H:%M:%S UTC",
        "%s",
    ],
)
def test_csv_times_of_every_kind_become_utc_milliseconds(tmp_path: Path, written: str) -> None:
    path = tmp_path / "BTC-USD_5m.csv"
    FRAME.with_columns(pl.col("timestamp").dt.strftime(written)).write_csv(path)
    assert read_candle_file(path).equals(FRAME)


def test_a_zone_in_csv_times_is_respected(tmp_path: Path) -> None:
    path = tmp_path / "BTC-USD_5m.csv"
    local = pl.col("timestamp").dt.convert_time_zone("Asia/Kolkata").dt.strftime("%Y-%m-%dT%H:%M:%S%:z")
    FRAME.with_columns(local).write_csv(path)
    assert read_candle_file(path).equals(FRAME)


def test_headers_may_be_in_any_case_and_order(tmp_path: Path) -> None:
    path = tmp_path / "BTC-USD_5m.csv"
    renamed = FRAME.rename({"timestamp": "Date", "open": "Open", "volume": "VOLUME"})
    renamed.select("VOLUME", "close", "low", "high", "Open", "Date").write_csv(path)
    assert read_candle_file(path).equals(FRAME)


@pytest.mark.parametrize("trades", [True, False])
def test_kraken_rows_without_a_header_are_read(tmp_path: Path, trades: bool) -> None:
    path = tmp_path / "XBTUSD_5.csv"
    kraken = FRAME.with_columns(EPOCH_MS // 1000)
    (kraken.with_columns(trades=pl.lit(7)) if trades else kraken).write_csv(path, include_header=False)
    assert read_candle_file(path).equals(FRAME)


def test_unreadable_values_become_null_and_keep_their_row(tmp_path: Path) -> None:
    path = tmp_path / "BTC-USD_5m.csv"
    path.write_text(
        "timestamp,open,high,low,close,volume\n2024-03-01,1,2,1,1.5,3\nyesterday,1,2,1,1.5,3\n2024-03-02,x,2,,1,3\n"
    )
    read = read_candle_file(path)
    assert read["timestamp"].null_count() == 1
    assert read.row(2)[1:] == (None, 2.0, None, 1.0, 3.0)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.csv", "day,price\n2024-01-01,3\n", "lacks timestamp, open, high, low, close, volume: it has day, price"),
        ("a.csv", "timestamp,open,high,low,close\n2024-01-01,1,1,1,1\n", "lacks volume"),
        ("a.csv", "1,2,3\n", "no header and 3 fields"),
        ("a.csv", "1709251200,1,2,1,x,3,4\n", "no header and 7 fields"),
        ("a.csv", "", "is empty"),
        ("a.parquet", "not parquet", "is not a readable parquet file"),
        ("a.json", "{}", "neither a parquet nor a CSV file"),
    ],
)
def test_a_file_of_another_shape_gets_a_sentence(tmp_path: Path, name: str, content: str, told: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(DataError, match=told):
        read_candle_file(path)


def test_a_parquet_file_of_another_shape_gets_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    FRAME.drop("low", "high").write_parquet(path)
    with pytest.raises(DataError, match="lacks high, low: it has timestamp, open, close, volume"):
        read_candle_file(path)


def test_a_file_that_is_not_there_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_candle_file(tmp_path / "a.csv")
