"""What is wrong with the candles a home has stored: the same report as for a data folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from shell.clock import from_ms
from shell.errors import DataError
from shell.market.bars import TIERS, Tier
from shell.market.check import DataReport, Flaw, Gap, QuarantinedRow, SeriesReport, check_frame
from shell.market.pair import parse_symbol
from shell.market.port import CandleKeeper

_COUNTER_OF = {
    Flaw.NOT_A_NUMBER: "not_a_number",
    Flaw.ZERO_OR_NEGATIVE: "zero_or_negative",
    Flaw.BAD_OHLC: "bad_ohlc",
    Flaw.OFF_GRID: "off_grid",
    Flaw.OUT_OF_ORDER: "out_of_order",
    Flaw.DUPLICATE: "duplicates",
    Flaw.ABSURD_WICK: "absurd_wicks",
    Flaw.ABSURD_PRINT: "absurd_wicks",
}


def check_stored(candles: CandleKeeper, symbols: Sequence[str] | None = None) -> DataReport:
    """Judge every stored series, and tell what imports left out and which holes they recorded; nothing is changed.

    Raises DataError for a symbol of which nothing is stored, or when nothing is stored at all.
    """
    stored = candles.symbols()
    wanted = stored if symbols is None else list(dict.fromkeys(parse_symbol(symbol) for symbol in symbols))
    if not stored:
        raise DataError("no candles are stored yet: `brain data import` brings them in")
    for symbol in wanted:
        if symbol not in stored:
            raise DataError(f"no candles of {symbol} are stored; there are of {', '.join(stored)}")
    series = [
        _report(candles, symbol, tier, span)
        for symbol in wanted
        for tier in TIERS
        if (span := candles.span(symbol, tier)) is not None
    ]
    return DataReport(source="stored candles", series=tuple(series))


def _report(candles: CandleKeeper, symbol: str, tier: Tier, span: tuple[int, int]) -> SeriesReport:
    first, closed = from_ms(span[0]), from_ms(span[1] + tier.ms)
    found = check_frame(symbol, tier, candles.between(symbol, tier, first, closed)).report
    left_out = tuple(_row_of(row) for row in candles.quarantined(symbol, tier))
    gaps = _all_gaps(candles.gaps(symbol, tier), found.gaps, first)
    counted = Counter(_COUNTER_OF[row.flaw] for row in (*left_out, *found.quarantined))
    counts: dict[str, Any] = {name: counted[name] for name in _COUNTER_OF.values()}
    return replace(
        found,
        rows=found.rows + len(left_out),
        gaps=gaps,
        missing_bars=sum(gap.bars for gap in gaps),
        quarantined=(*left_out, *found.quarantined),
        **counts,
    )


def _all_gaps(recorded: Sequence[Gap], found: Sequence[Gap], first: datetime) -> tuple[Gap, ...]:
    """Holes seen in the stored bars, and recorded ones of the time before these, whose bars are in the archive."""
    return (*(gap for gap in recorded if gap.last < first), *found)


def _row_of(row: dict[str, Any]) -> QuarantinedRow:
    values = {name: row[name] for name in ("open_ms", "open", "high", "low", "close", "volume")}
    return QuarantinedRow(index=int(row["id"]), flaw=Flaw(row["reason"]), **values)
