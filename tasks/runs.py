"""Backtests as tasks need them: one run on one segment, the figures a gate reads, and the incumbent's run kept at hand.

A run of the same source on the same candles, account and costs gives the same result (D5), so this process keeps a few
and does not repeat them. What is counted, such as looks and trials, is counted by the caller either way.
"""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any, Self

from shell.backtest.buy_and_hold import buy_and_hold_curve
from shell.backtest.fast import FastBench
from shell.backtest.job import BacktestJob
from shell.backtest.metrics import daily_returns
from shell.backtest.parallel import Outcome, run_many, run_short, workers_worth
from shell.backtest.result import BacktestResult, BacktestSettings, Metrics
from shell.errors import BrainError
from shell.gate.inputs import RunFigures
from shell.gate.runs import figures_of
from shell.host.port import StrategySource
from shell.market.history import HASH_DIGITS, History
from shell.trials.candidate import source_hash

RUNS_KEPT = 32
# Search, its short part, selection, selection under stress: the kinds of run of a night, one bench each.
BENCHES_KEPT = 4

# Source, data, account and costs, start, end, and whether the run was fast.
RunKey = tuple[str, str, str, datetime, datetime, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """What is kept of a backtest: figures and daily returns, without fills and curve. `holding_hours` is a completed trade's
    mean, `turnover` the value traded a day as a multiple of the starting cash; both 0.0 without trades."""

    metrics: Metrics
    figures: RunFigures
    daily_returns: tuple[float, ...]
    equity_hash: str
    signals: int
    refusals: tuple[tuple[str, int], ...]
    faults: tuple[str, ...]
    holding_hours: float = 0.0
    turnover: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """JSON values, without anything that depends on how fast the machine was."""
        return {
            "metrics": self.metrics.as_dict(), "skew": self.figures.skew, "kurtosis": self.figures.kurtosis,
            "equity_hash": self.equity_hash, "signals": self.signals, "refusals": dict(self.refusals),
            "faults": list(self.faults),
        }


_benches: ContextVar[Benches | None] = ContextVar("benches", default=None)
_runs: OrderedDict[RunKey, RunSummary] = OrderedDict()
_lock = Lock()


@contextmanager
def uncertified() -> Iterator[None]:
    """Every run of this block is fast, and shares a process with those of the same candles, account and period: for measuring
    the whole cycle, with strategies of our own grammar, on markets nobody trades. Such runs have a certified one's figures,
    and whatever they lead to is no evidence."""
    with Benches() as benches:
        token = _benches.set(benches)
        try:
            yield
        finally:
            _benches.reset(token)


def run(
    source: StrategySource, history: History, *, start: datetime, end: datetime, settings: BacktestSettings, data: str
) -> RunSummary:
    """One backtest, or the memory of the same one. `data` is the hash of `history`.

    Raises StrategyRejected, StrategyFault and DataError as `run_backtest` does; nothing of those is remembered.
    """
    (outcome,) = run_all([source], history, start=start, end=end, settings=settings, data=data)
    if isinstance(outcome, BrainError):
        raise outcome
    return outcome


def run_all(
    sources: Sequence[StrategySource], history: History, *, start: datetime, end: datetime,
    settings: BacktestSettings, data: str, fast: bool = False, shared: Benches | None = None,
) -> list[RunSummary | BrainError]:
    """Backtests that do not depend on one another, as `run` each, side by side where that is worth it: what each gives,
    or the error it raises, in the order of `sources`. `fast` runs have the same figures and are no evidence: one is never
    remembered in place of a certified run, a certified one serves either.

    Runs on `shared` benches are fast, and for sources that are all our own: there each begins no process of its own, unless
    they are long enough to be worth several cores."""
    benches = _benches.get()
    fast = fast or benches is not None or shared is not None
    account = _settings_key(settings)
    keys: list[RunKey] = [(source_hash(source), data, account, start, end, fast) for source in sources]
    found: dict[RunKey, RunSummary | BrainError] = {key: known for key in keys if (known := _remembered(key)) is not None}
    missing = {key: source for key, source in zip(keys, sources, strict=True) if key not in found}
    jobs = [BacktestJob(source=source, settings=settings, start=start, end=end, fast=fast) for source in missing.values()]
    if benches is None and shared is not None and workers_worth(jobs, history) == 1:
        benches = shared
    outcomes = benches.run(jobs, history, f"{data} {account}") if benches else _side_by_side(jobs, history)
    for key, outcome in zip(missing, outcomes, strict=True):
        found[key] = outcome if isinstance(outcome, BrainError) else _remember(key, summarise(outcome))
    return [found[key] for key in keys]


def _side_by_side(jobs: Sequence[BacktestJob], history: History) -> list[Outcome]:
    workers = workers_worth(jobs, history)
    if workers == 1 and len(jobs) > 1 and all(job.fast for job in jobs):
        return run_short(jobs, history)
    with closing(run_many(jobs, history, workers=workers)) as outcomes:
        return [outcome for _, outcome in outcomes]


class Benches:
    """Processes in which fast runs follow one another, one for those of the same candles, account and period; the longest
    unused given up first. Which sources may share one: see `FastBench`."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, datetime | None, datetime | None], FastBench] = OrderedDict()

    def run(self, jobs: Sequence[BacktestJob], history: History, what: str) -> list[Outcome]:
        """Each job in turn; `what` names history and account."""
        outcomes: list[Outcome] = []
        for job in jobs:
            try:
                outcomes.append(self._bench(job, history, what).run(job.source))
            except BrainError as error:
                outcomes.append(error)
        return outcomes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes."""
        while self._kept:
            self._kept.popitem()[1].close()

    def _bench(self, job: BacktestJob, history: History, what: str) -> FastBench:
        key = (what, job.start, job.end)
        if key not in self._kept:
            if len(self._kept) >= BENCHES_KEPT:
                self._kept.popitem(last=False)[1].close()
            self._kept[key] = FastBench(history, start=job.start, end=job.end, settings=job.settings)
        self._kept.move_to_end(key)
        return self._kept[key]


def _remembered(key: RunKey) -> RunSummary | None:
    with _lock:
        for kept in (key, (*key[:-1], False)):
            known = _runs.get(kept)
            if known is not None:
                _runs.move_to_end(kept)
                return known
    return None


def _remember(key: RunKey, summary: RunSummary) -> RunSummary:
    with _lock:
        _runs[key] = summary
        while len(_runs) > RUNS_KEPT:
            _runs.popitem(last=False)
    return summary


def summarise(result: BacktestResult) -> RunSummary:
    """The figures of a run."""
    hours = [(trade.closed_at - trade.opened_at).total_seconds() / 3600 for trade in result.trades]
    traded = math.fsum(float(fill.cost) for fill in result.fills)
    started = float(result.curve.values[0]) if len(result.curve.values) else 0.0
    days = max((result.end - result.start).total_seconds() / 86_400, 1.0)
    return RunSummary(
        metrics=result.metrics, figures=figures_of(result),
        daily_returns=tuple(float(value) for value in result.daily_returns),
        equity_hash=result.equity_hash, signals=result.signals,
        refusals=tuple(sorted((str(code), count) for code, count in result.refusals.items())),
        faults=tuple(result.faults),
        holding_hours=math.fsum(hours) / len(hours) if hours else 0.0,
        turnover=traded / started / days if started > 0 else 0.0,
    )


def market_returns(history: History, start: datetime, end: datetime) -> tuple[float, ...]:
    """Daily returns of equal parts of every symbol, bought at the first open of the window without a fee and held."""
    return tuple(float(value) for value in daily_returns(buy_and_hold_curve(history, start, end, 1.0, 0.0)))


def _settings_key(settings: BacktestSettings) -> str:
    values = (
        str(settings.cash), settings.paper.model_dump_json(), settings.risk.model_dump_json(), str(settings.zone),
        settings.host.model_dump_json(),
    )
    return hashlib.sha256("|".join(values).encode()).hexdigest()[:HASH_DIGITS]
