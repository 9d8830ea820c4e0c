"""The backtests of the proof, and one process that makes them: `main()` with the tree to be judged first on sys.path.

The last line of stdout is one JSON object: what every run came to, in words that lose nothing, and which modules are
machine code.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib.machinery import EXTENSION_SUFFIXES
from zoneinfo import ZoneInfo

import numpy as np

from compiled.modules import MODULES
from compiled.strategies import INDICATORS, NARROW, NONSENSE, ODD, RAISES, REFUSED, crossing, gambler
from shell.backtest.driver import run_backtest
from shell.backtest.fast import run_fast
from shell.backtest.job import BacktestJob
from shell.backtest.parallel import run_many
from shell.backtest.result import BacktestResult, BacktestSettings
from shell.backtest.run import MemoryJournal
from shell.config import HostConfig, PaperConfig, RiskConfig
from shell.errors import BrainError
from shell.host.port import StrategySource
from shell.market.history import History
from shell.market.synthetic import synthetic_market
from shell.money import QuoteAmount

START = datetime(2023, 3, 9, tzinfo=UTC)
SYMBOLS = ("BTC/USD", "ETH/USD", "SOL/USD")
_FREE = PaperConfig(
    slippage_pct=Decimal(0), spread_pct=Decimal(0), maker_fee_pct=Decimal(0), taker_fee_pct=Decimal(0),
)
_COSTS = PaperConfig(limit_entry_expiry=timedelta(hours=3))
_WIDE = RiskConfig(
    max_trade_pct=Decimal("0.4"), max_position_pct=Decimal("0.5"), max_daily_loss_pct=Decimal(1), max_drawdown_pct=Decimal(1),
    max_daily_trades=10_000, max_consecutive_losses=1000, max_orders_per_minute=600, duplicate_window=timedelta(0),
)
_TIGHT = RiskConfig(
    max_daily_loss_pct=Decimal("0.004"), max_drawdown_pct=Decimal("0.02"), max_daily_trades=40, max_consecutive_losses=5,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One strategy on one market under one account; `begins` leaves bars before it as warm-up."""

    name: str
    source: StrategySource
    seed: int
    days: int = 6
    symbols: int = 3
    holes: bool = False
    zone: str = "UTC"
    paper: PaperConfig = field(default_factory=PaperConfig)
    risk: RiskConfig = _WIDE
    begins: timedelta = timedelta(0)
    gliding: bool = True

    def history(self) -> History:
        made = synthetic_market(self.seed, SYMBOLS[: self.symbols], START, self.days)
        return with_holes(made) if self.holes else made

    def settings(self) -> BacktestSettings:
        return BacktestSettings(
            cash=QuoteAmount("10000.50"), paper=self.paper, risk=self.risk, zone=ZoneInfo(self.zone),
            host=HostConfig(max_consecutive_faults=4),
        )


# The days hold 12 March 2023, on which New York's clocks went forward.
CASES = (
    Case(name="all orders, New York, holes", source=gambler(10, 0.1, 0.002), seed=1, holes=True, zone="America/New_York",
         paper=_COSTS),
    Case(name="all orders, limits met, Kolkata", source=gambler(7, 0.1), seed=2, risk=_TIGHT, zone="Asia/Kolkata",
         paper=_COSTS),
    Case(name="hourly, no costs, warmed up", source=gambler(60, 0.5), seed=3, paper=_FREE, begins=timedelta(days=1, minutes=7)),
    Case(name="every slot stepped through", source=gambler(15, 0.1), seed=3, gliding=False, days=3, paper=_COSTS),
    Case(name="refusals", source=REFUSED, seed=4, risk=RiskConfig(max_positions=2, max_daily_loss_pct=Decimal("0.5")), days=4),
    Case(name="refusals, staged by cash", source=REFUSED, seed=5, risk=_WIDE, days=4, holes=True),
    Case(name="nonsense", source=NONSENSE, seed=6, symbols=2),
    Case(name="odd values", source=ODD, seed=14, symbols=2),
    Case(name="raises until it is stopped", source=RAISES, seed=7, symbols=1),
    Case(name="narrow stops, no costs", source=NARROW, seed=8, paper=_FREE, holes=True),
    Case(name="narrow stops, costs, halts", source=NARROW, seed=9, paper=_COSTS, risk=_TIGHT, zone="Europe/Zurich"),
    Case(name="indicators", source=INDICATORS, seed=10, days=40, begins=timedelta(days=30)),
    Case(name="crossing 9/21", source=crossing(9, 21), seed=11, days=30),
    Case(name="crossing 60/240, one symbol", source=crossing(60, 240), seed=12, symbols=1, days=40),
)


def with_holes(history: History) -> History:
    """The history without its first bars here and there, single bars, and half a day in the middle."""
    kept = {}
    for number, (symbol, frame) in enumerate(history.m5.items()):
        rows = np.arange(len(frame))
        gone = (rows % 97 == number) | ((rows > 400) & (rows < 544)) | (rows < 31 * number)
        kept[symbol] = frame.filter(~gone)
    return replace(history, m5=kept)


def outcomes() -> Iterator[tuple[str, list[str]]]:
    """Every run by name, and its facts line by line."""
    for case in CASES:
        history, settings, start = case.history(), case.settings(), START + case.begins
        journal = MemoryJournal()
        try:
            result = run_backtest(case.source, history, start=start, settings=settings, journal=journal, gliding=case.gliding)
        except BrainError as error:
            yield f"{case.name}, certified", [repr(error), *_kept(journal)]
        else:
            yield f"{case.name}, certified", [*_facts(result), *_kept(journal)]
        try:
            yield f"{case.name}, fast", _facts(run_fast(case.source, history, start=start, settings=settings))
        except BrainError as error:
            yield f"{case.name}, fast", [repr(error)]
    # In processes of their own, to which settings are sent and which send back books.
    case = CASES[0]
    jobs = [BacktestJob(source=case.source, settings=case.settings(), fast=fast) for fast in (False, True)]
    for number, done in run_many(jobs, case.history(), workers=2):
        yield f"{case.name}, sent, {'fast' if jobs[number].fast else 'certified'}", (
            _facts(done) if isinstance(done, BacktestResult) else [repr(done)]
        )


def _facts(result: BacktestResult) -> list[str]:
    curve = result.curve
    return [
        *map(repr, result.fills), *map(repr, result.trades), repr(result.metrics), repr(result.final_value),
        repr(result.equity_hash), curve.times_ms.tobytes().hex(), curve.values.tobytes().hex(),
        result.daily_returns.tobytes().hex(), repr((result.bars, result.steps, result.signals, result.certified)),
        repr(sorted(result.refusals.items())), repr(sorted(result.halts.items())), *result.faults,
        repr((result.start, result.end)),
    ]


def _kept(journal: MemoryJournal) -> list[str]:
    return [*map(repr, journal.answers), *map(repr, journal.halts), *journal.faults]


def machine_code() -> list[str]:
    """Those of the listed modules that are compiled here."""
    names = (name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in MODULES)
    return [
        name for name in names if str(importlib.import_module(name).__file__).endswith(tuple(EXTENSION_SUFFIXES))
    ]


def main() -> None:
    """Make every run."""
    sys.stdout.write(json.dumps({"runs": dict(outcomes()), "compiled": machine_code()}) + "\n")
