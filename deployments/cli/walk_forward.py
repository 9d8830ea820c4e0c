"""`brain walk-forward`: fit on some days, test on the next ones, again and again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from deployments.cli.backtest import DataOption, StrategyOption
from deployments.cli.core import Core, CoreOption, on_core
from deployments.cli.many_runs import (
    CashOption,
    ClusterOption,
    EndOption,
    FastOption,
    LimitsOption,
    MakerOption,
    MinTradesOption,
    Prepared,
    SeedOption,
    SlippageOption,
    StartOption,
    SymbolsOption,
    TakerOption,
    WorkersOption,
    bar_with_end,
    data_facts,
    period_of_run,
    prepare,
    runs_on,
    shown,
)
from deployments.cli.output import JsonFlag, answer, command, console_for, percent, table

if TYPE_CHECKING:
    from shell.backtest.walk_forward import OutOfSample, WindowResult

ONCE = (
    "These days were not looked at while fitting, once. Whoever changes the strategy, the days or the seed and runs this "
    "again until it looks good has searched on them, too."
)


@command
def walk_forward(
    strategy: StrategyOption,
    data: DataOption,
    train_days: Annotated[int, typer.Option(min=1, help="Days each fit may see.")] = 60,
    test_days: Annotated[int, typer.Option(min=1, help="Days right after, on which what was fitted is run.")] = 20,
    anchored: Annotated[bool, typer.Option("--anchored", help="Train every window from the very start.")] = False,
    symbols: SymbolsOption = "",
    start: StartOption = "",
    end: EndOption = "",
    trials: Annotated[int, typer.Option(help="Settings to try in each window.")] = 12,
    seed: SeedOption = 0,
    workers: WorkersOption = None,
    cluster: ClusterOption = "",
    fast: FastOption = True,
    min_trades: MinTradesOption = 10,
    cash: CashOption = "10000",
    fee_taker: TakerOption = "0.004",
    fee_maker: MakerOption = "0.0025",
    slippage: SlippageOption = "0.0005",
    risk_limits: LimitsOption = None,
    core: CoreOption = Core.AUTO,
    as_json: JsonFlag = False,
) -> None:
    """Fit a strategy's parameters on training days and run the best on the days right after, window by window.

    No bar of a test is there while its window is fitted. The windows run side by side, on all cores; fits are fast
    unless --certified, tests are always certified.
    """
    from shell.backtest.parallel import workers_for
    from shell.backtest.search import plan_search
    from shell.backtest.walk_forward import out_of_sample, windows_of
    from shell.backtest.walk_forward import walk_forward as walk
    from shell.clock import monotonic

    ran_on = on_core("walk-forward", core, cluster=cluster)
    console = console_for(as_json)
    begun, count = monotonic(), workers_for(workers, fast=fast)
    prepared = prepare(
        strategy=strategy, data=data, symbols=symbols, start=start, end=end, cash=cash, fee_taker=fee_taker,
        fee_maker=fee_maker, slippage=slippage, risk_limits=risk_limits, fast=fast,
    )
    first, last = period_of_run(prepared)
    windows = windows_of(first, last, train_days, test_days, anchored=anchored)
    plan = plan_search(prepared.job.source, trials, seed)
    runs = len(windows) * (len(plan.settings) + 1)
    history = prepared.found.history
    with runs_on(cluster, count) as (run, count), bar_with_end(console) as bar:
        task = bar.add_task(f"{len(windows)} windows, {runs} runs, {min(count, runs)} at once", total=runs)
        results = walk(
            prepared.job, history, plan, windows, trades_needed=min_trades, workers=workers, run=run,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    combined = out_of_sample(results, history, prepared.job.settings)
    seconds = monotonic() - begun
    left_over = (last - windows[-1].test_end).total_seconds() / 86_400
    if as_json:
        facts = _facts(results, combined, prepared, seed, seconds, count, len(plan.settings), left_over)
        answer(facts | {"core": ran_on})
    else:
        _show(console, strategy.name, results, combined, seconds, count, len(plan.settings), left_over, ran_on)


def _facts(
    results: Sequence[WindowResult], combined: OutOfSample, prepared: Prepared, seed: int, seconds: float, workers: int,
    trials: int, left_over: float,
) -> dict[str, Any]:
    return {
        "windows": [
            {
                "train": {
                    **_span(each.window.train_start, each.window.train_end),
                    "metrics": each.fitted.metrics.as_dict() if each.fitted.metrics else None,
                },
                "test": _span(each.window.test_start, each.window.test_end),
                "parameters": dict(each.values),
                "metrics": each.result.metrics.as_dict() if each.result else None,
            }
            for each in results
        ],
        "combined": combined.metrics.as_dict(), "probabilistic_sharpe_ratio": combined.skill,
        "trials_per_window": trials, "days_left_over": left_over, "seed": seed, "seconds": seconds, "workers": workers,
        "certified": True, "fits_certified": not prepared.job.fast, "recorded": False,
        "notes": [skill_sentence(combined), ONCE], "data": data_facts(prepared),
    }


def skill_sentence(combined: OutOfSample) -> str:
    """What the tests say together."""
    if combined.skill is None:
        return f"No probability can be computed from the tests: {combined.reason}."
    return (
        f"The probability that the Sharpe ratio of the test days is above zero (probabilistic Sharpe ratio) is "
        f"{combined.skill:.3f}, over {combined.metrics.days} days."
    )


def _show(
    console: Console, name: str, results: Sequence[WindowResult], combined: OutOfSample, seconds: float, workers: int,
    trials: int, left_over: float, ran_on: str,
) -> None:
    console.print(
        f"[bold]{name}[/]: {len(results)} windows, {trials} settings fitted in each, in {seconds:.1f} s, {workers} at once, "
        f"{ran_on} core",
        soft_wrap=True,
    )
    rows = [_row(each) for each in results]
    columns = ["test from", "to", "Sharpe fitted", "tested", "return", "max drawdown", "trades"]
    console.print(table("", columns, rows, right=(2, 3, 4, 5, 6)))
    for each in results:
        console.print(f"fitted for {each.window.test_start:%Y-%m-%d}: {shown(each.values)}", soft_wrap=True, markup=False)
    metrics = combined.metrics
    console.print(
        f"all tests: {percent(metrics.total_return_pct)} (buying and holding {percent(metrics.buy_and_hold_return_pct)}), "
        f"Sharpe {metrics.sharpe:.2f}, max drawdown {percent(-metrics.max_drawdown_pct)}, {metrics.trades} trades",
        soft_wrap=True,
    )
    if left_over >= 1:
        console.print(f"the last {left_over:.0f} days make no whole test and were left over")
    console.print(skill_sentence(combined), soft_wrap=True)
    console.print(f"[yellow]{ONCE}[/] This run is recorded nowhere.", soft_wrap=True)


def _row(each: WindowResult) -> list[str]:
    fitted = each.fitted.metrics
    metrics = each.result.metrics if each.result else None
    assert fitted, "the best of a fit has figures"
    assert metrics, "the tests were combined, so all of them ran"
    return [
        f"{each.window.test_start:%Y-%m-%d}", f"{each.window.test_end:%Y-%m-%d}", f"{fitted.sharpe:.2f}",
        f"{metrics.sharpe:.2f}", percent(metrics.total_return_pct), percent(-metrics.max_drawdown_pct), str(metrics.trades),
    ]


def _span(start: datetime, end: datetime) -> dict[str, datetime]:
    return {"start": start, "end": end}
