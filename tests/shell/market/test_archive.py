"""The archive: bars come back as they went in, twice is once, and a crash leaves whole months."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.errors import DataError
from shell.market import archive as archive_module
from shell.market.archive import Archive
from shell.market.bars import Tier
from shell.market.frames import empty_frame
from tests.shell.market.series import START, START_MS, bar_times, five_minutes, frame_at

FAR = datetime(2100, 1, 1, tzinfo=UTC)
BEGIN = datetime(2000, 1, 1, tzinfo=UTC)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.parquet"))}


def test_bars_of_several_months_come_back_in_order(tmp_path: Path) -> None:
    frame = five_minutes(40 * 288)
    archive = Archive(tmp_path)
    assert archive.write("BTC/USD", Tier.M5, frame) == frame.height
    assert archive.read("BTC/USD", Tier.M5, BEGIN, FAR).equals(frame)
    assert [path.name for path in sorted((tmp_path / "BTC-USD" / "5m").iterdir())] == [
        "2024-03.parquet",
        "2024-04.parquet",
    ]
    assert archive.symbols() == ["BTC/USD"]
    assert (archive.first("BTC/USD", Tier.M5), archive.last("BTC/USD", Tier.M5)) == (
        START_MS,
        START_MS + (40 * 288 - 1) * Tier.M5.ms,
    )


def test_writing_again_changes_no_byte(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    archive.write("BTC/USD", Tier.M5, five_minutes(40 * 288))
    before = files(tmp_path)
    assert archive.write("BTC/USD", Tier.M5, five_minutes(300)) == 0
    assert files(tmp_path) == before


def test_parts_written_in_any_order_make_the_same_files(tmp_path: Path) -> None:
    frame = five_minutes(40 * 288)
    one, other = Archive(tmp_path / "one"), Archive(tmp_path / "other")
    one.write("BTC/USD", Tier.M5, frame)
    for part in (frame.slice(5000, 7000), frame.head(6000), frame):
        other.write("BTC/USD", Tier.M5, part)
    assert files(one.folder) == files(other.folder)


def test_a_later_correction_of_a_bar_counts(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    archive.write("BTC/USD", Tier.M5, five_minutes(10))
    corrected = five_minutes(10, seed=1).slice(4, 1)
    assert archive.write("BTC/USD", Tier.M5, corrected) == 0
    assert archive.read("BTC/USD", Tier.M5, BEGIN, FAR).slice(4, 1).equals(corrected)


@given(times=bar_times(), begin=st.integers(-10, 900), length=st.integers(0, 900))
def test_reading_gives_the_bars_opened_since_start_and_closed_at_end(
    tmp_path_factory: pytest.TempPathFactory, times: list[int], begin: int, length: int
) -> None:
    archive = Archive(tmp_path_factory.mktemp("archive"))
    archive.write("X/Y", Tier.M5, frame_at(times))
    start, end = START + begin * timedelta(minutes=5), START + (begin + length) * timedelta(minutes=5)
    read = archive.read("X/Y", Tier.M5, start, end)["timestamp"].to_physical().to_list()
    expected = [at for at in times if at >= start.timestamp() * 1000 and at + Tier.M5.ms <= end.timestamp() * 1000]
    assert read == expected


def test_a_crash_before_the_rename_leaves_the_old_month(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = Archive(tmp_path)
    archive.write("BTC/USD", Tier.M5, five_minutes(10))

    def crash(descriptor: int) -> None:
        raise OSError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(archive_module.os, "fsync", crash)
        with pytest.raises(OSError, match="gone"):
            archive.write("BTC/USD", Tier.M5, five_minutes(20))
    assert archive.read("BTC/USD", Tier.M5, BEGIN, FAR).equals(five_minutes(10))
    archive.write("BTC/USD", Tier.M5, five_minutes(20))
    assert archive.read("BTC/USD", Tier.M5, BEGIN, FAR).equals(five_minutes(20))
    assert not list(tmp_path.rglob("*.new"))


def test_an_archive_without_bars_is_empty_not_an_error(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "none")
    assert archive.read("BTC/USD", Tier.M5, BEGIN, FAR).equals(empty_frame())
    assert archive.write("BTC/USD", Tier.M5, empty_frame()) == 0
    assert (archive.symbols(), archive.first("BTC/USD", Tier.M5)) == ([], None)
    assert not archive.folder.exists()


def test_a_damaged_month_is_told_by_name(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    archive.write("BTC/USD", Tier.M5, five_minutes(10))
    path = tmp_path / "BTC-USD" / "5m" / "2024-03.parquet"
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(DataError, match=r"2024-03\.parquet is damaged"):
        archive.read("BTC/USD", Tier.M5, BEGIN, FAR)


def test_extra_columns_are_not_archived(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    archive.write("BTC/USD", Tier.M5, five_minutes(10).with_columns(trades=pl.lit(1)))
    assert archive.read("BTC/USD", Tier.M5, BEGIN, FAR).equals(five_minutes(10))


@pytest.mark.parametrize("damage", [50, 0])
def test_the_first_bar_of_a_damaged_month_is_not_guessed(tmp_path: Path, damage: int) -> None:
    archive = Archive(tmp_path)
    archive.write("BTC/USD", Tier.M5, five_minutes(10))
    path = tmp_path / "BTC-USD" / "5m" / "2024-03.parquet"
    path.write_bytes(path.read_bytes()[:damage])
    with pytest.raises(DataError, match=r"2024-03\.parquet is damaged"):
        archive.first("BTC/USD", Tier.M5)
