"""Figures of closed trades, whatever they were picked by: a symbol, an intent, a version, or all of them. Pure.

A trade that ended at exactly zero neither won nor lost; it ends a streak of either.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from statistics import median

from shell.money import NO_MONEY, QuoteAmount
from shell.portfolio.ledger import TradeClosed
from shell.truth.figure import Figure, no_answer

NO_TRADES = "no trade has been closed yet"
SECONDS_PER_HOUR = 3600.0


def trade_figures(trades: Sequence[TradeClosed]) -> dict[str, Figure]:
    """Count, result, win rate, expectancy, profit factor, streaks and holding times of `trades`, in any order."""
    ordered = sorted(trades, key=lambda trade: (trade.closed_at, trade.trade_id))
    found = {"trades": Figure(len(ordered)), "pnl": Figure(_sum([trade.pnl for trade in ordered]).value)}
    if not ordered:
        names = ("win_rate", "profit_factor", "expectancy", "streak", "mean_hours_held", "median_hours_held",
                 "longest_hours_held")
        none = dict.fromkeys(names, no_answer(NO_TRADES))
        return {**found, **none, "longest_winning_streak": Figure(0), "longest_losing_streak": Figure(0)}
    signs = [sign(trade) for trade in ordered]
    hours = [(trade.closed_at - trade.opened_at).total_seconds() / SECONDS_PER_HOUR for trade in ordered]
    runs = [(key, len(list(run))) for key, run in groupby(signs)]
    return {
        **found,
        "win_rate": Figure(signs.count(1) / len(signs)),
        "profit_factor": _profit_factor(ordered),
        "expectancy": Figure(math.fsum(trade.pnl_pct for trade in ordered) / len(ordered)),
        "longest_winning_streak": Figure(max((length for key, length in runs if key > 0), default=0)),
        "longest_losing_streak": Figure(max((length for key, length in runs if key < 0), default=0)),
        "streak": Figure(runs[-1][0] * runs[-1][1]),
        "mean_hours_held": Figure(math.fsum(hours) / len(hours)),
        "median_hours_held": Figure(median(hours)),
        "longest_hours_held": Figure(max(hours)),
    }


def sign(trade: TradeClosed) -> int:
    """1 for a gain, -1 for a loss after fees, 0 for neither."""
    return (trade.pnl > NO_MONEY) - (trade.pnl < NO_MONEY)


def _profit_factor(trades: Sequence[TradeClosed]) -> Figure:
    gained = _sum([trade.pnl for trade in trades if sign(trade) > 0])
    lost = _sum([trade.pnl for trade in trades if sign(trade) < 0])
    if lost == NO_MONEY:
        return no_answer(f"none of {len(trades)} closed trades lost, so there is nothing to divide by")
    return Figure(float(gained.value / -lost.value))


def _sum(amounts: Sequence[QuoteAmount]) -> QuoteAmount:
    return sum(amounts, start=NO_MONEY)
