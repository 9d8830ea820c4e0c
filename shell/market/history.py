"""A piece of market history as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl


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
