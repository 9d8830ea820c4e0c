"""Measures of a series of closes; one skill may use another."""

import math

import numpy as np
from strategy.skills.rounding import short

BARS_A_YEAR = 365 * 24 * 12


def returns(closes):
    values = np.asarray(closes, dtype=float)
    return np.diff(np.log(values))


def volatility(closes):
    return float(np.std(returns(closes), ddof=1) * math.sqrt(BARS_A_YEAR))


def sharpe(closes):
    changes = returns(closes)
    spread = changes.std(ddof=1)
    return float(changes.mean() / spread * math.sqrt(BARS_A_YEAR)) if spread > 0 else 0.0


def told(name, value):
    return f"{name} {short(value)}"
