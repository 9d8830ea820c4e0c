"""`brain biases`: does a strategy, or the data it is fed, know what it could not have known?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deployments.cli.backtest import DataOption, StrategyOption
from deployments.cli.many_runs import EndOption, Prepared, StartOption, SymbolsOption, data_facts, prepare
from deployments.cli.output import FAILED, JsonFlag, answer, command, console_for, progress

if TYPE_CHECKING:
    from shell.backtest.biases.finding import BiasReport

COLOURS = {"clean": "green", "unknown": "bold yellow", "biased": "bold red"}


@command
def biases(
    strategy: StrategyOption,
    data: DataOption,
    symbols: SymbolsOption = "",
    start: StartOption = "",
    end: EndOption = "",
    as_json: JsonFlag = False,
) -> None:
    """Look for look-ahead and warm-up bias: cut, poison and replace the future, delay, restart, shorten the past.

    Exit code 1 when something is biased, 0 otherwise. Unknown is no pass: the sentence says what is missing, mostly days.
    """
    from shell.backtest.biases.finding import BiasVerdict
    from shell.backtest.biases.probe import run_biases
    from shell.clock import monotonic

    console = console_for(as_json)
    begun = monotonic()
    prepared = prepare(
        strategy=strategy, data=data, symbols=symbols, start=start, end=end, cash="10000", fee_taker="0.004",
        fee_maker="0.0025", slippage="0.0005", risk_limits=None,
    )
    job = prepared.job
    with progress(console) as bar:
        task = bar.add_task("plain run", total=None)
        report = run_biases(
            job.source, prepared.found.history, settings=job.settings, start=job.start, end=job.end,
            progress=lambda what, done, total: bar.update(task, description=what, completed=done, total=total),
        )
    seconds = monotonic() - begun
    if as_json:
        answer({**report.as_dict(), "seconds": round(seconds, 3), "data": data_facts(prepared)})
    else:
        _show(console, strategy.name, report, prepared, seconds)
    if report.verdict is BiasVerdict.BIASED:
        raise typer.Exit(FAILED)


def _show(console: Console, name: str, report: BiasReport, prepared: Prepared, seconds: float) -> None:
    from shell.backtest.biases.finding import BiasVerdict

    colour = COLOURS[report.verdict.value]
    symbols = ", ".join(prepared.found.history.symbols)
    console.print(
        f"[bold]{escape(name)}[/], {report.start:%Y-%m-%d} to {report.end:%Y-%m-%d} UTC, {escape(symbols)}: "
        f"[{colour}]{report.verdict.value}[/] ({report.signals} signals, {report.trades} trades, {seconds:.0f} s)",
        soft_wrap=True,
    )
    rows = Table(header_style="dim", box=None, pad_edge=False)
    for column in ("check", "verdict"):
        rows.add_column(column, no_wrap=True)
    rows.add_column("", overflow="fold")
    for finding in report.findings:
        verdict = finding.verdict.value
        rows.add_row(finding.check.replace("_", " "), f"[{COLOURS[verdict]}]{verdict}[/]", escape(finding.sentence))
    console.print(rows)
    unknown = report.of(BiasVerdict.UNKNOWN)
    if unknown:
        console.print(
            f"[bold yellow]{len(unknown)} of {len(report.findings)} checks could not be made: that is no pass.[/]",
            soft_wrap=True,
        )
