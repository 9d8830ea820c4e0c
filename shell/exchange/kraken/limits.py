"""Kraken's two rate limits, kept here so that they are never hit there: counters that rise with use and fall with time.

The account's counter (API calls of one key) and the matching engine's, one a pair, where a cancel or an amendment costs
the more the younger its order is. Arithmetic over times that are given; waiting is `shell.exchange.kraken.limiter`.
Source: docs.kraken.com, "REST rate limits" and "Spot trading rate limits" (read 2026-11).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Verification(str, Enum):
    """The verification level of the account, which decides its limits."""

    STARTER = "starter"
    INTERMEDIATE = "intermediate"
    PRO = "pro"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Most a counter may hold and how much it loses a second: of the API key, and of each pair in the engine."""

    api_max: float
    api_decay: float
    engine_max: float
    engine_decay: float


LEAST_WAIT_SECONDS: Final = 1e-6

LIMITS: Final = {
    Verification.STARTER: Limits(api_max=15, api_decay=0.33, engine_max=60, engine_decay=1),
    Verification.INTERMEDIATE: Limits(api_max=20, api_decay=0.5, engine_max=125, engine_decay=2.34),
    Verification.PRO: Limits(api_max=20, api_decay=1, engine_max=180, engine_decay=3.75),
}

# What a private call adds to the key's counter; 1 for every other. Orders are counted by the engine alone.
API_COSTS: Final = {
    **dict.fromkeys(("Ledgers", "QueryLedgers", "TradesHistory", "QueryTrades", "ClosedOrders"), 2),
    **dict.fromkeys(("AddOrder", "AmendOrder", "EditOrder", "CancelOrder", "AddOrderBatch", "CancelOrderBatch"), 0),
    **dict.fromkeys(("CancelAll",), 0),
}


class EngineAction(Enum):
    """What the engine charges for."""

    ADD = "add"
    AMEND = "amend"
    CANCEL = "cancel"


_FIXED = {EngineAction.ADD: 1, EngineAction.AMEND: 1, EngineAction.CANCEL: 0}
# (age in seconds below which it applies, what is added), youngest first.
_BY_AGE: Final[dict[EngineAction, tuple[tuple[float, int], ...]]] = {
    EngineAction.ADD: (),
    EngineAction.AMEND: ((5, 3), (10, 2), (15, 1)),
    EngineAction.CANCEL: ((5, 8), (10, 6), (15, 5), (45, 4), (90, 2), (300, 1)),
}


def api_cost(endpoint: str) -> int:
    """What a call of a private endpoint adds to the key's counter."""
    return API_COSTS.get(endpoint, 1)


def engine_cost(action: EngineAction, age_seconds: float = 0.0) -> int:
    """What `action` on an order of that age (since it was made or last amended) adds to its pair's counter.

    An order of unknown age counts as new, the dearest.
    """
    return _FIXED[action] + next((added for below, added in _BY_AGE[action] if age_seconds < below), 0)


class Counter:
    """One counter: rises by what is charged, loses `decay` a second, never falls below zero.

    Times are seconds of any clock that does not go back; an earlier one than before counts as no time passed.
    """

    __slots__ = ("_at", "_level", "decay", "most")

    def __init__(self, most: float, decay: float) -> None:
        if most <= 0 or decay <= 0:
            raise ValueError("a counter needs room and must fall")
        self.most = most
        self.decay = decay
        self._level = 0.0
        self._at = float("-inf")

    def level(self, at: float) -> float:
        """How full it is."""
        if at > self._at:
            self._level = max(0.0, self._level - self.decay * (at - self._at))
            self._at = at
        return self._level

    def wait(self, cost: float, at: float) -> float:
        """Seconds until `cost` fits; 0 when it does. A cost above the whole counter waits until that is empty."""
        seconds = (self.level(at) + min(cost, self.most) - self.most) / self.decay
        # What is left of a wait by rounding may be too small to move any clock: it would be waited for for ever.
        return seconds if seconds > LEAST_WAIT_SECONDS else 0.0

    def charge(self, cost: float, at: float) -> None:
        """Count what was or is about to be sent, whether or not it fits."""
        self._level = self.level(at) + cost

    def fill(self, at: float) -> None:
        """The venue says that it is full, whatever we counted: another program shares it."""
        self._level = max(self.level(at), self.most)
