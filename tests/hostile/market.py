"""A small made-up market, and its future: prices that nobody could guess and that no child is ever sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from shell.contract import Portfolio
from shell.host.port import BarArray, ScanRequest, SymbolFacts
from shell.market.bars import DAY_MS, TIERS, Bar, Quote, Tier

BEGIN = datetime(2024, 1, 10, tzinfo=UTC)
BEGIN_MS = round(BEGIN.timestamp() * 1000)
SYMBOLS = ("BTC/USD", "ETH/USD", "SOL/USD")
BARS = {Tier.M5: 600, Tier.H1: 400, Tier.D1: 200}
SCANS_MAX = 12
FUTURE_BARS = 40


def history(symbol: str, tier: Tier) -> BarArray:
    """Bars of a random walk that ends `FUTURE_BARS` bars after BEGIN; the same at every call."""
    count = BARS[tier] + FUTURE_BARS
    rng = np.random.default_rng([SYMBOLS.index(symbol), tier.ordinal, 7])
    times = BEGIN_MS + tier.ms * np.arange(-BARS[tier], FUTURE_BARS)
    close = 100.0 * (1 + SYMBOLS.index(symbol)) * np.exp(np.cumsum(0.004 * rng.standard_normal(count)))
    open_ = np.concatenate((close[:1], close[:-1]))
    spread = close * 0.002 * rng.random(count)
    high, low = np.maximum(open_, close) + spread, np.minimum(open_, close) - spread
    return np.column_stack((times, open_, high, low, close, 10.0 + 5.0 * rng.random(count)))


HISTORY = {(symbol, tier): history(symbol, tier) for symbol in SYMBOLS for tier in TIERS}
PAST = {key: rows[: BARS[key[1]]] for key, rows in HISTORY.items()}
# Closes of five-minute bars that no scan of these tests reveals.
FUTURE = [float(price) for symbol in SYMBOLS for price in HISTORY[symbol, Tier.M5][BARS[Tier.M5] + SCANS_MAX :, 4]]


def requests(count: int, symbols: Sequence[str] = SYMBOLS) -> Iterator[ScanRequest]:
    """Scans five minutes apart, each with the bars that closed; after SCANS_MAX of them no bar closes any more."""
    for number in range(1, count + 1):
        now_ms = BEGIN_MS + number * Tier.M5.ms
        bars = [bar for symbol in symbols for bar in _closed(symbol, now_ms)] if number <= SCANS_MAX else []
        newest = BARS[Tier.M5] + min(number, SCANS_MAX) - 1
        prices = {symbol: float(HISTORY[symbol, Tier.M5][newest, 4]) for symbol in symbols}
        yield ScanRequest(
            now=BEGIN + number * timedelta(milliseconds=Tier.M5.ms),
            new_bars=bars,
            facts={
                symbol: SymbolFacts(Quote(symbol, price * 0.999, price * 1.001, price, now_ms), 500.0, 0.0025, 0.004)
                for symbol, price in prices.items()
            },
            portfolio=Portfolio(
                cash=9000.0, total_value=10_000.0, positions=[], recent_trades=[], daily_pnl=0.0, total_pnl=0.0, fees=0.0
            ),
        )


def _closed(symbol: str, now_ms: int) -> Iterator[Bar]:
    for tier in TIERS:
        if (now_ms - BEGIN_MS) % tier.ms == 0 and now_ms - BEGIN_MS < DAY_MS:
            at = BARS[tier] + (now_ms - BEGIN_MS) // tier.ms - 1
            yield Bar(symbol, tier, *_row(HISTORY[symbol, tier][at]))


def _row(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[int, float, float, float, float, float]:
    open_ms, open_, high, low, close, volume = values.tolist()
    return int(open_ms), open_, high, low, close, volume
