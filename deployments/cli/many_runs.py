"""What `brain search` and `brain walk-forward` share: their options, the job they vary, a bar with an end in sight."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from deployments.cli.given import fraction, moment, positive

if TYPE_CHECKING:
    from shell.backtest.job import BacktestJob
    from shell.backtest.parallel import Runs
    from shell.market.folder import FolderData

SymbolsOption = Annotated[str, typer.Option("--symbols", help="Comma-separated, BTC-USD,ETH-USD; default: all in the folder.")]
StartOption = Annotated[str, typer.Option("--start", help="First day or time, UTC; earlier bars are warm-up.")]
EndOption = Annotated[str, typer.Option("--end", help="Last day or time, UTC.")]
CashOption = Annotated[str, typer.Option("--cash", help="Starting cash of every run, in the quote currency.")]
TakerOption = Annotated[str, typer.Option("--fee-taker", help="Taker fee as a fraction: 0.004 is 0.40 %.")]
MakerOption = Annotated[str, typer.Option("--fee-maker", help="Maker fee as a fraction.")]
SlippageOption = Annotated[str, typer.Option("--slippage", help="Slippage of market orders as a fraction.")]
LimitsOption = Annotated[Path | None, typer.Option("--risk-limits", help="A risk_limits.toml; default: the project's.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Draws the settings to try; the same seed tries the same ones.")]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", help="Runs at once; default: as many as keep the cores busy. Changes no result.")
]
ClusterOption = Annotated[
    str, typer.Option("--cluster", help="Run on a Dask cluster: its scheduler's address, or local:N. Changes no result.")
]
FastOption = Annotated[
    bool, typer.Option("--fast/--certified", help="Fast: history and engine inside the strategy's locked process.")
]
MinTradesOption = Annotated[
    int, typer.Option("--min-trades", min=1, help="Trades below which a run's Sharpe ratio is marked down.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """One backtest as the options describe it, and its data."""

    job: BacktestJob
    found: FolderData


def prepare(
    *, strategy: Path, data: Path, symbols: str, start: str, end: str, cash: str, fee_taker: str, fee_maker: str,
    slippage: str, risk_limits: Path | None, fast: bool = False,
) -> Prepared:
    """Read what the options name. Raises UsageError, DataError, SettingsError, and StrategyRejected before anything runs."""
    from shell.backtest.job import BacktestJob
    from shell.backtest.result import BacktestSettings
    from shell.config import PaperConfig
    from shell.home import Home
    from shell.host.policy import require_policy
    from shell.market.folder import read_folder
    from shell.money import QuoteAmount
    from shell.promotion.workspace import Workspace
    from shell.settings_file import load_risk_limits

    first, last = moment("--start", start), moment("--end", end)
    paper = PaperConfig(
        slippage_pct=fraction("--slippage", slippage), maker_fee_pct=fraction("--fee-maker", fee_maker),
        taker_fee_pct=fraction("--fee-taker", fee_taker),
    )
    settings = BacktestSettings(
        cash=QuoteAmount(positive("--cash", cash)), paper=paper, zone=ZoneInfo("UTC"),
        risk=load_risk_limits(risk_limits or Home.project().config / "risk_limits.toml"),
    )
    source = Workspace(Home.project().workspace).read(strategy)
    require_policy(source)
    found = read_folder(data, [each for each in symbols.split(",") if each.strip()] or None)
    return Prepared(job=BacktestJob(source=source, settings=settings, start=first, end=last, fast=fast), found=found)


def period_of_run(prepared: Prepared) -> tuple[datetime, datetime]:
    """From when to when the job runs: what was asked, within what the data holds."""
    from shell.market.book import period_of

    first, last = period_of(prepared.found.history.m5.values())
    start, end = prepared.job.start or first, min(prepared.job.end or last, last)
    return start, end


@contextmanager
def runs_on(cluster: str, workers: int) -> Iterator[tuple[Runs, int]]:
    """What runs the jobs, and how many at once: this machine's `workers`, or those of the cluster that is named."""
    from shell.backtest.parallel import run_many

    if not cluster:
        yield run_many, workers
        return
    from deployments.cluster.backtests import ClusterRuns
    from deployments.cluster.connection import connected

    with connected(cluster) as connection:
        yield ClusterRuns(connection), connection.slots


def bar_with_end(console: Console) -> Progress:
    """A progress bar that says how long it will still take; it draws nothing but a final line where there is no terminal."""
    return Progress(
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(),
        TextColumn("left"), TimeRemainingColumn(), console=console,
    )


def data_facts(prepared: Prepared) -> dict[str, Any]:
    """Where the prices came from, as JSON values."""
    found = prepared.found
    return {"source": found.history.source, "real": found.history.real, **found.report.as_dict()}


def shown(values: Mapping[str, float]) -> str:
    """Parameter values in one line."""
    return ", ".join(f"{name} {value:g}" for name, value in values.items())
