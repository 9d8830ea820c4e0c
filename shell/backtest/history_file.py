"""A history in a file without a name: written once, mapped by every process that is handed its descriptor.

The file has no entry in any folder, so there is nothing to clean up: it is gone with the last process that holds it,
however that process ended. Its pages are shared, so ten readers cost the memory of one. (`array_file` has the layout: for each
frame six columns, times in ms first.)
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import polars as pl

from shell.backtest.array_file import read_arrays, write_arrays
from shell.market.bars import Tier
from shell.market.columns import WIDTH
from shell.market.frames import rows_of, to_frame
from shell.market.history import History


@contextmanager
def history_file(history: History) -> Iterator[int]:
    """The descriptor of a nameless file that holds `history`, open until the block ends."""
    with tempfile.TemporaryFile() as file:
        write_history(history, file)
        yield file.fileno()


def write_history(history: History, file: IO[bytes]) -> None:
    """Put `history` into an empty file."""
    frames = [(tier, symbol, frame) for tier, by_symbol in _tiers(history) for symbol, frame in by_symbol]
    facts = {
        "source": history.source, "real": history.real, "frames": [(tier.value, symbol) for tier, symbol, _ in frames],
    }
    # Columns one behind the other; never more than one frame's at once.
    shapes = [(WIDTH, frame.height) for *_, frame in frames]
    write_arrays(file, facts, shapes, (rows_of(frame).T for *_, frame in frames))


def read_history(descriptor: int) -> History:
    """The history in the file behind `descriptor`, its prices mapped and not copied; the descriptor may be closed then."""
    facts, tables = read_arrays(descriptor)
    frames: dict[Tier, dict[str, pl.DataFrame]] = {tier: {} for tier in Tier}
    for (tier, symbol), columns in zip(facts["frames"], tables, strict=True):
        frames[Tier(tier)][symbol] = to_frame(columns.T)
    return History(
        m5=frames[Tier.M5], h1=frames[Tier.H1], d1=frames[Tier.D1], source=facts["source"], real=facts["real"]
    )


def _tiers(history: History) -> list[tuple[Tier, list[tuple[str, pl.DataFrame]]]]:
    return [
        (Tier.M5, list(history.m5.items())), (Tier.H1, list(history.h1.items())), (Tier.D1, list(history.d1.items()))
    ]
