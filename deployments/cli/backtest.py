"""`brain backtest`: one backtest over a data folder, certified or fast."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.console import Console

from deployments.cli.core import Core, CoreOption, on_core
from deployments.cli.given import fraction, moment, positive
from deployments.cli.output import JsonFlag, answer, command, console_for, percent, progress, table

if TYPE_CHECKING:
    from shell.backtest.result import BacktestResult
    from shell.market.folder import FolderData
    from shell.money import Price

StrategyOption = Annotated[Path, typer.Option("--strategy", help="A strategy file (defines a class Strategy).")]
DataOption = Annotated[Path, typer.Option("--data", help="A folder with BTC-USD_5m.parquet (or .csv) files.")]


@command
def backtest(
    strategy: StrategyOption,
    data: DataOption,
    symbols: Annotated[str, typer.Option(help="Comma-separated, BTC-USD,ETH-USD; default: all in the folder.")] = "",
    start: Annotated[str, typer.Option(help="First day or time, UTC; earlier bars are warm-up.")] = "",
    end: Annotated[str, typer.Option(help="Last day or time, UTC.")] = "",
    cash: Annotated[str, typer.Option(help="Starting cash in the quote currency.")] = "10000",
    fee_taker: Annotated[str, typer.Option(help="Taker fee as a fraction: 0.004 is 0.40 %.")] = "0.004",
    fee_maker: Annotated[str, typer.Option(help="Maker fee as a fraction.")] = "0.0025",
    slippage: Annotated[
        str, typer.Option(help="Slippage of market orders as a fraction; 0: exactly the next open, without spread.")
    ] = "0.0005",
    risk_limits: Annotated[Path | None, typer.Option(help="A risk_limits.toml; default: the project's.")] = None,
    fast: Annotated[
        bool, typer.Option("--fast", help="History and engine in the strategy's own locked process: not evidence for the gate.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Kept for the record; a run has no randomness.")] = 0,
    core: CoreOption = Core.AUTO,
    as_json: JsonFlag = False,
) -> None:
    """Run one strategy over history, the strategy in its host, one fresh process.

    Certified without --fast: the strategy's process then never holds a bar of the future, nor its own books. A refused
    strategy exits 1 with the reasons.
    """
    ran_on = on_core("backtest", core)
    from shell.backtest.driver import run_backtest
    from shell.backtest.fast import run_fast
    from shell.backtest.result import BacktestSettings
    from shell.config import PaperConfig
    from shell.home import Home
    from shell.market.folder import read_folder
    from shell.money import QuoteAmount
    from shell.promotion.workspace import Workspace
    from shell.settings_file import load_risk_limits

    console = console_for(as_json)
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
    found = read_folder(data, [each for each in symbols.split(",") if each.strip()] or None)
    with progress(console) as bar:
        task = bar.add_task("backtest", total=None)
        result = (run_fast if fast else run_backtest)(
            source, found.history, start=first, end=last, settings=settings,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if as_json:
        answer(_facts(result, found, seed, ran_on))
    else:
        _show(console, strategy.name, result, ran_on)


def _facts(result: BacktestResult, found: FolderData, seed: int, ran_on: str) -> dict[str, Any]:
    """The JSON object of the command; money as the nearest JSON numbers, exact to 15 digits."""
    return {
        "metrics": result.metrics.as_dict() | {"fees": result.metrics.fees},
        "fills": [
            {
                "timestamp": fill.filled_at, "symbol": fill.symbol, "side": fill.side.value, "qty": float(fill.qty),
                "price": float(fill.price), "fee": float(fill.fee), "liquidity": fill.liquidity.value,
                "purpose": fill.intent.purpose.value, "order_type": fill.intent.order_type.value,
                "decided_at": fill.intent.decided_at, "limit_price": _number_or_none(fill.intent.limit_price),
                "stop_loss": _number_or_none(fill.intent.stop_loss), "take_profit": _number_or_none(fill.intent.take_profit),
            }
            for fill in result.fills
        ],
        "trades": [
            {
                "symbol": trade.symbol, "qty": float(trade.qty), "entry_price": float(trade.entry_price),
                "exit_price": float(trade.exit_price), "pnl": float(trade.pnl), "pnl_pct": trade.pnl_pct,
                "fees": float(trade.fees), "opened_at": trade.opened_at, "closed_at": trade.closed_at,
                "exit": trade.exit_purpose,
            }
            for trade in result.trades
        ],
        "final_value": float(result.final_value), "equity_hash": result.equity_hash, "bars": result.bars,
        "steps": result.steps, "signals": result.signals, "refusals": dict(result.refusals), "halts": dict(result.halts),
        "faults": list(result.faults), "seconds": round(result.seconds, 3),
        "bars_per_second": round(result.bars / result.seconds, 1) if result.seconds else 0.0,
        "certified": result.certified, "core": ran_on, "start": result.start, "end": result.end, "seed": seed,
        "data": {"source": found.history.source, "real": found.history.real, **found.report.as_dict()},
    }


def _show(console: Console, name: str, result: BacktestResult, ran_on: str) -> None:
    metrics = result.metrics
    rows = [
        ["return", percent(metrics.total_return_pct)], ["buy and hold", percent(metrics.buy_and_hold_return_pct)],
        ["max drawdown", percent(-metrics.max_drawdown_pct)], ["Sharpe (365 days)", f"{metrics.sharpe:.2f}"],
        ["trades", str(metrics.trades)], ["win rate", f"{metrics.win_rate:.0%}"], ["fees", f"{metrics.fees:,.2f}"],
        ["final value", f"{float(result.final_value):,.2f}"],
        ["bars", f"{result.bars:,} in {result.seconds:.1f} s"], ["core", ran_on], ["equity hash", result.equity_hash[:16]],
    ]
    title = f"{name}, {result.start:%Y-%m-%d} to {result.end:%Y-%m-%d} UTC"
    console.print(f"[bold]{title}[/]", soft_wrap=True)
    console.print(table("", ["", ""], rows, right=(1,)))
    if not result.certified:
        console.print("fast run: not evidence for the gate")
    if result.refusals:
        console.print("refused signals: " + ", ".join(f"{code} {count}" for code, count in result.refusals.most_common()))


def _number_or_none(price: Price | None) -> float | None:
    return None if price is None else float(price)
