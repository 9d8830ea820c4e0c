"""Fees by 30-day volume, charged in the quote currency or, with `fcib`, in the base currency.

Rates as in AssetPairs of November 2025 (Kraken's standard spot schedule), in percent as Kraken lists them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from shell.exchange.simulator.moments import DAY_S, SECOND_NS
from shell.exchange.simulator.precision import ZERO, over

WINDOW_NS = 30 * DAY_S * SECOND_NS
_VOLUMES = (0, 10_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000)
_TAKER = ("0.40", "0.35", "0.24", "0.22", "0.20", "0.18", "0.16", "0.14", "0.12", "0.10")
_MAKER = ("0.25", "0.20", "0.14", "0.12", "0.10", "0.08", "0.06", "0.04", "0.02", "0.00")


@dataclass(frozen=True, slots=True)
class Tier:
    """From this 30-day volume in USD on, this fee in percent."""

    volume: int
    percent: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeSchedule:
    """One side's tiers, lowest volume first."""

    tiers: tuple[Tier, ...]

    @classmethod
    def of(cls, volumes: Sequence[int], percents: Sequence[str]) -> FeeSchedule:
        return cls(tiers=tuple(Tier(volume, Decimal(each)) for volume, each in zip(volumes, percents, strict=True)))

    def tier_at(self, volume: Decimal) -> int:
        """Index of the tier that `volume` has reached."""
        reached = 0
        for index, tier in enumerate(self.tiers):
            if tier.volume > volume:
                break
            reached = index
        return reached

    def rate(self, volume: Decimal) -> Decimal:
        """The fee as a fraction of the trade's value: 0.004 for 0.40 %."""
        return over(self.tiers[self.tier_at(volume)].percent, Decimal(100))


TAKER = FeeSchedule.of(_VOLUMES, _TAKER)
MAKER = FeeSchedule.of(_VOLUMES, _MAKER)


class TradedVolume:
    """What the account traded in the last 30 days, in USD."""

    def __init__(self, start: Decimal = ZERO) -> None:
        self._trades: deque[tuple[int, Decimal]] = deque()
        self._total = start

    def add(self, at_ns: int, value: Decimal) -> None:
        self._trades.append((at_ns, value))
        self._total += value

    def at(self, now_ns: int) -> Decimal:
        """The volume within the window that ends at `now_ns`."""
        while self._trades and self._trades[0][0] <= now_ns - WINDOW_NS:
            self._total -= self._trades.popleft()[1]
        return self._total
