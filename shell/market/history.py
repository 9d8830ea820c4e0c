"""A piece of market history as a value."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

HASH_DIGITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Candles by symbol, contract columns, sorted. `m5` is required; `h1` and `d1` may reach further back than it does."""

    m5: Mapping[str, pl.DataFrame]
    h1: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    d1: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    source: str = ""
    real: bool = False

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(self.m5)


def data_hash(history: History) -> str:
    """The identity of the candles a run saw: symbols, times and every price of every tier, 16 hex digits."""
    import polars as pl

    digest = hashlib.sha256()
    for tier, frames in (("5m", history.m5), ("1h", history.h1), ("1d", history.d1)):
        for symbol in sorted(frames):
            digest.update(f"{tier} {symbol}".encode())
            frame = frames[symbol]
            digest.update(frame["timestamp"].cast(pl.Datetime("ms", "UTC")).to_physical().to_numpy().tobytes())
            for column in ("open", "high", "low", "close", "volume"):
                digest.update(frame[column].to_numpy().tobytes())
    return digest.hexdigest()[:HASH_DIGITS]
