"""Bars a second of a certified backtest, against the `backtesting` library running the same rules in the same process.

    python benchmarks/bench_backtest.py [--days 90] [--seed 1] [--repeat 3]

Ours runs the strategy in its own process, behind the wall, asked on every bar, with Decimal money and risk limits; the
library calls `next()` in this process on indicators computed once as arrays. Both get one symbol of seeded synthetic
5-minute bars, a 0.40 % taker fee and no slippage. Times begin when data is loaded and libraries are imported; ours
contain the start of the strategy's process.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import backtesting.backtesting
import numpy as np
import pandas as pd
import polars as pl
from backtesting import Strategy
from backtesting.lib import FractionalBacktest
from rich.console import Console
from rich.table import Column, Table

from shell.backtest.driver import run_backtest
from shell.backtest.result import BacktestSettings
from shell.config import PaperConfig, RiskConfig
from shell.host.port import StrategySource
from shell.indicators import ema_of, rolling_mean_of, rsi_of
from shell.market.history import History
from shell.market.synthetic import synthetic_market
from shell.money import QuoteAmount

SYMBOL = "BTC/USD"
START = datetime(2023, 1, 1, tzinfo=UTC)
CASH = 1_000_000
TAKER_FEE = "0.004"
UNIT = 1e-8
STRATEGY_FILE = Path(__file__).with_name("ema_cross_strategy.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One measured run."""

    seconds: float
    trades: int
    final_value: float


class EmaCross(Strategy):  # type: ignore[misc]
    """The rules of `ema_cross_strategy.py` as a user of the library writes them."""

    def init(self) -> None:
        close, volume = np.asarray(self.data.Close), np.asarray(self.data.Volume)
        self.fast = self.I(ema_of, close, 9)
        self.slow = self.I(ema_of, close, 21)
        self.rsi = self.I(rsi_of, close, 14)
        self.mean_volume = self.I(rolling_mean_of, volume, 20)

    def next(self) -> None:
        above, was_above = self.fast[-1] > self.slow[-1], self.fast[-2] > self.slow[-2]
        if self.position:
            if was_above and not above:
                self.position.close()
        elif above and self.slow[-2] >= self.fast[-2] and self.rsi[-1] < 70:
            price = self.data.Close[-1]
            if self.data.Volume[-1] > 1.2 * self.mean_volume[-1]:
                units = int(0.10 * self.equity / (price * 1.009))
                self.buy(size=units, sl=price * 0.98, tp=price * 1.04)


def main() -> None:
    arguments = _arguments()
    history = synthetic_market(arguments.seed, [SYMBOL], START, arguments.days)
    bars = len(history.m5[SYMBOL])
    backtesting.backtesting._tqdm = lambda sequence, **_: sequence
    console = Console()
    console.print(
        f"{bars:,} synthetic 5-minute bars of {SYMBOL} (seed {arguments.seed}), EMA 9/21 cross, asked on every bar; "
        f"median of {arguments.repeat} runs after one to warm up"
    )
    table = Table("engine", *(Column(name, justify="right") for name in ("bars/s", "seconds", "trades", "final value")))
    for name, run in (
        ("trading-brain, certified", _ours(history)),
        (f"backtesting {backtesting.__version__}", _library(history)),
    ):
        run()
        runs = [run() for _ in range(arguments.repeat)]
        seconds = statistics.median(each.seconds for each in runs)
        last = runs[-1]
        table.add_row(name, f"{bars / seconds:,.0f}", f"{seconds:.2f}", f"{last.trades:,}", f"{last.final_value:,.0f}")
    console.print(table)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=90, help="days of 5-minute bars, 2 to 3650")
    parser.add_argument("--seed", type=int, default=1, help="seed of the synthetic market")
    parser.add_argument("--repeat", type=int, default=3, help="measured runs of each engine")
    arguments = parser.parse_args()
    if not 2 <= arguments.days <= 3650 or arguments.repeat < 1:
        parser.error("--days must be 2 to 3650 and --repeat at least 1")
    return arguments


def _ours(history: History) -> Callable[[], Run]:
    source = StrategySource(code=STRATEGY_FILE.read_text(encoding="utf-8"), origin=STRATEGY_FILE.name)
    unlimited = RiskConfig(
        max_daily_loss_pct=Decimal(1), max_drawdown_pct=Decimal(1), max_daily_trades=10_000,
        max_consecutive_losses=1000,
    )
    settings = BacktestSettings(
        cash=QuoteAmount(CASH), risk=unlimited, zone=ZoneInfo("UTC"),
        paper=PaperConfig(slippage_pct=Decimal(0), taker_fee_pct=Decimal(TAKER_FEE)),
    )

    def run() -> Run:
        begun = time.perf_counter()
        result = run_backtest(source, history, settings=settings)
        seconds = time.perf_counter() - begun
        return Run(seconds=seconds, trades=len(result.trades), final_value=float(result.final_value))

    return run


def _library(history: History) -> Callable[[], Run]:
    m5 = history.m5[SYMBOL]
    names = ("open", "high", "low", "close", "volume")
    index = pd.DatetimeIndex(pd.to_datetime(m5["timestamp"].dt.epoch("ms").to_list(), unit="ms"))
    frame = pd.DataFrame({name.capitalize(): m5[name].cast(pl.Float64).to_numpy() for name in names}, index=index)
    test = FractionalBacktest(
        frame, EmaCross, fractional_unit=UNIT, cash=CASH, commission=float(TAKER_FEE), finalize_trades=False
    )

    def run() -> Run:
        begun = time.perf_counter()
        result = test.run()
        return Run(
            seconds=time.perf_counter() - begun, trades=int(result["# Trades"]),
            final_value=float(result["Equity Final [$]"]),
        )

    return run


if __name__ == "__main__":
    main()
