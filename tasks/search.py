"""Looks at the search segment: any number of them, each logged before it is made, none of them a counted trial."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from shell.backtest.search import objective
from shell.config import GateConfig
from shell.errors import BrainError, StrategyFault, StrategyRejected
from shell.host.faults import attempt_of
from shell.host.port import StrategySource
from tasks.ai.provider import SearchScore
from tasks.client import Segment, SegmentName, ShellClient
from tasks.runs import RunSummary, data_hash, run_all

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
        (score,) = self.look_many([source])
        return score

    def look_many(self, sources: Sequence[StrategySource]) -> list[SearchScore]:
        """Looks that do not depend on one another, each logged as one, in the order of `sources`."""
        for _ in sources:
            self._shell.record_searches(None, 1, self._now)
            self.looks += 1
        outcomes = run_all(
            sources, self._history, start=self._start, end=self._end, settings=self._settings, data=self._data,
            fast=True,
        )
        for source, outcome in zip(sources, outcomes, strict=True):
            if attempt_of(outcome):
                self._shell.quarantine(source, "a proposal of the search", attempt_of(outcome), self._now)
        return [self._score(outcome) for outcome in outcomes]

    def _score(self, outcome: RunSummary | BrainError) -> SearchScore:
        if isinstance(outcome, StrategyRejected | StrategyFault):
            return SearchScore(value=FAULT_VALUE, daily_sharpe=0.0, total_return_pct=0.0, trades=0, fault=str(outcome))
        if isinstance(outcome, BrainError):
            raise outcome
        figures = outcome.figures
        return SearchScore(
            value=objective(figures.daily_sharpe, figures.trades, self._trades_needed),
            daily_sharpe=figures.daily_sharpe, total_return_pct=figures.total_return_pct, trades=figures.trades,
        )


def trades_needed(gate: GateConfig, days: float, selection: Segment) -> int:
    """As many trades as the gate would ask of a window of `days`, at least one."""
    return max(1, math.ceil(gate.min_trades * days / selection.days))
