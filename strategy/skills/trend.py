"""Trend measured in units of its own noise, with two thresholds so that it does not flicker."""

from __future__ import annotations

import math


def trend_strength(fast: float, slow: float, noise: float) -> float:
    """Distance of a fast average above a slow one, in units of `noise` (an average true range of the same bars).

    Positive in an up-trend. NaN, so neither begun nor over, when an input is NaN or there is no noise to measure by.
    """
    return (fast - slow) / noise if noise > 0 else math.nan


def trend_begins(strength: float, enter_above: float) -> bool:
    """True when the trend is strong enough to enter."""
    return strength > enter_above


def trend_is_over(strength: float, exit_below: float) -> bool:
    """True when the trend is gone. `exit_below` lies under the entry threshold: every trade in between costs fees."""
    return strength < exit_below
