"""A history into a recording: bars set out step by step, higher tiers built as their bars close."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np

from shell.clock import to_ms
from shell.errors import DataError
from shell.market.aggregate import aggregate_rows
from shell.market.bars import HIGHER_TIERS, Tier
from shell.market.book import join_deeper
from shell.market.columns import BarArray
from shell.market.frames import rows_of
from shell.market.history import History
from shell.market.recording import STEP_MS, Recording
from shell.market.tape import CLOSE, Table, width_of

Past = dict[tuple[str, Tier], BarArray]


def recording_of(history: History, symbols: Sequence[str], start: datetime, end: datetime) -> Recording:
    """The recording of `history` from `start` to `end`; what came before `start` is the past. Raises DataError for a symbol
    without history and for bars beside the five minutes."""
    start_ms = to_ms(start)
    # An end between two steps is that of the last bar that has closed by then.
    slots = max(0, (to_ms(end) - start_ms) // STEP_MS)
    m5 = np.full((slots, width_of(len(symbols))), np.nan)
    m5[:, 0] = start_ms + STEP_MS * np.arange(slots)
    past: Past = {}
    later: dict[Tier, list[BarArray]] = {tier: [] for tier in HIGHER_TIERS}
    bars = 0
    for index, symbol in enumerate(symbols):
        if symbol not in history.m5:
            raise DataError(f"there is no 5m history for {symbol}; there is for {', '.join(history.m5)}")
        # One symbol's rows at a time: to touch memory for the first time costs more than to fill it.
        follow = _take(history, symbol, start_ms, start_ms + slots * STEP_MS, past, later)
        _put(m5, follow, index, len(symbols), start_ms)
        bars += len(follow)
    return Recording(
        symbols=tuple(symbols), start_ms=start_ms, slots=slots, bars=bars, past=past,
        tables={Tier.M5: m5, **{tier: _sparse(later[tier]) for tier in HIGHER_TIERS}},
        closes=_filled(symbols, past, m5, slots),
    )


def _take(
    history: History, symbol: str, start_ms: int, end_ms: int, past: Past, later: Mapping[Tier, list[BarArray]]
) -> BarArray:
    """The symbol's later 5m bars; what is past, and its later bars of higher tiers, are put where they belong."""
    whole = rows_of(history.m5[symbol])
    m5 = whole[: int(np.searchsorted(whole[:, 0], start_ms - STEP_MS, side="right"))]
    # A copy, or all of `whole` would stay for it.
    past[symbol, Tier.M5] = m5.copy(order="F")
    follow = whole[len(m5) : int(np.searchsorted(whole[:, 0], end_ms))]
    known = whole[: len(m5) + len(follow)]
    for tier, deep in ((Tier.H1, history.h1), (Tier.D1, history.d1)):
        built = aggregate_rows(known, tier)
        closed = int(np.searchsorted(built[:, 0], start_ms - tier.ms, side="right"))
        before = built[:closed]
        older = deep.get(symbol)
        if older is not None:
            rows = rows_of(older)
            before = join_deeper(rows[: int(np.searchsorted(rows[:, 0], start_ms - tier.ms, side="right"))], before, m5, tier)
        past[symbol, tier] = before
        later[tier].append(built[closed:])
    return follow


def _put(table: Table, rows: BarArray, index: int, symbols: int, start_ms: int) -> None:
    """Later 5m bars into the table that has a row for every step, whether any bar opened then or not."""
    row, beside = np.divmod(rows[:, 0].astype(np.int64) - start_ms, STEP_MS)
    if beside.any():
        raise DataError("a 5m bar does not open at a multiple of five minutes: run `brain data check`")
    if len(rows) and (np.diff(row) == 1).all():
        # Without a hole: a slice costs a third of a list of places.
        table[row[0] : row[-1] + 1, 1 + index :: symbols] = rows[:, 1:]
    else:
        table[row, 1 + index :: symbols] = rows[:, 1:]


def _filled(symbols: Sequence[str], past: Past, m5: Table, slots: int) -> Table:
    count = len(symbols)
    closes = np.full((count, slots + 1), np.nan)
    for index, symbol in enumerate(symbols):
        before = past[symbol, Tier.M5]
        if len(before):
            closes[index, 0] = before[-1, 4]
        closes[index, 1:] = m5[:slots, 1 + CLOSE * count + index]
        missing = np.isnan(closes[index])
        if missing[1:].any():
            source = np.where(missing, 0, np.arange(slots + 1))
            closes[index] = closes[index][np.maximum.accumulate(source)]
    return closes


def _sparse(parts: Sequence[BarArray]) -> Table:
    """Rows for every open time at which any symbol has a bar."""
    times = np.unique(np.concatenate([rows[:, 0] for rows in parts])) if parts else np.empty(0)
    table = np.full((len(times), width_of(len(parts))), np.nan)
    table[:, 0] = times
    for index, rows in enumerate(parts):
        table[np.searchsorted(times, rows[:, 0]), 1 + index :: len(parts)] = rows[:, 1:]
    return table
