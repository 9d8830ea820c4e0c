"""A data folder: what it holds is found and loaded; whatever cannot be used is told in one sentence."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from shell.errors import BadInput, DataError
from shell.market.aggregate import aggregate
from shell.market.bars import Tier
from shell.market.folder import check_folder, list_symbols, load_history, read_folder
from tests.shell.market.series import five_minutes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "prices"
    place.mkdir()
    frame = five_minutes(600)
    frame.write_parquet(place / "BTC-USD_5m.parquet")
    aggregate(frame, Tier.H1).write_parquet(place / "BTC-USD_1h.parquet")
    frame.write_csv(place / "ETH-EUR_5m.csv")
    aggregate(frame, Tier.D1).write_parquet(place / "SOL-USD_1d.parquet")
    (place / "README.md").write_text("prices")
    return place


def test_every_symbol_with_5m_bars_is_loaded_with_its_deeper_tiers(folder: Path) -> None:
    history = load_history(folder)
    assert history.symbols == ("BTC/USD", "ETH/EUR")
    assert history.m5["BTC/USD"].equals(five_minutes(600))
    assert history.m5["ETH/EUR"].equals(five_minutes(600))
    assert list(history.h1) == ["BTC/USD"]
    assert history.real
    assert history.source == "prices"
    assert list_symbols(folder) == ["BTC/USD", "ETH/EUR"]


def test_symbols_are_taken_in_the_order_asked_for_and_once(folder: Path) -> None:
    assert load_history(folder, ["eth-eur", "BTC/USD", "ETH-EUR"]).symbols == ("ETH/EUR", "BTC/USD")


@pytest.mark.parametrize(
    ("symbols", "told"),
    [
        (["DOGE-USD"], "has no candles of DOGE-USD; it has BTC-USD, ETH-EUR, SOL-USD"),
        (["SOL-USD"], "has only 1d candles of SOL-USD: 5m is needed"),
        ([], "no symbol was named"),
        (["bitcoin"], "is not a symbol"),
    ],
)
def test_a_symbol_that_cannot_be_had_gets_a_sentence(folder: Path, symbols: list[str], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        load_history(folder, symbols)


def test_a_folder_that_cannot_be_used_gets_a_sentence(folder: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    only_days = tmp_path / "days"
    only_days.mkdir()
    aggregate(five_minutes(600), Tier.D1).write_parquet(only_days / "BTC-USD_1d.parquet")
    for place, told in (
        (tmp_path / "nowhere", "does not exist"),
        (folder / "README.md", "is a file"),
        (empty, "holds no candles: .* it has nothing"),
        (only_days, "5-minute bars are needed"),
    ):
        with pytest.raises(DataError, match=told):
            load_history(place)


def test_two_files_of_one_series_are_refused(folder: Path) -> None:
    five_minutes(10).write_csv(folder / "BTC-USD_5m.csv")
    with pytest.raises(DataError, match=r"holds both BTC-USD_5m\.csv and BTC-USD_5m\.parquet"):
        load_history(folder)


def test_single_bad_rows_are_left_out_and_reported(folder: Path) -> None:
    frame = five_minutes(600)
    spoiled = frame.with_columns(low=pl.when(pl.int_range(pl.len()) == 300).then(0.0).otherwise("low"))
    spoiled.write_parquet(folder / "BTC-USD_5m.parquet")
    data = read_folder(folder, ["BTC-USD"])
    assert data.history.m5["BTC/USD"].equals(pl.concat([frame.head(300), frame.tail(299)]))
    assert data.report.series[0].zero_or_negative == 1
    assert "BTC/USD 5m: 1 of 600 rows left out" in data.report.sentences()[0]


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda frame: frame.reverse(), "it comes after a later row"),
        (lambda frame: pl.concat([frame, frame]), "it comes after a later row"),
        (lambda frame: frame.with_columns(pl.col("timestamp").dt.offset_by("1m")), "not the beginning of a bar"),
        (lambda frame: frame.with_columns(low=pl.lit(0.0)), "a price is zero or below"),
        (lambda frame: frame.clear(), "holds no rows"),
    ],
)
def test_a_file_full_of_bad_rows_is_refused_but_can_be_checked(folder: Path, spoil, told: str) -> None:
    spoil(five_minutes(600)).write_parquet(folder / "BTC-USD_5m.parquet")
    with pytest.raises(DataError, match=told):
        load_history(folder, ["BTC-USD"])
    if told != "holds no rows":
        assert not check_folder(folder, ["BTC-USD"]).series[0].ok


def test_a_year_of_three_symbols_loads_whole(market_data: Path) -> None:
    history = load_history(market_data / "binance", ["ETH-USDT", "SOL-USDT", "XRP-USDT"])
    assert {frame.height for frame in history.m5.values()} == {105_104}
