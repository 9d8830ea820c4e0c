"""Counters that rise with calls and fall with time: one per key for REST, one per pair for the matching engine.

The numbers are those of Kraken's pages on rate limits (read November 2026, in part recalled); `off` never refuses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from shell.exchange.simulator.moments import SECOND_NS
from shell.exchange.simulator.precision import ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountTier:
    """Ceilings and decay per second of both counters, and the most open orders of one pair."""

    api_max: int
    api_decay: Decimal
    engine_max: int
    engine_decay: Decimal
    open_orders_max: int


_UNLIMITED = 10**9
TIERS: Mapping[str, AccountTier] = {
    "starter": AccountTier(
        api_max=15, api_decay=Decimal("0.33"), engine_max=60, engine_decay=Decimal(1), open_orders_max=60
    ),
    "intermediate": AccountTier(
        api_max=20, api_decay=Decimal("0.5"), engine_max=125, engine_decay=Decimal("2.34"), open_orders_max=80
    ),
    "pro": AccountTier(
        api_max=20, api_decay=Decimal(1), engine_max=180, engine_decay=Decimal("3.75"), open_orders_max=225
    ),
    "off": AccountTier(
        api_max=_UNLIMITED, api_decay=Decimal(1), engine_max=_UNLIMITED, engine_decay=Decimal(1),
        open_orders_max=_UNLIMITED,
    ),
}
# (younger than so many seconds, added cost)
_YOUNG_AMEND = ((5, 3), (10, 2), (15, 1))
_YOUNG_EDIT = ((5, 6), (10, 5), (15, 4), (45, 2), (90, 1))
_YOUNG_CANCEL = ((5, 8), (10, 6), (15, 5), (45, 4), (90, 2), (300, 1))
ADD_COST = Decimal(1)


class Counter:
    """A leaky counter that refuses what would lift it above its ceiling."""

    def __init__(self, ceiling: int, decay: Decimal) -> None:
        self._ceiling = ceiling
        self._decay = decay
        self._value = ZERO
        self._at_ns = 0

    def value(self, now_ns: int) -> Decimal:
        """The counter at `now_ns`."""
        if now_ns > self._at_ns:
            self._value = max(ZERO, self._value - self._decay * (now_ns - self._at_ns) / SECOND_NS)
            self._at_ns = now_ns
        return self._value

    def takes(self, cost: Decimal, now_ns: int) -> bool:
        """Charge `cost`; False, and nothing charged, when there is no room for it."""
        if self.value(now_ns) + cost > self._ceiling:
            return False
        self._value += cost
        return True

    def charge(self, cost: Decimal, now_ns: int) -> None:
        """Charge `cost` whatever the ceiling: a cancel is never refused, it only delays what follows."""
        self._value = self.value(now_ns) + cost


def amend_cost(age_ns: int) -> Decimal:
    return 1 + _by_age(_YOUNG_AMEND, age_ns)


def edit_cost(age_ns: int) -> Decimal:
    return 1 + _by_age(_YOUNG_EDIT, age_ns)


def cancel_cost(age_ns: int) -> Decimal:
    return _by_age(_YOUNG_CANCEL, age_ns)


def _by_age(table: Sequence[tuple[int, int]], age_ns: int) -> Decimal:
    return next((Decimal(cost) for limit, cost in table if age_ns < limit * SECOND_NS), ZERO)
