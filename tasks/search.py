"""Looks at the search segment: any number of them, each logged before it is made, none of them a counted trial."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import numpy as np

from shell.backtest.search import objective
from shell.config import GateConfig
from shell.errors import BrainError, StrategyFault, StrategyRejected
from shell.host.faults import attempt_of
from shell.host.port import StrategySource
from shell.market.history import data_hash
from tasks.ai.briefing import market_figures
from tasks.ai.provider import WHOLE, LookMany, SearchScore
from tasks.client import Segment, SegmentName, ShellClient
from tasks.runs import Benches, RunSummary, market_returns, run_all

FAULT_VALUE = -10.0


# A share of a short window is no less than this.
DAYS_MIN = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    """What runs of one share of the search window have in common."""

    start: datetime
    trades_needed: int
    market: tuple[float, ...]


class SearchBench:
    """The newest days of the search segment, bounded by `search_days_max`, ready to be looked at."""

    def __init__(self, shell: ShellClient, now: datetime) -> None:
        settings = shell.settings()
        segments = shell.segments(now)
        segment = segments[SegmentName.SEARCH]
        self._shell, self._now, self._segment = shell, now, segment
        self._history = shell.history(SegmentName.SEARCH, None, now)
        self._data = data_hash(self._history)
        self._settings = shell.backtest_settings()
        self._start = max(segment.start, segment.end - timedelta(days=settings.orchestrator.search_days_max))
        self._end = segment.end
        self._gate, self._selection = settings.gate, segments[SegmentName.SELECTION]
        self._windows: dict[float, _Window] = {}
        self.looks = 0

    @property
    def window(self) -> str:
        """Names what is looked at: scores compare only within one."""
        return f"{self._start:%Y-%m-%d}..{self._end:%Y-%m-%d} {self._data}"

    def figures(self) -> str:
        """The segment's market in rounded figures, without a date."""
        return market_figures(self._history, self._segment)

    def look(self, source: StrategySource) -> SearchScore:
        """One logged look. A strategy that is refused or breaks scores `FAULT_VALUE`; DataError goes to the caller."""
        (score,) = self.look_many([source])
        return score

    def look_many(self, sources: Sequence[StrategySource], share: float = WHOLE) -> list[SearchScore]:
        """Looks that do not depend on one another, each logged as one, in the order of `sources`: at the newest `share` of
        the window, in whole days."""
        return self._looked(None, sources, share)

    @contextmanager
    def ours(self) -> Iterator[LookMany]:
        """`look_many` for the block, for sources that are all of our own making: they follow one another in processes they
        share, whose start takes longer than most looks. What a person or a model wrote has one to itself, always."""
        with Benches() as shared:
            yield partial(self._looked, shared)

    def _looked(self, shared: Benches | None, sources: Sequence[StrategySource], share: float) -> list[SearchScore]:
        window = self._window_of(share)
        for _ in sources:
            self._shell.record_searches(None, 1, self._now)
            self.looks += 1
        outcomes = run_all(
            sources, self._history, start=window.start, end=self._end, settings=self._settings, data=self._data,
            fast=True, shared=shared,
        )
        for source, outcome in zip(sources, outcomes, strict=True):
            if attempt_of(outcome):
                self._shell.quarantine(source, "a proposal of the search", attempt_of(outcome), self._now)
        return [_score(outcome, window) for outcome in outcomes]

    def _window_of(self, share: float) -> _Window:
        if share not in self._windows:
            days = max(DAYS_MIN, round((self._end - self._start) / timedelta(days=1) * share))
            start = max(self._start, self._end - timedelta(days=days))
            self._windows[share] = _Window(
                start=start, trades_needed=trades_needed(self._gate, days, self._selection),
                market=market_returns(self._history, start, self._end),
            )
        return self._windows[share]


def _score(outcome: RunSummary | BrainError, window: _Window) -> SearchScore:
    if isinstance(outcome, StrategyRejected | StrategyFault):
        return SearchScore(value=FAULT_VALUE, daily_sharpe=0.0, total_return_pct=0.0, trades=0, fault=str(outcome))
    if isinstance(outcome, BrainError):
        raise outcome
    figures = outcome.figures
    return SearchScore(
        value=objective(figures.daily_sharpe, figures.trades, window.trades_needed),
        daily_sharpe=figures.daily_sharpe, total_return_pct=figures.total_return_pct, trades=figures.trades,
        holding_hours=outcome.holding_hours, turnover=outcome.turnover, returns=outcome.daily_returns,
        market_correlation=correlation(outcome.daily_returns, window.market),
    )


def correlation(one: Sequence[float], other: Sequence[float]) -> float:
    """Of two series of one length; 0.0 where either does not move or they cannot be compared."""
    if len(one) != len(other) or len(one) < 2 or not (np.std(one) > 0 and np.std(other) > 0):
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def trades_needed(gate: GateConfig, days: float, selection: Segment) -> int:
    """As many trades as the gate would ask of a window of `days`, at least one."""
    return max(1, math.ceil(gate.min_trades * days / selection.days))
