"""What is probed, and the plain run that every probe compares with."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce

from shell.backtest.driver import run_backtest
from shell.backtest.result import BacktestResult, BacktestSettings
from shell.backtest.run import STEP, MemoryJournal
from shell.contract import Action
from shell.errors import StrategyFault
from shell.host.port import StrategyHost, StrategySource
from shell.host.supervisor import HostedStrategy
from shell.market.history import History
from shell.orders import SignalAnswer

HostFactory = Callable[[StrategySource, History], StrategyHost]

# Runs that repeat the plain one stay within its first days: a leak shows at any time, and every day costs a day's run.
SPAN = timedelta(days=30)
# In a quiet strategy the span reaches as far as this many decisions.
SPAN_SIGNALS = 10
# Fewer decisions that could be compared prove nothing.
SIGNALS_MIN = 5
MINUTES_A_DAY = 1440


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A strategy on a history. `make_host` is asked for one host a run; None: the strategy's own process, as always."""

    source: StrategySource
    history: History
    settings: BacktestSettings
    start: datetime | None = None
    end: datetime | None = None
    make_host: HostFactory | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One backtest. `result` is None when the strategy failed too often, and `failed` says how."""

    kept: MemoryJournal
    result: BacktestResult | None
    failed: str = ""

    @property
    def answers(self) -> list[SignalAnswer]:
        return self.kept.answers

    @property
    def complaint(self) -> str:
        """The last fault, empty when there was none."""
        return self.failed or (self.kept.faults[-1] if self.kept.faults else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The plain run over the whole window, and how far the probes that repeat it go (`span_end`)."""

    run: Run
    result: BacktestResult
    span_end: datetime

    @property
    def answers(self) -> list[SignalAnswer]:
        return self.run.answers

    def decided(self, *actions: Action) -> list[datetime]:
        """When, within the span, it decided on one of `actions` (none named: on anything); each moment once, in order."""
        return sorted(
            {
                answer.decided_at for answer in self.answers
                if answer.decided_at < self.span_end and (not actions or answer.action in actions)
            }
        )

    @property
    def rhythm(self) -> timedelta:
        """The strategy's own bar: the longest time that divides the time of day of everything it decided."""
        minutes = [answer.decided_at.hour * 60 + answer.decided_at.minute for answer in self.answers]
        return timedelta(minutes=reduce(math.gcd, minutes, MINUTES_A_DAY))


def host_for(subject: Subject, source: StrategySource, history: History) -> StrategyHost:
    """A host of the subject's kind for any source on any history."""
    if subject.make_host is not None:
        return subject.make_host(source, history)
    return HostedStrategy(source, subject.settings.host)


def run_on(
    subject: Subject, history: History, start: datetime, end: datetime, *, host: StrategyHost | None = None
) -> Run:
    """The subject's strategy over another history, or behind another host. A strategy that breaks is a finding, not an
    error; raises what `run_backtest` raises besides."""
    kept = MemoryJournal()
    host = host or host_for(subject, subject.source, history)
    try:
        result = run_backtest(
            subject.source, history, start=start, end=end, settings=subject.settings, host=host, journal=kept
        )
    except StrategyFault as fault:
        return Run(kept=kept, result=None, failed=str(fault))
    return Run(kept=kept, result=result)


def run_baseline(subject: Subject) -> Baseline:
    """The plain run. Raises what `run_backtest` raises, a strategy that breaks included."""
    kept = MemoryJournal()
    host = host_for(subject, subject.source, subject.history)
    result = run_backtest(
        subject.source, subject.history, start=subject.start, end=subject.end, settings=subject.settings, host=host,
        journal=kept,
    )
    moments = sorted({answer.decided_at for answer in kept.answers})
    reached = result.start + SPAN
    if moments:
        reached = max(reached, moments[min(SPAN_SIGNALS, len(moments)) - 1] + 2 * STEP)
    return Baseline(run=Run(kept=kept, result=result), result=result, span_end=min(reached, result.end))

