"""Looks at the search segment: any number of them, each logged before it is made, none of them a counted trial."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from shell.config import GateConfig
from shell.errors import StrategyFault, StrategyRejected
from shell.host.port import StrategySource
from tasks.ai.provider import SearchScore
from tasks.client import Segment, SegmentName, ShellClient
from tasks.runs import data_hash, run

# What a run without enough trades loses, in daily Sharpe: a good ratio from two trades says little.
FEW_TRADES_PENALTY = 0.25
FAULT_VALUE = -10.0


class SearchBench:
    """The newest days of the search segment, bounded by `search_days_max`, ready to be looked at."""

    def __init__(self, shell: ShellClient, now: datetime) -> None:
        settings = shell.settings()
        segments = shell.segments(now)
        segment = segments[SegmentName.SEARCH]
        self._shell, self._now = shell, now
        self._history = shell.history(SegmentName.SEARCH, None, now)
        self._data = data_hash(self._history)
        self._settings = shell.backtest_settings()
        self._start = max(segment.start, segment.end - timedelta(days=settings.orchestrator.search_days_max))
        self._end = segment.end
        days = (self._end - self._start) / timedelta(days=1)
        self._trades_needed = trades_needed(settings.gate, days, segments[SegmentName.SELECTION])
        self.looks = 0

    @property
    def window(self) -> str:
        """Names what is looked at: scores compare only within one."""
        return f"{self._start:%Y-%m-%d}..{self._end:%Y-%m-%d} {self._data}"

    def look(self, source: StrategySource) -> SearchScore:
        """One logged look. A strategy that is refused or breaks scores `FAULT_VALUE`; DataError goes to the caller."""
        self._shell.record_searches(None, 1, self._now)
        self.looks += 1
        try:
            summary = run(
                source, self._history, start=self._start, end=self._end, settings=self._settings, data=self._data
            )
        except (StrategyRejected, StrategyFault) as fault:
            return SearchScore(value=FAULT_VALUE, daily_sharpe=0.0, total_return_pct=0.0, trades=0, fault=str(fault))
        figures = summary.figures
        return SearchScore(
            value=objective(figures.daily_sharpe, figures.trades, self._trades_needed),
            daily_sharpe=figures.daily_sharpe, total_return_pct=figures.total_return_pct, trades=figures.trades,
        )


def objective(daily_sharpe: float, trades: int, needed: int) -> float:
    """What a search maximises: the daily Sharpe ratio, less a penalty for the part of the needed trades not made."""
    missing = max(0.0, 1.0 - trades / needed)
    return daily_sharpe - FEW_TRADES_PENALTY * missing


def trades_needed(gate: GateConfig, days: float, selection: Segment) -> int:
    """As many trades as the gate would ask of a window of `days`, at least one."""
    return max(1, math.ceil(gate.min_trades * days / selection.days))
