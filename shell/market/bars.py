"""The vocabulary of market data: tiers, bars and quotes. Float64 here; Decimal begins where an order does."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

DAY_MS = 86_400_000
CANDLE_COLUMNS = ("timestamp", "open", "high", "low", "close", "volume")


class Tier(str, Enum):
    """A candle resolution with what is kept of it: 5m for 30 days, 1h for one year, 1d for seven years (specification)."""

    M5 = "5m"
    H1 = "1h"
    D1 = "1d"

    @property
    def ms(self) -> int:
        """Bar length in milliseconds."""
        return _LENGTH_MS[self]

    @property
    def kept_ms(self) -> int:
        """How far back a strategy sees this tier, in milliseconds."""
        return _KEPT_MS[self]

    @property
    def window_bars(self) -> int:
        """Most bars a window of this tier can hold."""
        return self.kept_ms // self.ms

    @property
    def ordinal(self) -> int:
        """Position in wire formats: 0, 1, 2."""
        return _INDEX[self]


_LENGTH_MS = {Tier.M5: 300_000, Tier.H1: 3_600_000, Tier.D1: DAY_MS}
_KEPT_MS = {Tier.M5: 30 * DAY_MS, Tier.H1: 365 * DAY_MS, Tier.D1: 7 * 365 * DAY_MS}
_INDEX = {Tier.M5: 0, Tier.H1: 1, Tier.D1: 2}
TIERS: tuple[Tier, ...] = (Tier.M5, Tier.H1, Tier.D1)
HIGHER_TIERS: tuple[Tier, ...] = (Tier.H1, Tier.D1)


class Bar(NamedTuple):
    """One closed bar. `open_ms` is its open time; it closed at `open_ms + tier.ms`. Volume in base units."""

    symbol: str
    tier: Tier
    open_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float

    @property
    def close_ms(self) -> int:
        return self.open_ms + _LENGTH_MS[self.tier]


class Quote(NamedTuple):
    """The latest price of a symbol and when it was true (`at_ms`), with bid and ask around it."""

    symbol: str
    bid: float
    ask: float
    last: float
    at_ms: int
