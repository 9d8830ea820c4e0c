"""How large: the calmer the coin, the larger the position, within the limits."""

from __future__ import annotations

import math

HOURS_PER_DAY = 24


def daily_volatility(hourly_range: float, price: float) -> float:
    """A rough daily volatility, as a fraction, from the average true range of hourly bars: range / price x sqrt(24).

    NaN or a price of zero gives 0.0, which means unknown.
    """
    volatility = hourly_range / price * math.sqrt(HOURS_PER_DAY) if price > 0 else 0.0
    return volatility if volatility == volatility else 0.0


def volatility_scaled_size(target_pct: float, volatility: float, most_pct: float) -> float:
    """The fraction of the portfolio at which one day's usual move of the coin moves the portfolio by `target_pct`.

    At most `most_pct`; 0.0 when the volatility is unknown.
    """
    if volatility <= 0:
        return 0.0
    return min(target_pct / volatility, most_pct)
