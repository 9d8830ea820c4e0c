"""Checking a home's candles: what imports left out and found missing is told, also of bars long archived."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from shell.errors import DataError
from shell.market.archive import Archive
from shell.market.bars import Tier
from shell.market.check import Flaw
from shell.market.importer import import_path
from shell.market.stored_check import check_stored
from shell.store.candles import CandleStore
from shell.store.store import Store
from tests.shell.market.series import START, five_minutes

FRAME = five_minutes(40 * 288)


@pytest.fixture
def candles(tmp_path: Path) -> Iterator[CandleStore]:
    with Store.open(tmp_path / "brain.db") as store:
        yield CandleStore(store)


def test_holes_and_rows_left_out_are_told_after_their_bars_were_archived(candles: CandleStore, tmp_path: Path) -> None:
    holed = pl.concat([FRAME.head(100), FRAME.slice(110, 11_000), FRAME.slice(11_115)])
    spoiled = holed.with_columns(low=pl.when(pl.int_range(pl.len()) == 20).then(0.0).otherwise("low"))
    spoiled.write_parquet(tmp_path / "BTC-USD_5m.parquet")
    import_path(tmp_path / "BTC-USD_5m.parquet", candles, Archive(tmp_path / "archive"))
    m5 = check_stored(candles).series[0]
    assert [(gap.first - START, gap.bars) for gap in m5.gaps] == [
        (timedelta(minutes=5 * 20), 1),
        (timedelta(minutes=5 * 100), 10),
        (timedelta(minutes=5 * 11_110), 5),
    ]
    assert m5.missing_bars == 16
    assert [row.flaw for row in m5.quarantined] == [Flaw.ZERO_OR_NEGATIVE]
    assert m5.quarantined[0].opened == START + timedelta(minutes=5 * 20)
    assert (m5.zero_or_negative, m5.duplicates) == (1, 0)
    assert m5.clean_rows == candles.between("BTC/USD", Tier.M5, START, START + timedelta(days=41)).height


def test_each_stored_series_has_its_report(candles: CandleStore, tmp_path: Path) -> None:
    FRAME.head(600).write_parquet(tmp_path / "BTC-USD_5m.parquet")
    import_path(tmp_path / "BTC-USD_5m.parquet", candles)
    candles.add("ETH/USD", Tier.D1, FRAME.gather_every(288))
    report = check_stored(candles)
    assert [(series.symbol, series.tier, series.rows) for series in report.series] == [
        ("BTC/USD", Tier.M5, 600),
        ("BTC/USD", Tier.H1, 50),
        ("BTC/USD", Tier.D1, 2),
        ("ETH/USD", Tier.D1, 40),
    ]
    assert [series.symbol for series in check_stored(candles, ["eth-usd"]).series] == ["ETH/USD"]


def test_what_is_not_stored_gets_a_sentence(candles: CandleStore) -> None:
    with pytest.raises(DataError, match="no candles are stored yet"):
        check_stored(candles)
    candles.add("ETH/USD", Tier.M5, FRAME.head(3))
    with pytest.raises(DataError, match="no candles of BTC/USD are stored; there are of ETH/USD"):
        check_stored(candles, ["BTC-USD"])
