"""How far paper's fills may lie from the backtest's: as far as prices move by themselves within a bar, and no further (pure).

A backtest fills at the open of a bar, paper when the order reaches the book, so prices differ by what happens in between. That
is noise, and its mean over a few fills has a band, drawn from the moves of the bars the backtest went through. Fills that are
dearer or cheaper than that on average come from something else: another spread, late orders, a wrong price.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from shell.clock import to_ms
from shell.market.bars import Tier
from shell.market.history import History
from shell.orders import Fill, Side

DRAWS = 2_000
# Two-sided, so one honest trial in forty is too dear and one too cheap by chance.
OUTSIDE = 0.025
SEED = 20_140_807
# Of decimal prices turned into floats: two equal fills differ by nothing.
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """`low` to `high`: the mean cost of `fills` fills against the backtest's, fractions of the price, that bars explain."""

    low: float
    high: float
    fills: int

    def holds(self, mean: float) -> bool:
        return self.low - ROUNDING <= mean <= self.high + ROUNDING


def bar_moves(history: History, start: datetime, end: datetime) -> NDArray[np.float64]:
    """Close over open less 1 of every 5m bar of the window, all symbols."""
    found = []
    for symbol in sorted(history.m5):
        frame = history.m5[symbol]
        opened = frame["timestamp"].dt.epoch("ms").to_numpy()
        inside = (opened >= to_ms(start)) & (opened + Tier.M5.ms <= to_ms(end))
        found.append(frame["close"].to_numpy()[inside] / frame["open"].to_numpy()[inside] - 1)
    return np.concatenate(found) if found else np.empty(0)


def fill_band(moves: NDArray[np.float64], fills: int) -> Band:
    """The band of the mean of `fills` moves, by bootstrap; without moves or fills only equality is inside.

    Moves are drawn with either sign: where a bar drifts says nothing of where an order fills within it.
    """
    if not len(moves) or fills < 1:
        return Band(low=0.0, high=0.0, fills=fills)
    chance = np.random.default_rng(SEED)
    drawn = chance.choice(moves, size=(DRAWS, fills)) * chance.choice((-1.0, 1.0), size=(DRAWS, fills))
    low, high = np.quantile(drawn.mean(axis=1), (OUTSIDE, 1 - OUTSIDE))
    return Band(low=float(low), high=float(high), fills=fills)


def mean_cost(pairs: Sequence[tuple[Fill, Fill]]) -> float:
    """How much dearer the first of each pair filled than the second, a fraction of the price: a purchase above it and a sale
    below it are dearer. 0 without pairs."""
    costs = [
        (float(paper.price) / float(backtest.price) - 1) * (1.0 if paper.side is Side.BUY else -1.0)
        for paper, backtest in pairs
    ]
    return float(np.mean(costs)) if costs else 0.0
