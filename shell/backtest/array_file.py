"""Facts and tables of numbers in one file, written once and mapped by every process that is handed its descriptor.

Layout: the length of the head as 8 bytes, the head (JSON: facts, and the shape of each table), then the tables, float64.
"""

from __future__ import annotations

import json
import mmap
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

_LENGTH = struct.Struct("<Q")
_ALIGNMENT = 8

Numbers = NDArray[np.float64]


def write_arrays(
    file: IO[bytes], facts: Mapping[str, Any], shapes: Sequence[tuple[int, ...]], tables: Iterable[Numbers]
) -> None:
    """Put `facts`, as JSON knows them, and `tables`, row by row, into an empty file. Tables may be made one at a time, so
    their `shapes` are told before. Raises ValueError for one of another shape."""
    head = json.dumps({"facts": facts, "shapes": shapes}).encode()
    head += b" " * (-len(head) % _ALIGNMENT)
    file.write(_LENGTH.pack(len(head)) + head)
    for shape, table in zip(shapes, tables, strict=True):
        if table.shape != shape:
            raise ValueError(f"a table of {table.shape} was told as one of {shape}")
        file.write(np.ascontiguousarray(table, dtype=np.float64).data)
    file.flush()


def read_arrays(descriptor: int) -> tuple[dict[str, Any], list[Numbers]]:
    """What was written into the file behind `descriptor`, its tables mapped and not copied; it may be closed then."""
    mapped = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
    (length,) = _LENGTH.unpack_from(mapped)
    offset = _LENGTH.size + length
    head = json.loads(mapped[_LENGTH.size : offset])
    tables = []
    for rows, columns in head["shapes"]:
        table: Numbers = np.frombuffer(mapped, dtype=np.float64, count=rows * columns, offset=offset)
        tables.append(table.reshape(rows, columns))
        offset += table.nbytes
    return head["facts"], tables
