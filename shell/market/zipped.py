"""Kraken's downloadable zip of OHLCVT files: the wanted ones, unpacked for as long as they are read.

The whole zip holds thousands of files and several gigabytes; only files of wanted symbols and of tiers we keep are unpacked,
under their own names whatever folders the zip puts them in.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from shell.errors import DataError
from shell.market.bars import Tier

FILE_BYTES_MAX = 4 * 2**30
SYMBOLS_UNNAMED_MAX = 50
_COPIED_AT_ONCE = 2**20

Series = Callable[[str], tuple[str, Tier] | str]


@contextmanager
def unpacked(path: Path, wanted: tuple[str, ...] | None, series_of_name: Series) -> Iterator[Path]:
    """A folder with the candle files of the zip, removed afterwards.

    Raises DataError for a file that is no zip or is damaged, holds nothing wanted, or holds very many symbols when none
    is named.
    """
    with tempfile.TemporaryDirectory(prefix="candles-") as folder:
        try:
            with zipfile.ZipFile(path) as archive:
                for member in _chosen(path, archive, wanted, series_of_name):
                    _unpack(archive, member, Path(folder) / PurePosixPath(member.filename).name)
        except OSError as error:
            raise DataError(f"{path} cannot be unpacked: {error.strerror or error}") from None
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise DataError(f"{path} is not a readable zip file: {error}") from None
        except (RuntimeError, NotImplementedError) as error:
            raise DataError(f"{path} cannot be unpacked: {error}") from None
        yield Path(folder)


def _chosen(
    path: Path, archive: zipfile.ZipFile, wanted: tuple[str, ...] | None, series_of_name: Series
) -> list[zipfile.ZipInfo]:
    found: dict[tuple[str, Tier], zipfile.ZipInfo] = {}
    for member in archive.infolist():
        name = PurePosixPath(member.filename).name
        # macOS adds files beginning with "._" of the same name.
        if member.is_dir() or name.startswith(".") or not name.lower().endswith(".csv"):
            continue
        series = series_of_name(name)
        if isinstance(series, str) or (wanted is not None and series[0] not in wanted):
            continue
        if series in found:
            raise DataError(f"{path} holds both {found[series].filename} and {member.filename}: keep one of them")
        found[series] = member
    symbols = sorted({symbol for symbol, _ in found})
    if not found:
        asked = "" if wanted is None else f" of {', '.join(wanted)}"
        raise DataError(f"{path} holds no candle files{asked} (XBTUSD_5.csv, _60.csv, _1440.csv)")
    if wanted is None and len(symbols) > SYMBOLS_UNNAMED_MAX:
        raise DataError(f"{path} holds {len(symbols)} symbols: name those you want, such as --symbols BTC/USD,ETH/USD")
    return list(found.values())


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    if member.file_size > FILE_BYTES_MAX:
        raise DataError(f"{member.filename} would unpack to {member.file_size:,} bytes: too large for a candle file")
    with archive.open(member) as source, target.open("wb") as sink:
        shutil.copyfileobj(source, sink, _COPIED_AT_ONCE)
