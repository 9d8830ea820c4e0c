"""Give a new home its past: a history up to a moment, laid out over tiers and archive as if the home had always been there."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from shell.clock import to_ms
from shell.market.aggregate import aggregate, closed_only
from shell.market.archive import Archive
from shell.market.bars import TIERS, Tier
from shell.market.book import join_deeper
from shell.market.frames import open_ms_of, rows_of, to_frame
from shell.market.history import History
from shell.market.port import CandleKeeper
from shell.market.tiers import kept_since


def seed_home(history: History, candles: CandleKeeper, archive: Archive, until: datetime) -> int:
    """Store everything of `history` that had closed by `until`; returns how many bars went into the tiers.

    Hours and days are built from the 5m bars, and a deeper 1h or 1d series is kept for the time before these begin.
    """
    stored = 0
    until_ms = to_ms(until)
    for symbol, m5 in history.m5.items():
        series = {Tier.M5: m5}
        for tier, deep in ((Tier.H1, history.h1.get(symbol)), (Tier.D1, history.d1.get(symbol))):
            series[tier] = _behind(deep, aggregate(m5, tier), m5, tier)
        with candles.transaction():
            for tier in TIERS:
                closed = closed_only(series[tier], tier, until_ms)
                edge = int(open_ms_of(closed).searchsorted(to_ms(kept_since(tier, until))))
                if edge:
                    archive.write(symbol, tier, closed.head(edge))
                stored += candles.add(symbol, tier, closed.slice(edge))
    return stored


def _behind(deep: pl.DataFrame | None, built: pl.DataFrame, m5: pl.DataFrame, tier: Tier) -> pl.DataFrame:
    """`built`, with what `deep` knows of the time before it in front."""
    if deep is None or deep.is_empty():
        return built
    return to_frame(join_deeper(rows_of(deep), rows_of(built), rows_of(m5), tier))
