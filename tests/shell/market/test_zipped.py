"""Kraken's zip of candle files: only what is wanted is unpacked, and a bad zip is told as one."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from shell.errors import DataError
from shell.market import zipped
from shell.market.aggregate import aggregate
from shell.market.bars import Tier
from shell.market.importer import import_path
from shell.store.candles import CandleStore
from shell.store.store import Store
from tests.shell.market.series import five_minutes
from tests.shell.market.test_importer import FRAME, NOW, stored, write_kraken


@pytest.fixture
def candles(tmp_path: Path) -> Iterator[CandleStore]:
    with Store.open(tmp_path / "brain.db") as store:
        yield CandleStore(store)


def packed(folder: Path, **more: bytes) -> Path:
    """As Kraken packs it: in folders, with lengths that we do not keep; and what macOS adds."""
    files = {
        "XBTUSD_5.csv": FRAME, "XBTUSD_60.csv": aggregate(FRAME, Tier.H1), "ETHUSD_5.csv": five_minutes(288),
        "XBTUSD_15.csv": FRAME, "SOLEUR_5.csv": FRAME,
    }  # fmt: skip
    path = folder / "Kraken_OHLCVT.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, frame in files.items():
            made.write(write_kraken(folder / name, frame), f"master_q4/{name}")
        made.writestr("__MACOSX/._XBTUSD_5.csv", b"\x00")
        for name, content in more.items():
            made.writestr(name, content)
    return path


def test_the_wanted_symbols_are_imported(candles: CandleStore, tmp_path: Path) -> None:
    seen: list[str] = []
    path = packed(tmp_path)
    report = import_path(path, candles, None, ["BTC/USD", "ETH-USD"], lambda done, total, name: seen.append(name), now=NOW)
    assert [file.file for file in report.files] == ["XBTUSD_5.csv", "XBTUSD_60.csv", "ETHUSD_5.csv"]
    assert report.source == "Kraken_OHLCVT.zip" and "XBTUSD_5.csv" in seen
    assert stored(candles, "BTC/USD").equals(FRAME) and stored(candles, "SOL/EUR").is_empty()
    assert import_path(path, candles, now=NOW).added > 0, "the rest, when all are wanted"
    assert stored(candles, "SOL/EUR").equals(FRAME)


def test_nothing_is_written_outside_the_folder_whatever_the_zip_says(tmp_path: Path) -> None:
    path = packed(tmp_path, **{"../../escaped_XBTEUR.csv": b"", "../../XBTEUR_5.csv": b"1,1,1,1,1,1,1\n"})
    with zipped.unpacked(path, ("BTC/EUR",), _series) as folder:
        assert [file.name for file in folder.iterdir()] == ["XBTEUR_5.csv"]
    assert not folder.exists() and not list(tmp_path.parent.glob("XBTEUR*"))


def _series(name: str) -> tuple[str, Tier] | str:
    return ("BTC/EUR", Tier.M5) if name == "XBTEUR_5.csv" else "something else"


def test_what_cannot_be_unpacked_is_told(candles: CandleStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = packed(tmp_path)
    (tmp_path / "no.zip").write_bytes(b"PK not really")
    cut = tmp_path / "cut.zip"
    content = bytearray(path.read_bytes())
    content[200:4000] = bytes(3800)
    cut.write_bytes(content)
    for wrong, told in ((tmp_path / "no.zip", "not a readable zip"), (cut, "zip"), (tmp_path / "gone.zip", "cannot be unpacked")):
        with pytest.raises(DataError, match=told):
            import_path(wrong, candles, now=NOW)
    with pytest.raises(DataError, match="holds no candle files of ADA/USD"):
        import_path(path, candles, None, ["ADA/USD"], now=NOW)
    twice = packed(tmp_path, **{"other/XBTUSD_5.csv": b"1"})
    with pytest.raises(DataError, match="holds both"):
        import_path(twice, candles, now=NOW)
    path = packed(tmp_path)
    monkeypatch.setattr(zipped, "SYMBOLS_UNNAMED_MAX", 2)
    with pytest.raises(DataError, match="holds 3 symbols: name those you want"):
        import_path(path, candles, now=NOW)
    monkeypatch.setattr(zipped, "FILE_BYTES_MAX", 1000)
    with pytest.raises(DataError, match="too large for a candle file"):
        import_path(path, candles, None, ["BTC/USD"], now=NOW)
    assert candles.symbols() == []
