"""Walk-forward: fit on some days, test on the days right after, step on, and look only at the tests.

A fit sees nothing of its test: bars that close after the training days are taken out of the history before it runs.
Every run is one fresh process of the strategy's, so nothing is carried from one window to the next either.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

import numpy as np

from shell.backtest.buy_and_hold import buy_and_hold_return
from shell.backtest.job import BacktestJob
from shell.backtest.metrics import compute_metrics, daily_returns, moments_of
from shell.backtest.overfitting import probabilistic_sharpe_ratio
from shell.backtest.parallel import JobsProgress, Outcome, Runs, run_many
from shell.backtest.result import BacktestResult, BacktestSettings, EquityCurve, Metrics
from shell.backtest.search import Plan, Trial, Values, best_of, trial_of, with_settings
from shell.clock import from_ms, to_ms
from shell.errors import BadInput, BrainError
from shell.market.bars import Tier
from shell.market.history import History

DAYS_MAX = 3_650


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Training days and the test days right behind them; aware UTC, each end excluded."""

    train_start: datetime
    train_end: datetime
    test_end: datetime

    @property
    def test_start(self) -> datetime:
        return self.train_end


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowResult:
    """What was fitted in one window and what it did afterwards; `result` is None when that run broke: `error` says why."""

    window: Window
    values: Values
    fitted: Trial
    result: BacktestResult | None
    error: BrainError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfSample:
    """All tests as one account. `skill` is the probability that its Sharpe ratio is above zero (PSR), None with the
    `reason` when it cannot be computed."""

    metrics: Metrics
    skill: float | None
    reason: str = ""


def windows_of(
    start: datetime, end: datetime, train_days: int, test_days: int, *, anchored: bool = False
) -> tuple[Window, ...]:
    """Windows whose tests follow one another without a hole; `anchored` ones all train from `start`.

    Days at the end that make no whole test are left over. Raises BadInput when not even one window fits.
    """
    for name, days in (("training", train_days), ("test", test_days)):
        if not 1 <= days <= DAYS_MAX:
            raise BadInput(f"{days} {name} days are out of range: 1 to {DAYS_MAX:,}")
    # On the 5-minute grid, as the driver would put the start itself.
    first = from_ms(-(-to_ms(start) // Tier.M5.ms) * Tier.M5.ms)
    train, test = timedelta(days=train_days), timedelta(days=test_days)
    count = (end - first - train) // test
    if count < 1:
        raise BadInput(
            f"{train_days} training and {test_days} test days do not fit between {start:%Y-%m-%d %H:%M} and "
            f"{end:%Y-%m-%d %H:%M} UTC"
        )
    edges = [first + train + at * test for at in range(count)]
    return tuple(
        Window(train_start=first if anchored else edge - train, train_end=edge, test_end=edge + test) for edge in edges
    )


def walk_forward(
    job: BacktestJob, history: History, plan: Plan, windows: Sequence[Window], *, trades_needed: int,
    workers: int | None = None, progress: JobsProgress | None = None, run: Runs = run_many,
) -> tuple[WindowResult, ...]:
    """Fit `job` in every window with the settings of `plan`, then test each window's best. Fits are fast if `job` is, tests
    are certified.

    Raises the first trial's error of a window in which no setting could be run to the end.
    """
    total = len(windows) * (len(plan.settings) + 1)
    fits = [
        replace(job, source=with_settings(job.source, values), start=window.train_start, end=window.train_end, sealed=True)
        for window in windows for values in plan.settings
    ]
    settings = [values for _ in windows for values in plan.settings]
    with closing(run(fits, history, workers=workers, progress=_share(progress, 0, total))) as outcomes:
        trials = [trial_of(settings[number], outcome) for number, outcome in outcomes]
    size = len(plan.settings)
    chosen = [_best(trials[at * size : (at + 1) * size], trades_needed) for at in range(len(windows))]
    tests = [
        replace(
            job, source=with_settings(job.source, best.values), start=window.test_start, end=window.test_end, fast=False,
            sealed=True,
        )
        for window, best in zip(windows, chosen, strict=True)
    ]
    with closing(run(tests, history, workers=workers, progress=_share(progress, len(fits), total))) as outcomes:
        return tuple(_tested(windows[number], chosen[number], outcome) for number, outcome in outcomes)


def out_of_sample(results: Sequence[WindowResult], history: History, settings: BacktestSettings) -> OutOfSample:
    """All tests behind one another: returns, Sharpe ratio and drawdown of an account that carries its value on, trade
    figures and fees as they were, each window having begun with the same cash, exposure weighted by length.

    Raises the error of the first test that broke: an account cannot leave out the days it does not like.
    """
    runs: list[BacktestResult] = []
    for each in results:
        if each.result is None:
            raise each.error or BadInput("a test has no result")
        runs.append(each.result)
    cash = float(settings.cash)
    curve = stitched([run.curve for run in runs], cash)
    metrics = compute_metrics(
        curve, [trade for run in runs for trade in run.trades], fees_paid=sum(run.metrics.fees for run in runs),
        starting_cash=cash, buy_and_hold_return_pct=buy_and_hold_return(
            history, results[0].window.test_start, results[-1].window.test_end,
            taker_fee_pct=float(settings.paper.taker_fee_pct),
        ),
    )
    lengths = np.array([(run.end - run.start).total_seconds() for run in runs])
    exposure = float(np.average([run.metrics.exposure_pct for run in runs], weights=lengths))
    moments = moments_of(daily_returns(curve))
    metrics = replace(metrics, exposure_pct=exposure)
    try:
        skill = probabilistic_sharpe_ratio(moments.sharpe, 0.0, moments.n_obs, moments.skew, moments.kurtosis)
    except BadInput as refusal:
        return OutOfSample(metrics=metrics, skill=None, reason=str(refusal))
    return OutOfSample(metrics=metrics, skill=skill)


def stitched(curves: Sequence[EquityCurve], cash: float) -> EquityCurve:
    """One curve from curves that each begin with `cash`: every one goes on from where the one before ended."""
    times, values, value = [], [], cash
    for number, curve in enumerate(curves):
        # The first mark of a later curve is the last moment of the one before, when nothing had been done yet.
        kept = slice(1 if number else 0, None)
        times.append(curve.times_ms[kept])
        values.append(curve.values[kept] * (value / cash))
        value = float(curve.values[-1]) * (value / cash)
    return EquityCurve(times_ms=np.concatenate(times), values=np.concatenate(values))


def _best(trials: Sequence[Trial], trades_needed: int) -> Trial:
    return trials[best_of(trials, trades_needed)]


def _tested(window: Window, fitted: Trial, outcome: Outcome) -> WindowResult:
    if isinstance(outcome, BacktestResult):
        return WindowResult(window=window, values=fitted.values, fitted=fitted, result=outcome)
    return WindowResult(window=window, values=fitted.values, fitted=fitted, result=None, error=outcome)


def _share(progress: JobsProgress | None, before: int, total: int) -> JobsProgress | None:
    """What one of two phases reports, told as a share of both."""
    return None if progress is None else partial(_tell, progress, before, total)


def _tell(progress: JobsProgress, before: int, total: int, done: float, _jobs: int) -> None:
    progress(before + done, total)
