"""Import: what people have on disk gets in whole or not at all, twice is once, and the rest gets a sentence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from shell.errors import DataError
from shell.market import importer
from shell.market.aggregate import aggregate
from shell.market.archive import Archive
from shell.market.bars import Tier
from shell.market.importer import import_path, series_of_name
from shell.market.tiers import aggregate_tiers, full_history
from shell.store.candles import CandleStore
from shell.store.store import Store
from tests.shell.market.series import START, five_minutes

FRAME = five_minutes(3 * 288)
NOW = START + timedelta(days=3)
FAR_BACK, FAR = START - timedelta(days=4000), START + timedelta(days=4000)


@pytest.fixture
def candles(tmp_path: Path) -> Iterator[CandleStore]:
    with Store.open(tmp_path / "brain.db") as store:
        yield CandleStore(store)


def stored(candles: CandleStore, symbol: str, tier: Tier = Tier.M5) -> pl.DataFrame:
    return candles.between(symbol, tier, FAR_BACK, FAR)


def write_kraken(path: Path, frame: pl.DataFrame) -> Path:
    epochs = frame.with_columns(pl.col("timestamp").to_physical() // 1000, trades=pl.lit(3))
    epochs.write_csv(path, include_header=False)
    return path


def test_a_folder_of_kraken_files_is_imported_with_the_tiers_we_keep(candles: CandleStore, tmp_path: Path) -> None:
    folder = tmp_path / "kraken"
    folder.mkdir()
    write_kraken(folder / "XBTUSD_5.csv", FRAME)
    write_kraken(folder / "XBTUSD_60.csv", aggregate(FRAME, Tier.H1))
    write_kraken(folder / "XBTUSD_15.csv", FRAME)
    write_kraken(folder / "ETHEUR_1440.csv", aggregate(FRAME, Tier.D1))
    report = import_path(folder, candles, now=NOW)
    assert stored(candles, "BTC/USD").equals(FRAME)
    assert stored(candles, "BTC/USD", Tier.H1).equals(aggregate(FRAME, Tier.H1))
    assert stored(candles, "BTC/USD", Tier.D1).equals(aggregate(FRAME, Tier.D1))
    assert stored(candles, "ETH/EUR", Tier.D1).height == 3
    assert [file.file for file in report.files] == ["XBTUSD_5.csv", "XBTUSD_60.csv", "ETHEUR_1440.csv"]
    assert report.skipped == ("XBTUSD_15.csv holds 15-minute bars; 5, 60 and 1440 minutes are kept",)
    json.dumps(report.as_dict(), allow_nan=False)


def test_importing_again_adds_nothing(candles: CandleStore, tmp_path: Path) -> None:
    FRAME.write_parquet(tmp_path / "BTC-USD_5m.parquet")
    assert import_path(tmp_path / "BTC-USD_5m.parquet", candles, now=NOW).added == FRAME.height
    assert import_path(tmp_path / "BTC-USD_5m.parquet", candles, now=NOW).added == 0
    assert stored(candles, "BTC/USD").equals(FRAME)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "archive")


LONG = five_minutes(70 * 288)


def write_parts(folder: Path) -> list[Path]:
    """The same symbol in two files, the second 10 bars after the first."""
    paths = []
    for name, part in (("old", LONG.head(35 * 288 - 10)), ("new", LONG.slice(35 * 288))):
        (folder / name).mkdir()
        paths.append(folder / name / "BTC-USD_5m.parquet")
        part.write_parquet(paths[-1])
    return paths


def test_with_an_archive_the_store_keeps_the_tier_and_history_stays_whole(
    candles: CandleStore, archive: Archive, tmp_path: Path
) -> None:
    LONG.write_parquet(tmp_path / "BTC-USD_5m.parquet")
    assert import_path(tmp_path / "BTC-USD_5m.parquet", candles, archive).added == LONG.height
    assert stored(candles, "BTC/USD").equals(LONG.tail(30 * 288))
    history = full_history(candles, archive, ["BTC/USD"], START, START + timedelta(days=70))
    assert history.m5["BTC/USD"].equals(LONG)
    assert history.h1["BTC/USD"].equals(aggregate(LONG, Tier.H1))
    assert history.d1["BTC/USD"].equals(aggregate(LONG, Tier.D1))
    assert import_path(tmp_path / "BTC-USD_5m.parquet", candles, archive).added == 0
    assert stored(candles, "BTC/USD").equals(LONG.tail(30 * 288))
    assert set(aggregate_tiers(candles, archive, START + timedelta(days=70)).as_dict().values()) == {0}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["old first", "new first"])
def test_files_of_one_symbol_make_the_same_store_in_any_order(
    candles: CandleStore, archive: Archive, tmp_path: Path, order: tuple[int, int]
) -> None:
    paths = write_parts(tmp_path)
    for at in order:
        import_path(paths[at], candles, archive, now=START + timedelta(days=71))
    aggregate_tiers(candles, archive, START + timedelta(days=70))
    parts = pl.concat([LONG.head(35 * 288 - 10), LONG.slice(35 * 288)])
    history = full_history(candles, archive, ["BTC/USD"], START, START + timedelta(days=70))
    assert history.m5["BTC/USD"].equals(parts)
    assert history.h1["BTC/USD"].equals(aggregate(parts, Tier.H1))
    assert history.d1["BTC/USD"].equals(aggregate(parts, Tier.D1))
    assert [gap.bars for gap in candles.gaps("BTC/USD", Tier.M5)] == [10]


def test_a_file_with_fewer_bars_does_not_thin_the_hours_built_from_archived_ones(
    candles: CandleStore, archive: Archive, tmp_path: Path
) -> None:
    LONG.write_parquet(tmp_path / "BTC-USD_5m.parquet")
    import_path(tmp_path / "BTC-USD_5m.parquet", candles, archive)
    LONG.head(10 * 288).gather_every(3).write_parquet(tmp_path / "BTC-USD_5m.parquet")
    assert import_path(tmp_path / "BTC-USD_5m.parquet", candles, archive).added == 0
    assert stored(candles, "BTC/USD", Tier.H1).equals(aggregate(LONG, Tier.H1))
    assert candles.gaps("BTC/USD", Tier.M5) == []


def test_only_the_symbols_asked_for_are_imported(candles: CandleStore, tmp_path: Path) -> None:
    folder = tmp_path / "prices"
    folder.mkdir()
    for symbol in ("BTC-USD", "ETH-USD"):
        FRAME.write_parquet(folder / f"{symbol}_5m.parquet")
    import_path(folder, candles, symbols=["eth-usd"], now=NOW)
    assert candles.symbols() == ["ETH/USD"]
    with pytest.raises(DataError, match="no candles of SOL/USD; it has BTC/USD, ETH/USD"):
        import_path(folder, candles, symbols=["SOL-USD"], now=NOW)


def test_bad_rows_and_holes_are_recorded_with_the_file_they_came_from(candles: CandleStore, tmp_path: Path) -> None:
    holed = pl.concat([FRAME.head(300), FRAME.slice(310)])
    spoiled = holed.with_columns(high=pl.when(pl.int_range(pl.len()) == 20).then(1e6).otherwise("high"))
    spoiled.write_parquet(tmp_path / "BTC-USD_5m.parquet")
    report = import_path(tmp_path / "BTC-USD_5m.parquet", candles, now=NOW)
    assert stored(candles, "BTC/USD").height == FRAME.height - 11
    assert [gap.bars for gap in candles.gaps("BTC/USD", Tier.M5)] == [1, 10]
    (row,) = candles.quarantined("BTC/USD", Tier.M5)
    assert (row["high"], row["source"]) == (1e6, "BTC-USD_5m.parquet")
    assert report.files[0].report.absurd_wicks == 1


def test_a_file_of_any_name_is_imported_when_the_symbol_is_named(candles: CandleStore, tmp_path: Path) -> None:
    aggregate(FRAME, Tier.H1).write_csv(tmp_path / "export (3).csv")
    import_path(tmp_path / "export (3).csv", candles, symbols=["BTC-USD"], now=NOW)
    assert stored(candles, "BTC/USD", Tier.H1).equals(aggregate(FRAME, Tier.H1))


def test_a_failure_in_the_middle_of_a_file_leaves_nothing_of_it(
    candles: CandleStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FRAME.write_parquet(tmp_path / "BTC-USD_5m.parquet")
    monkeypatch.setattr(importer, "ROWS_A_STEP", 100)

    def stop(done: int, total: int, name: str) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_path(tmp_path / "BTC-USD_5m.parquet", candles, now=NOW, progress=stop)
    assert candles.symbols() == []
    assert candles.gaps("BTC/USD", Tier.M5) == []


def test_progress_grows_to_its_total(candles: CandleStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "ROWS_A_STEP", 100)
    folder = tmp_path / "prices"
    folder.mkdir()
    for symbol in ("BTC-USD", "ETH-USD"):
        FRAME.write_parquet(folder / f"{symbol}_5m.parquet")
    seen: list[tuple[int, int, str]] = []
    import_path(folder, candles, now=NOW, progress=lambda done, total, name: seen.append((done, total, name)))
    done = [step[0] for step in seen]
    assert done == sorted(done)
    assert done[-1] == seen[-1][1] == sum(path.stat().st_size for path in folder.iterdir())
    assert {step[2] for step in seen} == {"BTC-USD_5m.parquet", "ETH-USD_5m.parquet"}


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("BTC-USD_5m.csv", "day,price\n2024-01-01,3\n", "lacks timestamp, open"),
        ("BTC-USD_5m.csv", "timestamp,open,high,low,close,volume\n", "holds no rows"),
        ("prices.csv", "timestamp,open,high,low,close,volume\n", "does not say which candles it holds"),
        ("XBTUSD_15.csv", "1,2,3,4,5,6\n", "holds 15-minute bars; 5, 60 and 1440"),
        ("BTC-USD_5m.txt", "", "neither a parquet nor a CSV"),
    ],
)
def test_what_cannot_be_imported_gets_a_sentence_and_changes_nothing(
    candles: CandleStore, tmp_path: Path, name: str, content: str, told: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=told):
        import_path(tmp_path / name, candles, now=NOW)
    assert candles.symbols() == []


def test_places_without_candles_get_a_sentence(candles: CandleStore, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError, match="does not exist"):
        import_path(tmp_path / "nowhere", candles, now=NOW)
    with pytest.raises(DataError, match="holds no candle files"):
        import_path(empty, candles, now=NOW)


def test_one_minute_bars_under_a_name_of_ours_are_refused(candles: CandleStore, tmp_path: Path) -> None:
    minutes = FRAME.with_columns(pl.from_epoch(START.timestamp() + 60 * pl.int_range(pl.len())).alias("timestamp"))
    minutes.write_parquet(tmp_path / "BTC-USD_5m.parquet")
    with pytest.raises(DataError, match="not the beginning of a bar"):
        import_path(tmp_path / "BTC-USD_5m.parquet", candles, now=NOW)
    minutes.write_parquet(tmp_path / "minutes.parquet")
    with pytest.raises(DataError, match="a row every 1 minutes"):
        import_path(tmp_path / "minutes.parquet", candles, symbols=["BTC-USD"], now=NOW)


@pytest.mark.parametrize(
    ("name", "symbol", "tier"),
    [
        ("XBTUSD_5.csv", "BTC/USD", Tier.M5),
        ("XXBTZUSD_60.csv", "BTC/USD", Tier.H1),
        ("XDGUSD_1440.csv", "DOGE/USD", Tier.D1),
        ("SOLUSDT_5.csv", "SOL/USDT", Tier.M5),
        ("XTZUSD_5.csv", "XTZ/USD", Tier.M5),
        ("ETHXBT_5.csv", "ETH/BTC", Tier.M5),
        ("USDTUSD_5.csv", "USDT/USD", Tier.M5),
        ("btc-usdt_1H.parquet", "BTC/USDT", Tier.H1),
    ],
)
def test_names_of_files_tell_symbol_and_tier(name: str, symbol: str, tier: Tier) -> None:
    assert series_of_name(name) == (symbol, tier)


@pytest.mark.parametrize("name", ["XBTUSD_15.csv", "prices.csv", "QQQQQQ_5.csv", "BTC-USD_1m.csv"])
def test_other_names_tell_why_not(name: str) -> None:
    told = series_of_name(name)
    assert isinstance(told, str)
    assert name in told
