"""Is the market in a state in which a slow rule has any business entering?"""

from __future__ import annotations


def volatility_ratio(recent: float, usual: float) -> float:
    """Recent average true range over the usual one: 1 is normal, 2 is twice as wild. Unknown (NaN, zero) gives 1.0."""
    ratio = recent / usual if usual > 0 else 1.0
    return ratio if ratio == ratio else 1.0


def is_panic(recent: float, usual: float, panic_above: float) -> bool:
    """True when bars are much wider than usual: stops and limits that are sized in usual bars mean little then."""
    return volatility_ratio(recent, usual) > panic_above
