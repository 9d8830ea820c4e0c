"""A history in a file without a name: written once, mapped by every process that is handed its descriptor.

The file has no entry in any folder, so there is nothing to clean up: it is gone with the last process that holds it,
however that process ended. Its pages are shared, so ten readers cost the memory of one.

Layout: the length of the head as 8 bytes, the head (JSON), then for each table six float64 columns, times in ms first.
"""

from __future__ import annotations

import json
import mmap
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import numpy as np
import polars as pl

from shell.market.bars import Tier
from shell.market.columns import WIDTH
from shell.market.frames import rows_of, to_frame
from shell.market.history import History

_LENGTH = struct.Struct("<Q")
_ALIGNMENT = 8


@contextmanager
def history_file(history: History) -> Iterator[int]:
    """The descriptor of a nameless file that holds `history`, open until the block ends."""
    with tempfile.TemporaryFile() as file:
        write_history(history, file)
        yield file.fileno()


def write_history(history: History, file: IO[bytes]) -> None:
    """Put `history` into an empty file."""
    tables = [(tier, symbol, frame) for tier, frames in _tiers(history) for symbol, frame in frames]
    head = json.dumps({
        "source": history.source, "real": history.real,
        "tables": [(tier.value, symbol, frame.height) for tier, symbol, frame in tables],
    }).encode()
    head += b" " * (-len(head) % _ALIGNMENT)
    file.write(_LENGTH.pack(len(head)) + head)
    for _, _, frame in tables:
        file.write(rows_of(frame).T.tobytes())
    file.flush()


def read_history(descriptor: int) -> History:
    """The history in the file behind `descriptor`, its prices mapped and not copied; the descriptor may be closed then."""
    mapped = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
    (length,) = _LENGTH.unpack_from(mapped)
    offset = _LENGTH.size + length
    head = json.loads(mapped[_LENGTH.size : offset])
    frames: dict[Tier, dict[str, pl.DataFrame]] = {tier: {} for tier in Tier}
    for tier, symbol, rows in head["tables"]:
        columns = np.frombuffer(mapped, dtype=np.float64, count=WIDTH * rows, offset=offset)
        frames[Tier(tier)][symbol] = to_frame(columns.reshape(WIDTH, rows).T)
        offset += columns.nbytes
    return History(
        m5=frames[Tier.M5], h1=frames[Tier.H1], d1=frames[Tier.D1], source=head["source"], real=head["real"]
    )


def _tiers(history: History) -> list[tuple[Tier, list[tuple[str, pl.DataFrame]]]]:
    return [
        (Tier.M5, list(history.m5.items())), (Tier.H1, list(history.h1.items())), (Tier.D1, list(history.d1.items()))
    ]
