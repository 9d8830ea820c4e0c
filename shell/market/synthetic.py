"""Invented markets, labelled as such everywhere: one without an edge, one with an edge planted in it.

`plain` is a fair game: prices are martingales with stochastic volatility, so no rule that pays fees can earn in
expectation. `planted-edge` adds what markets do not promise: every symbol drifts steadily up or down for 1.5 to 5 days
at a time. Ups and downs come in blocks of equal total length, so holding earns about nothing while following the trend
on hourly bars earns well. It exists to show the machinery promoting, and says nothing about any real market.

Same seed, symbols, start: same bars; asking for more days only adds bars at the end.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from shell.clock import to_ms
from shell.errors import DataError
from shell.market.bars import DAY_MS, Tier
from shell.market.columns import WIDTH
from shell.market.frames import to_frame
from shell.market.history import History
from shell.market.pair import parse_symbol, replay_pair

DAYS_MAX = 3650
BARS_A_DAY = DAY_MS // Tier.M5.ms
BARS_AN_HOUR = Tier.H1.ms // Tier.M5.ms

# Yearly volatility of the common and the symbol's own part; correlation of two symbols' noise is their shared share.
NOISE_ANNUAL_PLAIN = 0.65
NOISE_ANNUAL_PLANTED = 0.50
CORRELATION = 0.6
# Log-volatility is an hourly AR(1): half-life about 20 hours, standing deviation 0.35.
VOLATILITY_MEMORY = 0.966
VOLATILITY_SPREAD = 0.35

REGIME_DAYS = (1.5, 5.0)
# Against 0.50 of yearly noise this leaves a daily Sharpe ratio of about 0.7 after taker fees to an hourly EMA 8/34
# cross or 24-hour breakout on two symbols; tests/shell/market/test_synthetic.py measures it.
REGIME_DRIFT_A_DAY = 0.065
# A block holds this many rises and as many falls, of the same lengths in shuffled order.
REGIME_PAIRS = 3

_START_PRICES = {
    "BTC": 30_000.0,
    "ETH": 2_000.0,
    "SOL": 90.0,
    "XRP": 0.6,
    "ADA": 0.4,
    "LTC": 80.0,
    "DOGE": 0.08,
    "BNB": 250.0,
}
_START_PRICE = 10.0
# Quote units traded in an average bar.
_TURNOVER_A_BAR = 400_000.0


class MarketKind(StrEnum):
    """What is planted: nothing, or a trend that a slow rule can follow."""

    PLAIN = "plain"
    PLANTED_EDGE = "planted-edge"


class _Stream(StrEnum):
    """Independent sources of chance; each is drawn strictly in time order, so that more days only add at the end."""

    COMMON_NOISE = "common noise"
    OWN_NOISE = "own noise"
    COMMON_VOLATILITY = "common volatility"
    OWN_VOLATILITY = "own volatility"
    HIGHS = "highs"
    LOWS = "lows"
    VOLUME = "volume"
    REGIMES = "regimes"


def synthetic_market(
    seed: int, symbols: Sequence[str], start: datetime, days: int, kind: MarketKind | str = MarketKind.PLAIN
) -> History:
    """`days` days of 5-minute bars of each symbol from `start`, without holes. Raises DataError for bad parameters."""
    market = _kind(kind)
    names = list(dict.fromkeys(parse_symbol(symbol) for symbol in symbols))
    if not names:
        raise DataError("a synthetic market needs at least one symbol")
    if not 1 <= days <= DAYS_MAX:
        raise DataError(f"a synthetic market of {days} days cannot be made: 1 to {DAYS_MAX} are possible")
    if not 0 <= seed < 2**63:
        raise DataError(f"seed {seed} is out of range: a whole number from 0 up is needed")
    start_ms = to_ms(start)
    if start_ms % Tier.M5.ms:
        raise DataError(f"a synthetic market starts on a 5-minute mark, not at {start.isoformat()}")
    count = days * BARS_A_DAY
    times = start_ms + np.arange(count, dtype=np.int64) * Tier.M5.ms
    common = _rng(seed, _Stream.COMMON_NOISE).standard_normal(count)
    common_volatility = _log_volatility(_rng(seed, _Stream.COMMON_VOLATILITY), count)
    frames = {symbol: to_frame(_bars(seed, symbol, times, common, common_volatility, market)) for symbol in names}
    label = "planted-edge synthetic" if market is MarketKind.PLANTED_EDGE else "synthetic"
    return History(m5=frames, source=f"{label} (seed {seed})", real=False)


def _kind(kind: MarketKind | str) -> MarketKind:
    try:
        return MarketKind(kind)
    except ValueError:
        allowed = " or ".join(MarketKind)
        raise DataError(f"{kind!r} is no synthetic market: {allowed} is possible") from None


def _rng(seed: int, stream: _Stream, symbol: str = "") -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(stream.encode()), zlib.crc32(symbol.encode())])


def _bars(
    seed: int,
    symbol: str,
    times: NDArray[np.int64],
    common: NDArray[np.float64],
    common_volatility: NDArray[np.float64],
    market: MarketKind,
) -> NDArray[np.float64]:
    count = len(times)
    own = _rng(seed, _Stream.OWN_NOISE, symbol).standard_normal(count)
    own_volatility = _log_volatility(_rng(seed, _Stream.OWN_VOLATILITY, symbol), count)
    planted = market is MarketKind.PLANTED_EDGE
    annual = NOISE_ANNUAL_PLANTED if planted else NOISE_ANNUAL_PLAIN
    activity = _day_pattern(times)
    shape = (common_volatility + own_volatility) / math.sqrt(2)
    # E[exp(2 s)] = exp(2 spread^2): dividing by its root keeps the mean variance where `annual` puts it.
    sigma = annual / math.sqrt(365 * BARS_A_DAY) * activity * np.exp(shape - VOLATILITY_SPREAD**2)
    steps = sigma * (math.sqrt(CORRELATION) * common + math.sqrt(1 - CORRELATION) * own)
    if planted:
        steps += _regime_drift(_rng(seed, _Stream.REGIMES, symbol), count)
    else:
        # A martingale in price, not in its logarithm: neither holding nor staying out has an edge.
        steps -= sigma**2 / 2
    logs = np.concatenate(([0.0], np.cumsum(steps)))
    highs, lows = _extremes(seed, symbol, logs, sigma)
    start_price = _START_PRICES.get(symbol.split("/")[0], _START_PRICE)
    tick = replay_pair(symbol, start_price).tick
    decimals = max(0, -int(tick.adjusted()))
    prices = np.stack([logs[:-1], highs, lows, logs[1:]])
    rows = np.empty((WIDTH, count))
    rows[0] = times
    rows[1:5] = np.maximum(np.round(start_price * np.exp(prices), decimals), float(tick))
    moved = np.exp(0.5 * _rng(seed, _Stream.VOLUME, symbol).standard_normal(count)) * (0.5 + np.abs(steps) / sigma)
    rows[5] = np.maximum(np.round(_TURNOVER_A_BAR * activity**2 * np.exp(shape) * moved / rows[4], 6), 1e-6)
    return rows.T


def _log_volatility(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """One AR(1) value an hour, repeated for its bars; it begins in its stationary distribution."""
    shocks = rng.standard_normal(count // BARS_AN_HOUR + 1) * VOLATILITY_SPREAD
    fresh = math.sqrt(1 - VOLATILITY_MEMORY**2)
    values = [float(shocks[0])]
    for shock in shocks[1:].tolist():
        values.append(VOLATILITY_MEMORY * values[-1] + fresh * shock)
    return np.repeat(np.array(values), BARS_AN_HOUR)[:count]


def _day_pattern(times: NDArray[np.int64]) -> NDArray[np.float64]:
    """Activity over the UTC day: quiet at 04:00, busy around 15:00; the mean of its square is 1."""
    hour = (times % DAY_MS) / Tier.H1.ms
    swing = 0.3
    return (1 + swing * np.cos((hour - 15.5) / 24 * 2 * np.pi)) / math.sqrt(1 + swing**2 / 2)


def _regime_drift(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Log drift of each bar: +-REGIME_DRIFT_A_DAY in turn, in blocks whose rises and falls last equally long."""
    sign = 1.0 if rng.random() < 0.5 else -1.0
    parts: list[NDArray[np.float64]] = []
    made = 0
    while made < count:
        lengths = np.round(rng.uniform(*REGIME_DAYS, REGIME_PAIRS) * BARS_A_DAY).astype(np.int64)
        for first, second in zip(lengths, rng.permutation(lengths), strict=True):
            parts += [np.full(first, sign), np.full(second, -sign)]
            made += int(first + second)
        sign = 1.0 if rng.random() < 0.5 else -1.0
    return np.concatenate(parts)[:count] * (REGIME_DRIFT_A_DAY / BARS_A_DAY)


def _extremes(
    seed: int, symbol: str, logs: NDArray[np.float64], sigma: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Highest and lowest log price inside each bar, each drawn from the law of a Brownian bridge between its ends:
    P(max > m) = exp(-2 (m - a)(m - b) / s^2) (Borodin and Salminen, Handbook of Brownian Motion, 1.1.8)."""
    begin, end = logs[:-1], logs[1:]
    span = (end - begin) ** 2
    reach = []
    for stream in (_Stream.HIGHS, _Stream.LOWS):
        chance = 1.0 - _rng(seed, stream, symbol).random(len(sigma))
        reach.append(np.sqrt(span - 2 * sigma**2 * np.log(chance)))
    middle = begin + end
    return (middle + reach[0]) / 2, (middle - reach[1]) / 2
