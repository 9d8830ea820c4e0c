"""Every figure of a book by name: what it is called, what it means, and in what unit it is. One place, for every reader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Unit(StrEnum):
    """FRACTION is shown as percent, MONEY is in the account's currency, RATIO has no unit."""

    FRACTION = "fraction"
    MONEY = "money"
    RATIO = "ratio"
    COUNT = "count"
    HOURS = "hours"
    DAYS = "days"


@dataclass(frozen=True, slots=True)
class Definition:
    """What a figure is called and what it means, for a reader who has not met it."""

    label: str
    meaning: str
    unit: Unit = Unit.RATIO


DEFINITIONS: Mapping[str, Definition] = {
    "total_return_pct": Definition(
        "Return", "Growth of the account over the period, after fees; money put in or taken out does not count.", Unit.FRACTION
    ),
    "buy_and_hold_return_pct": Definition(
        "Buy and hold", "The same money in equal parts of the same coins, bought at the start and kept.", Unit.FRACTION
    ),
    "max_drawdown_pct": Definition(
        "Deepest drawdown", "Largest fall of the account's value from an earlier peak.", Unit.FRACTION
    ),
    "drawdown_pct": Definition("Drawdown at the end", "How far the last value lies below the highest one.", Unit.FRACTION),
    "days_under_water": Definition(
        "Longest time below a peak", "Days from a peak until it was reached again, or until the end.", Unit.DAYS
    ),
    "sharpe": Definition(
        "Sharpe ratio", "Mean daily return over its deviation, annualised at 365 days. It needs years to mean much."
    ),
    "daily_sharpe": Definition("Daily Sharpe ratio", "The same, not annualised: what the gate's statistics use."),
    "sortino": Definition("Sortino ratio", "Like the Sharpe ratio, counting only the deviation of losing days."),
    "trades": Definition("Closed trades", "Positions opened and closed within the period.", Unit.COUNT),
    "pnl": Definition("Realised result", "Net result of the closed trades, after fees, in account currency.", Unit.MONEY),
    "win_rate": Definition(
        "Winning trades", "Part of the closed trades that ended with a gain after fees.", Unit.FRACTION
    ),
    "profit_factor": Definition("Profit factor", "Gains of winning trades over losses of losing ones."),
    "expectancy": Definition("Mean result of a trade", "As a part of its entry cost, after fees.", Unit.FRACTION),
    "fees": Definition("Fees", "All fees paid, in account currency.", Unit.MONEY),
    "longest_winning_streak": Definition("Longest winning streak", "Most trades in a row that gained.", Unit.COUNT),
    "longest_losing_streak": Definition("Longest losing streak", "Most trades in a row that lost.", Unit.COUNT),
    "streak": Definition(
        "Streak at the end", "Trades in a row with the newest one's sign: positive gained, negative lost.", Unit.COUNT
    ),
    "mean_hours_held": Definition("Mean holding time", "Hours from the first entry to flat, on average.", Unit.HOURS),
    "median_hours_held": Definition("Median holding time", "Half of the trades were held for less.", Unit.HOURS),
    "longest_hours_held": Definition("Longest holding time", "Hours of the trade that was held longest.", Unit.HOURS),
    "exposure_pct": Definition("Time in the market", "Part of the time in which any position was held.", Unit.FRACTION),
    "days": Definition("Days", "Calendar days (UTC) that the figures cover.", Unit.DAYS),
}
