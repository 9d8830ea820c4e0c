"""A history with the falls of prices in it that the script of incidents asks for (pure).

A flash crash takes two fifths within a bar and is made good within half an hour; a slump takes an eighth within hours, and
stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from deployments.incidents import CRASH, SLUMP, Incident
from shell.clock import to_ms
from shell.market.columns import BarArray
from shell.market.frames import rows_of, to_frame
from shell.market.history import History

CRASH_LOW, CRASH_CLOSE = 0.60, 0.65
CRASH_BARS = 6
SLUMP_LEFT = 0.875


def fallen(history: History, incidents: Sequence[Incident]) -> History:
    """`history` with the flash crashes and slumps of the script in the 5-minute bars of every symbol."""
    frames = {}
    for symbol, frame in history.m5.items():
        rows = rows_of(frame).copy()
        for each in incidents:
            if each.name == CRASH:
                _crash(rows, to_ms(each.begins))
            elif each.name == SLUMP:
                _slump(rows, to_ms(each.begins), to_ms(each.ends))
        frames[symbol] = to_frame(rows)
    return replace(history, m5=frames, source=f"{history.source}, with a flash crash and a slump put in", real=False)


def _crash(rows: BarArray, begin_ms: int) -> None:
    at = int(rows[:, 0].searchsorted(begin_ms))
    for number, row in enumerate(rows[at : at + CRASH_BARS]):
        opened = 1.0 if not number else CRASH_CLOSE + (1 - CRASH_CLOSE) * number / CRASH_BARS
        closed = CRASH_CLOSE + (1 - CRASH_CLOSE) * (number + 1) / CRASH_BARS if number else CRASH_CLOSE
        low = CRASH_LOW if not number else opened
        base = row[1:5].copy()
        row[1], row[4] = base[0] * opened, base[3] * closed
        row[2], row[3] = max(row[1], row[4], base[1] * closed), min(row[1], row[4], base[2] * low)


def _slump(rows: BarArray, begin_ms: int, end_ms: int) -> None:
    """Every price by a factor that falls straight from 1 to SLUMP_LEFT between the two moments: its value where a bar opens
    for the open, where it closes for the rest, and the high and low as wide as both need."""
    bar_ms = rows[1, 0] - rows[0, 0] if len(rows) > 1 else 0.0
    opened, closed = (
        np.interp(rows[:, 0] + later, [begin_ms, end_ms], [1.0, SLUMP_LEFT]) for later in (0.0, bar_ms)
    )
    rows[:, 1] *= opened
    rows[:, 4] *= closed
    rows[:, 2] = np.maximum(rows[:, 2] * opened, np.maximum(rows[:, 1], rows[:, 4]))
    rows[:, 3] = np.minimum(rows[:, 3] * closed, np.minimum(rows[:, 1], rows[:, 4]))
