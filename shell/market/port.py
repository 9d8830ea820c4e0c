"""What market code needs of a store of candles; `shell.store.candles.CandleStore` is one."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shell.market.bars import Bar, Tier
from shell.market.check import Gap, QuarantinedRow


class CandleReader(Protocol):
    """Reads stored candles."""

    def between(self, symbol: str, tier: Tier, start: datetime, end: datetime) -> pl.DataFrame:
        """Bars opened at or after `start` and closed at `end`."""


class CandleKeeper(Protocol):
    """Stored candles. Writing inside `transaction()` joins it: all of the block or none of it."""

    def transaction(self) -> AbstractContextManager[Any]: ...

    def symbols(self) -> list[str]: ...

    def last(self, symbol: str, tier: Tier) -> Bar | None: ...

    def span(self, symbol: str, tier: Tier) -> tuple[int, int] | None:
        """Open times in ms of the oldest and the newest bar."""

    def between(self, symbol: str, tier: Tier, start: datetime, end: datetime) -> pl.DataFrame:
        """Bars opened at or after `start` and closed at `end`."""

    def before(self, symbol: str, tier: Tier, end: datetime) -> pl.DataFrame:
        """Bars opened before `end`."""

    def add(self, symbol: str, tier: Tier, frame: pl.DataFrame, *, replace: bool = True) -> int:
        """Store bars, returns how many are new; adding them again changes nothing."""

    def delete_before(self, symbol: str, tier: Tier, before: datetime) -> int: ...

    def quarantine(self, symbol: str, tier: Tier, rows: Iterable[QuarantinedRow], source: str) -> int: ...

    def gaps(self, symbol: str, tier: Tier) -> list[Gap]:
        """Recorded holes, oldest first."""

    def quarantined(self, symbol: str, tier: Tier) -> list[dict[str, Any]]:
        """Rows left out, with `id`, their columns, `reason` and `source`."""

    def refresh_gaps(
        self,
        symbol: str,
        tier: Tier,
        start: datetime,
        end: datetime,
        now: datetime,
        *,
        archived: NDArray[np.int64] = ...,
    ) -> list[Gap]:
        """Record the holes from `start` to `end`; `archived` are open times of bars kept elsewhere."""
