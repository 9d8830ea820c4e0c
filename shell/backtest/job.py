"""One backtest among many, as a value that can be handed to another process."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shell.backtest.driver import run_backtest
from shell.backtest.fast import run_fast
from shell.backtest.result import BacktestResult, BacktestSettings
from shell.backtest.run import Progress
from shell.clock import to_ms
from shell.errors import DataError
from shell.host.port import StrategySource
from shell.market.aggregate import closed_only
from shell.market.bars import Tier
from shell.market.history import History


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestJob:
    """What `run_backtest` is asked, without the history, which many jobs share.

    `fast`: history and engine run inside the strategy's locked process, the same books in less time, but never evidence.
    `sealed`: every bar that closes after `end` is taken out of the history before anything runs, so that neither engine
    nor strategy could see one if it tried: for fitting, where what comes after `end` is the test.
    """

    source: StrategySource
    settings: BacktestSettings
    start: datetime | None = None
    end: datetime | None = None
    fast: bool = False
    sealed: bool = False


def run_job(job: BacktestJob, history: History, progress: Progress | None = None) -> BacktestResult:
    """The job's backtest. Raises as `run_backtest` does, a fast one as `run_fast`."""
    seen = _sealed(history, job.start, job.end) if job.sealed and job.end is not None else history
    run = run_fast if job.fast else run_backtest
    return run(job.source, seen, start=job.start, end=job.end, settings=job.settings, progress=progress)


def history_until(history: History, end: datetime) -> History:
    """The history as it was at `end`: the bars of every tier that had closed, of the same symbols."""
    end_ms = to_ms(end)
    return History(
        m5={symbol: closed_only(frame, Tier.M5, end_ms) for symbol, frame in history.m5.items()},
        h1={symbol: closed_only(frame, Tier.H1, end_ms) for symbol, frame in history.h1.items()},
        d1={symbol: closed_only(frame, Tier.D1, end_ms) for symbol, frame in history.d1.items()},
        source=history.source, real=history.real,
    )


def _sealed(history: History, start: datetime | None, end: datetime) -> History:
    """`history_until` of `end`. Raises DataError when that leaves no bar after `start`."""
    seen = history_until(history, end)
    if start is not None and not any(len(frame) and frame["timestamp"][-1] >= start for frame in seen.m5.values()):
        raise DataError(f"there are no bars between {start:%Y-%m-%d %H:%M} and {end:%Y-%m-%d %H:%M} UTC")
    return seen
