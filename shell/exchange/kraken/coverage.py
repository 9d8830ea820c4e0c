"""What a backfill has fetched already, so that an interrupted one goes on where it stopped.

Stretches of time by symbol, in a small file beside the database. It is written after the candles of a stretch are stored: a
crash in between fetches them again, which changes nothing.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from shell.errors import DataError

# [begin, end) in ms.
Stretch = tuple[int, int]


def merged(stretches: list[Stretch]) -> list[Stretch]:
    """Sorted, with touching and overlapping ones joined."""
    joined: list[Stretch] = []
    for begin, end in sorted(stretches):
        if end <= begin:
            continue
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((begin, end))
    return joined


def missing(wanted: Stretch, stretches: list[Stretch]) -> list[Stretch]:
    """The parts of `wanted` that no stretch covers, oldest first."""
    parts, at = [], wanted[0]
    for begin, end in merged(stretches):
        if end <= at:
            continue
        if begin >= wanted[1]:
            break
        if begin > at:
            parts.append((at, begin))
        at = max(at, end)
    if at < wanted[1]:
        parts.append((at, wanted[1]))
    return parts


class Coverage:
    """The stretches of every symbol, in one file."""

    def __init__(self, path: Path) -> None:
        """Raises DataError for a file that cannot be read: deleting it costs time, nothing else."""
        self._path = path
        self._stretches: dict[str, list[Stretch]] = {}
        if path.exists():
            self._stretches = _read(path)

    def missing(self, symbol: str, wanted: Stretch) -> list[Stretch]:
        return missing(wanted, self._stretches.get(symbol, []))

    def add(self, symbol: str, stretch: Stretch) -> None:
        """Note a stretch as fetched, on disk before this returns."""
        self._stretches[symbol] = merged([*self._stretches.get(symbol, []), stretch])
        fresh = self._path.with_name(self._path.name + ".new")
        with fresh.open("w", encoding="utf-8") as file:
            json.dump({"trades": self._stretches}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, self._path)


def _read(path: Path) -> dict[str, list[Stretch]]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["trades"]
        return {str(symbol): merged([(int(begin), int(end)) for begin, end in rows]) for symbol, rows in found.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise DataError(f"{path} is damaged: delete it, and the backfill begins anew (candles stay)") from None
