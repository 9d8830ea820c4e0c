"""Figures of an account's value over time: return, drawdown, Sharpe, Sortino, exposure. Pure.

Money put in or taken out is neither gain nor loss (D12): between two marks the account grew by what it is worth now, less what
was put in meanwhile, over what it was worth before. All figures are of that growth. Ratios are of daily UTC returns and
annualised at 365 days, because crypto trades every day; the formulas are those of `shell.backtest.metrics`, which judges
backtests by them, so that a strategy is measured by one yardstick everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from shell.backtest.metrics import DAYS_PER_YEAR, daily_returns, exposure, max_drawdown, sharpe_ratio, sortino_ratio
from shell.backtest.result import EquityCurve
from shell.clock import to_ms
from shell.market.bars import DAY_MS
from shell.money import QuoteAmount
from shell.portfolio.ledger import CapitalEvent, TradeClosed
from shell.truth.figure import Figure, no_answer

# With fewer daily returns the error of an annualised Sharpe ratio, about the root of 365 / days, exceeds 4: no answer.
DAYS_MIN = 20
# Returns whose deviation is below this do not move: what is left of it is rounding.
_DEVIATION_MIN = 1e-12
NO_MARKS = "the account's value has not been marked yet"
_OF_MARKS = ("total_return_pct", "max_drawdown_pct", "drawdown_pct", "days_under_water", "exposure_pct")
_RATIOS = ("sharpe", "sortino", "daily_sharpe")


def account_figures(
    marks: Sequence[tuple[datetime, Decimal]],
    starting: QuoteAmount,
    flows: Sequence[CapitalEvent],
    trades: Sequence[TradeClosed],
    open_since: Sequence[datetime],
) -> dict[str, Figure]:
    """Figures of `marks` in time order. `starting` is the money before the first mark, `flows` what was put in (positive) or
    taken out after it; `trades` and `open_since`, the entry times of what is still held, tell the time in the market."""
    if not marks or not starting > QuoteAmount(0):
        why = NO_MARKS if not marks else "there was no money at the start"
        return {**dict.fromkeys((*_OF_MARKS, *_RATIOS), no_answer(why)), "days": Figure(0)}
    curve = growth(marks, starting, flows)
    whole = np.concatenate(([1.0], curve.values))
    returns = daily_returns(curve)
    return {
        "total_return_pct": Figure(float(curve.values[-1]) - 1),
        "max_drawdown_pct": Figure(max_drawdown(whole)),
        "drawdown_pct": Figure(max(0.0, 1 - float(curve.values[-1]) / float(whole.max()))),
        "days_under_water": Figure(_under_water(curve)),
        "exposure_pct": _exposure(curve, trades, open_since),
        **_ratios(returns),
        "days": Figure(len(returns)),
    }


def growth(
    marks: Sequence[tuple[datetime, Decimal]], starting: QuoteAmount, flows: Sequence[CapitalEvent]
) -> EquityCurve:
    """What one unit of money at the start became by each mark, had nothing been put in or taken out (time-weighted).

    An account that was emptied or ruined grows no further: there is nothing left that could.
    """
    times = np.array([to_ms(at) for at, _ in marks], dtype=np.int64)
    values = np.array([float(value) for _, value in marks])
    put_in = np.zeros(len(values))
    for flow in flows:
        place = int(np.searchsorted(times, to_ms(flow.at), side="left"))
        # Before the first mark it belongs to `starting`; after the last nothing shows it yet.
        if 0 < place < len(values):
            put_in[place] += float(flow.amount)
    before = np.concatenate(([float(starting)], values[:-1]))
    alive = before > 0
    factors = np.where(alive, np.maximum(0.0, (values - put_in) / np.where(alive, before, 1.0)), 1.0)
    return EquityCurve(times_ms=times, values=np.cumprod(factors, dtype=np.float64))


def later_flows(marks: Sequence[tuple[datetime, Decimal]], events: Sequence[CapitalEvent]) -> tuple[CapitalEvent, ...]:
    """Those of `events` that fall after the first mark and up to the last: flows, not starting money."""
    if not marks:
        return ()
    return tuple(event for event in events if marks[0][0] < event.at <= marks[-1][0])


def _ratios(returns: NDArray[np.float64]) -> dict[str, Figure]:
    if len(returns) < DAYS_MIN:
        return dict.fromkeys(_RATIOS, no_answer(f"{len(returns)} daily returns are too few: {DAYS_MIN} are needed"))
    if float(returns.std(ddof=1)) <= _DEVIATION_MIN:
        return dict.fromkeys(_RATIOS, no_answer("the account's value did not move"))
    daily = sharpe_ratio(returns)
    found = {"sharpe": Figure(daily * math.sqrt(DAYS_PER_YEAR)), "daily_sharpe": Figure(daily)}
    downside = math.sqrt(float(np.square(np.minimum(returns, 0.0)).mean()))
    if downside <= _DEVIATION_MIN:
        found["sortino"] = no_answer(f"none of {len(returns)} days lost, so there is nothing to divide by")
    else:
        found["sortino"] = Figure(sortino_ratio(returns) * math.sqrt(DAYS_PER_YEAR))
    return found


def _under_water(curve: EquityCurve) -> float:
    """Days from a peak, or from the first mark, to the mark that reached it again or the last one."""
    peaks = np.maximum.accumulate(np.concatenate(([1.0], curve.values)))[1:]
    at_peak = curve.values >= peaks
    longest, since, below = 0, int(curve.times_ms[0]), False
    for at, there in zip(curve.times_ms.tolist(), at_peak.tolist(), strict=True):
        below = below or not there
        if below:
            longest = max(longest, at - since)
        if there:
            since, below = at, False
    return longest / DAY_MS


def _exposure(curve: EquityCurve, trades: Sequence[TradeClosed], open_since: Sequence[datetime]) -> Figure:
    """The share of the time from the first mark to the last in which something was held."""
    if int(curve.times_ms[0]) == int(curve.times_ms[-1]):
        return no_answer("the account's value has been marked once only")
    return Figure(exposure(curve, trades, open_since))
