"""Where the time of a certified backtest goes: the strategy's process, this process, steps, orders.

    python benchmarks/profile_backtest.py [--days 30] [--symbols 1] [--seed 1] [--repeat 1] [--cprofile [--sort tottime]]
    python benchmarks/profile_backtest.py --fast ...                 the fast path instead

CPU seconds are the kernel's: this process's own, and those of children that have ended. The strategy's process contains
its start (about 0.4 s, most of it imports), which `--empty` measures: the same run with a strategy that answers nothing.
A `--cprofile` run is several times slower; read its shares, not its seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import cProfile
import pstats
import resource
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Column, Table
from workload import BARS_A_DAY, SEED, SYMBOLS, account, ema_cross, market

from shell.backtest.driver import run_backtest
from shell.backtest.result import BacktestResult
from shell.backtest.run import MemoryJournal
from shell.engine import Engine
from shell.host.port import StrategySource
from shell.host.supervisor import HostedStrategy
from shell.market.history import History
from shell.orders import ApprovedOrder

# The ways over the wall while a backtest runs.
CROSSINGS = ("analyze", "step", "roll")

EMPTY_STRATEGY = '''
class Strategy:
    scan_interval_minutes = 5

    def initialize(self, risk_limits, symbols):
        pass

    def analyze(self, markets, portfolio, timestamp):
        return []

    def on_fill(self, symbol, action, qty, price, intent):
        pass

    def on_position_closed(self, symbol, pnl, pnl_pct):
        pass

    def get_state(self):
        return {}

    def load_state(self, state):
        pass
'''


class CountingJournal(MemoryJournal):
    """A backtest's journal that counts the orders written ahead."""

    orders = 0

    def write_ahead(self, orders: Sequence[ApprovedOrder]) -> None:
        self.orders += len(orders)


@dataclass(slots=True)
class Calls:
    """How often a method was called, and the seconds inside it."""

    count: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """One run's cost, in seconds. `start` is the wait for the strategy's process to be ready, part of `wall`."""

    wall: float
    start: float
    own_cpu: float
    child_cpu: float
    engine_steps: int
    crossings: Mapping[str, int]
    orders: int
    result: BacktestResult


def main() -> None:
    arguments = _arguments()
    history = market(arguments.days, arguments.symbols, arguments.seed)
    source = StrategySource(code=EMPTY_STRATEGY) if arguments.empty else ema_cross()
    run = _fast(source, history) if arguments.fast else _certified(source, history)
    profile = cProfile.Profile() if arguments.cprofile else None
    splits = [_measured(run, profile) for _ in range(arguments.repeat)]
    console = Console(width=None if Console().is_terminal else 120, highlight=False)
    console.print(_table(splits, arguments.symbols * arguments.days * BARS_A_DAY, "fast" if arguments.fast else "certified"))
    if profile is not None:
        pstats.Stats(profile).strip_dirs().sort_stats(arguments.sort).print_stats(arguments.lines)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=30, help="days of 5-minute bars, 2 to 3650")
    parser.add_argument("--symbols", type=int, default=1, help=f"1 to {len(SYMBOLS)}")
    parser.add_argument("--seed", type=int, default=SEED, help="seed of the synthetic market")
    parser.add_argument("--repeat", type=int, default=1, help="runs, each shown")
    parser.add_argument("--empty", action="store_true", help="a strategy that answers nothing: the boundary and engine alone")
    parser.add_argument("--fast", action="store_true", help="the fast path: engine and history in the strategy's process")
    parser.add_argument("--cprofile", action="store_true", help="profile this process's Python functions")
    parser.add_argument("--sort", default="tottime", help="order of the profile: tottime or cumulative")
    parser.add_argument("--lines", type=int, default=45, help="lines of the profile")
    arguments = parser.parse_args()
    if not 2 <= arguments.days <= 3650 or not 1 <= arguments.symbols <= len(SYMBOLS) or arguments.repeat < 1:
        parser.error(f"--days must be 2 to 3650, --symbols 1 to {len(SYMBOLS)} and --repeat at least 1")
    return arguments


Run = Callable[[], tuple[BacktestResult, int]]


def _certified(source: StrategySource, history: History) -> Run:
    def run() -> tuple[BacktestResult, int]:
        journal = CountingJournal()
        return run_backtest(source, history, settings=account(), journal=journal), journal.orders

    return run


def _fast(source: StrategySource, history: History) -> Run:
    from shell.backtest.fast import run_fast

    def run() -> tuple[BacktestResult, int]:
        result = run_fast(source, history, settings=account())
        return result, len(result.fills)

    return run


def _measured(run: Run, profile: cProfile.Profile | None) -> Split:
    with contextlib.ExitStack() as watching:
        steps = watching.enter_context(_watched(Engine, "step"))
        starts = watching.enter_context(_watched(Engine, "start_host", timed=True))
        crossings = {
            name: watching.enter_context(_watched(HostedStrategy, name)) for name in CROSSINGS if hasattr(HostedStrategy, name)
        }
        own, children, begun = _cpu(resource.RUSAGE_SELF), _cpu(resource.RUSAGE_CHILDREN), time.perf_counter()
        with profile or contextlib.nullcontext():
            result, orders = run()
        return Split(
            wall=time.perf_counter() - begun, start=starts.seconds, own_cpu=_cpu(resource.RUSAGE_SELF) - own,
            child_cpu=_cpu(resource.RUSAGE_CHILDREN) - children, engine_steps=steps.count,
            crossings={name: calls.count for name, calls in crossings.items()}, orders=orders, result=result,
        )


@contextlib.contextmanager
def _watched(owner: type, name: str, *, timed: bool = False) -> Iterator[Calls]:
    """Count a method's calls while the block runs. It costs 0.1 us a call, only where the method is called."""
    original, calls = getattr(owner, name), Calls()

    def counting(*args: object, **kwargs: object) -> object:
        calls.count += 1
        return original(*args, **kwargs)

    def timing(*args: object, **kwargs: object) -> object:
        calls.count += 1
        begun = time.perf_counter()
        try:
            return original(*args, **kwargs)
        finally:
            calls.seconds += time.perf_counter() - begun

    setattr(owner, name, timing if timed else counting)
    try:
        yield calls
    finally:
        setattr(owner, name, original)


def _cpu(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def _table(splits: list[Split], bars: int, path: str) -> Table:
    table = Table(
        f"{path}, {bars:,} bars", *(Column(f"run {number}", justify="right") for number in range(1, len(splits) + 1)), box=None
    )
    rows = [_cells(split, bars) for split in splits]
    for name in rows[0]:
        table.add_row(name, *(row[name] for row in rows))
    return table


def _cells(split: Split, bars: int) -> dict[str, str]:
    result = split.result
    return {
        "bars/s": f"{bars / split.wall:,.0f}",
        "wall s": f"{split.wall:.3f}",
        "  waiting for the start": f"{split.start:.3f}",
        "CPU s here": f"{split.own_cpu:.3f}",
        "CPU s strategy's process": f"{split.child_cpu:.3f}",
        "us a bar after the start": f"{(split.wall - split.start) / bars * 1e6:.2f}",
        "slots": f"{result.steps:,}",
        "calls of Engine.step": f"{split.engine_steps:,}",
        **{f"calls of HostedStrategy.{name}": f"{count:,}" for name, count in split.crossings.items()},
        "orders": f"{split.orders:,}",
        "fills": f"{len(result.fills):,}",
        "trades": f"{len(result.trades):,}",
        "signals refused": f"{result.refusals.total():,}",
        "faults": f"{len(result.faults):,}",
        "final value": f"{float(result.final_value):,.2f}",
        "equity hash": result.equity_hash[:12],
    }


if __name__ == "__main__":
    main()
