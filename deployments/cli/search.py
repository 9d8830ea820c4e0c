"""`brain search`: many settings of one strategy's parameters over one stretch of history."""

from __future__ import annotations

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
    from shell.backtest.search import Luck, SearchResult, Trial

ROWS_SHOWN = 10
NOT_EVIDENCE = (
    "A search result is not evidence: it is the best of what was tried on prices that were looked at to choose it. "
    "`brain walk-forward` shows what such a choice does on days it has not seen."
)
NOT_RECORDED = "This search of a folder is recorded nowhere; searches of a home are logged and count at its gate."


@command
def search(
    strategy: StrategyOption,
    data: DataOption,
    symbols: SymbolsOption = "",
    start: StartOption = "",
    end: EndOption = "",
    trials: Annotated[int, typer.Option(help="Settings to try; every combination when there are no more.")] = 50,
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
    """Try many values of the parameters a strategy declares, on all cores, and say how much of the best is luck.

    The declared values come first. Ranked by daily Sharpe ratio, less a penalty for missing trades.
    """
    from shell.backtest.parallel import workers_for
    from shell.backtest.search import plan_search
    from shell.backtest.search import search as search_settings
    from shell.clock import monotonic

    ran_on = on_core("search", core, cluster=cluster)
    console = console_for(as_json)
    begun, count = monotonic(), workers_for(workers, fast=fast)
    prepared = prepare(
        strategy=strategy, data=data, symbols=symbols, start=start, end=end, cash=cash, fee_taker=fee_taker,
        fee_maker=fee_maker, slippage=slippage, risk_limits=risk_limits, fast=fast,
    )
    plan = plan_search(prepared.job.source, trials, seed)
    with runs_on(cluster, count) as (run, slots), bar_with_end(console) as bar:
        count = min(slots, len(plan.settings))
        task = bar.add_task(f"{len(plan.settings)} settings, {count} at once", total=len(plan.settings))
        result = search_settings(
            prepared.job, prepared.found.history, plan, trades_needed=min_trades, workers=count, run=run,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    seconds = monotonic() - begun
    if as_json:
        answer(_facts(result, prepared, seed, seconds, count) | {"core": ran_on})
    else:
        _show(console, strategy.name, result, prepared, seconds, count, ran_on)


def _facts(result: SearchResult, prepared: Prepared, seed: int, seconds: float, workers: int) -> dict[str, Any]:
    first, last = period_of_run(prepared)
    return {
        "trials": [trial_facts(trial) for trial in result.trials],
        "best": trial_facts(result.trials[result.best]) | {"trial": result.best},
        "deflated_sharpe_ratio": result.luck.probability, "expected_maximum_daily_sharpe": result.luck.expected_maximum,
        "tried": result.luck.tried, "combinations": result.plan.combinations, "exhaustive": result.plan.exhaustive,
        "seed": seed, "seconds": seconds, "workers": workers, "certified": not prepared.job.fast, "recorded": False,
        "notes": [luck_sentence(result.luck), NOT_EVIDENCE, NOT_RECORDED], "start": first, "end": last,
        "data": data_facts(prepared),
    }


def trial_facts(trial: Trial) -> dict[str, Any]:
    """One setting and its figures as JSON values; `metrics` is null and `error` says why when it broke."""
    return {
        "parameters": dict(trial.values), "metrics": trial.metrics.as_dict() if trial.metrics else None,
        "error": str(trial.error) if trial.error else None,
    }


def luck_sentence(luck: Luck) -> str:
    """What the number of tries does to the best of them."""
    if luck.probability is None:
        return f"{luck.tried} settings were tried; no deflated Sharpe ratio can be computed: {luck.reason}."
    return (
        f"{luck.tried} settings were tried. The best of as many without any skill would be expected to show a daily Sharpe "
        f"ratio of {luck.expected_maximum:.3f}; the probability that this one has more than luck (deflated Sharpe ratio) is "
        f"{luck.probability:.3f}."
    )


def _show(
    console: Console, name: str, result: SearchResult, prepared: Prepared, seconds: float, workers: int, ran_on: str
) -> None:
    first, last = period_of_run(prepared)
    how = "all combinations" if result.plan.exhaustive else f"of {result.plan.combinations:,} combinations"
    console.print(
        f"[bold]{name}[/], {first:%Y-%m-%d} to {last:%Y-%m-%d} UTC: {len(result.trials)} settings ({how}) in "
        f"{seconds:.1f} s, {workers} at once, {ran_on} core", soft_wrap=True,
    )
    numbers = sorted(
        (number for number, trial in enumerate(result.trials) if trial.metrics), reverse=True,
        key=lambda number: trial.metrics.daily_sharpe if (trial := result.trials[number]).metrics else 0.0,
    )
    others = [number for number in numbers if number not in (result.best, 0)]
    rows = [_row(number, result) for number in dict.fromkeys([result.best, *others[: ROWS_SHOWN - 2], 0])]
    columns = ["trial", "Sharpe (365 days)", "return", "max drawdown", "trades", ""]
    console.print(table("", columns, rows, right=(0, 1, 2, 3, 4)))
    console.print(f"best: {shown(result.trials[result.best].values)}", soft_wrap=True, markup=False)
    broken = [trial for trial in result.trials if trial.error]
    if broken:
        console.print(f"{len(broken)} settings could not be run to the end; the first: {broken[0].error}", markup=False)
    console.print(luck_sentence(result.luck), soft_wrap=True)
    console.print(f"[yellow]{NOT_EVIDENCE}[/]", soft_wrap=True)
    console.print(NOT_RECORDED, soft_wrap=True)


def _row(number: int, result: SearchResult) -> list[str]:
    trial = result.trials[number]
    words = ["best"] * (number == result.best) + ["as declared"] * (number == 0)
    if trial.metrics is None:
        return [str(number), "", "", "", "", ", ".join([*words, str(trial.error)])]
    return [
        str(number), f"{trial.metrics.sharpe:.2f}", percent(trial.metrics.total_return_pct),
        percent(-trial.metrics.max_drawdown_pct), str(trial.metrics.trades), ", ".join(words),
    ]
