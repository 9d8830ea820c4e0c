"""A live step: the time from a slot to its signals, for ten symbols with full windows.

    python benchmarks/live_step.py [--steps 200] [--symbols 10] [--seed 1] [--json]

The real engine and the real strategy host, over the wall: reveal the bars that closed, fill and protect, mark, send, wait
for the strategy's answer, check the signals, submit to the paper gateway. Not in it: the network before, the database
after. Between two steps the process rests, so that each finds the strategy's process asleep, as a live one does.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from figures import LIVE_MS_MAX
from workload import CASH, ROOT, SEED, START, SYMBOLS, ema_cross, unlimited

from shell.backtest.run import MemoryJournal
from shell.book_setup import fees_of, new_engine, pairs_of
from shell.config import HostConfig, PaperConfig
from shell.engine import Engine
from shell.host.port import StrategySource
from shell.host.supervisor import HostedStrategy
from shell.market.aggregate import aggregate_rows
from shell.market.bars import DAY_MS, Tier
from shell.market.book import MarketBook, ReplayFeed
from shell.market.frames import rows_of, to_frame
from shell.market.history import History
from shell.market.synthetic import synthetic_market
from shell.money import QuoteAmount
from shell.portfolio.ledger import CapitalEvent
from shell.promotion.workspace import Workspace

STEP = timedelta(minutes=5)
STEPS = 200
STEPS_MAX = 2_000
REST_SECONDS = 0.025


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Milliseconds of the steps of one strategy. `scans` is the part the engine itself notes for every scan."""

    start: float
    first: float
    steps: list[float]
    hours: list[float]
    scans: list[float]
    signals: int
    faults: int
    windows: dict[str, int]
    isolation: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Facts for a table and for JSON; `hours` are the steps on a full hour, at which slow strategies wake."""
        return {
            "start_ms": self.start, "first_ms": self.first, "steps": len(self.steps), **_spread(self.steps),
            "on_the_hour": {"steps": len(self.hours), **_spread(self.hours)}, "scan": _spread(self.scans),
            "signals": self.signals, "faults": self.faults, "windows": self.windows, "isolation": self.isolation,
        }


def main() -> None:
    arguments = _arguments()
    history, start = full_history(arguments.symbols, arguments.steps, arguments.seed)
    sources = {"active strategy": Workspace(ROOT / "strategy").active(), "EMA cross": ema_cross()}
    facts = {name: measure(source, history, start, arguments.steps).as_dict() for name, source in sources.items()}
    if arguments.json:
        sys.stdout.write(json.dumps({"symbols": arguments.symbols, "target_ms": LIVE_MS_MAX, "strategies": facts}) + "\n")
        return
    for name, each in facts.items():
        hour = each["on_the_hour"]
        print(
            f"{name}: median {each['median_ms']:.2f} ms, 95th percentile {each['p95_ms']:.2f} ms, "
            f"worst {each['max_ms']:.2f} ms\n"
            f"  {each['steps']} steps, {each['signals']} signals, {each['faults']} faults; windows {each['windows']}\n"
            f"  on a full hour: median {hour['median_ms']:.2f} ms, worst {hour['max_ms']:.2f} ms\n"
            f"  start of the process {each['start_ms']:.0f} ms, first step {each['first_ms']:.1f} ms"
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=STEPS, help=f"steps measured, 13 to {STEPS_MAX}")
    parser.add_argument("--symbols", type=int, default=len(SYMBOLS), help=f"1 to {len(SYMBOLS)}")
    parser.add_argument("--seed", type=int, default=SEED, help="seed of the synthetic market")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line of stdout")
    arguments = parser.parse_args()
    if not 13 <= arguments.steps <= STEPS_MAX or not 1 <= arguments.symbols <= len(SYMBOLS):
        parser.error(f"--steps must be 13 to {STEPS_MAX} and --symbols 1 to {len(SYMBOLS)}")
    return arguments


def full_history(symbols: int, steps: int, seed: int) -> tuple[History, datetime]:
    """Bars that fill every window at the returned moment, and `steps` + 1 slots beyond it.

    The days are hours under another date: seven years of 5-minute bars would take longer to invent than the measurement.
    """
    kept_days = {tier: tier.kept_ms // DAY_MS for tier in Tier}
    before = kept_days[Tier.H1] + 1
    ahead = -(-(steps + 1) * int(STEP.total_seconds()) // 86_400)
    every = synthetic_market(seed, SYMBOLS[:symbols], START, before + ahead)
    start = START + timedelta(days=before)
    m5, h1, d1 = {}, {}, {}
    for symbol, frame in every.m5.items():
        rows = rows_of(frame)
        first = int(rows[0, 0]) + (before - kept_days[Tier.M5]) * DAY_MS
        m5[symbol] = to_frame(rows[rows[:, 0] >= first])
        hours = aggregate_rows(rows[rows[:, 0] < first], Tier.H1)
        days = np.array(hours[-kept_days[Tier.D1] :], order="F")
        days[:, 0] = first - DAY_MS * np.arange(len(days), 0, -1)
        h1[symbol], d1[symbol] = to_frame(hours), to_frame(days)
    return History(m5=m5, h1=h1, d1=d1, source=every.source), start


def measure(source: StrategySource, history: History, start: datetime, steps: int) -> Timing:
    """Start the strategy, let it see its first slot, then time `steps` more."""
    host = HostedStrategy(source, HostConfig())
    engine = _engine(host, history, start, start + (steps + 2) * STEP)
    windows = {key[1].value: len(rows) for key, rows in engine.market.windows().items()}
    try:
        begun = time.perf_counter()
        engine.start_host()
        started = (time.perf_counter() - begun) * 1000
        timed = [_step(engine, start + number * STEP) for number in range(steps + 1)]
    finally:
        engine.close()
    rest = timed[1:]
    return Timing(
        start=started, first=timed[0].milliseconds, steps=[each.milliseconds for each in rest],
        hours=[each.milliseconds for each in rest if each.at.minute == 0], scans=[each.scan for each in rest],
        signals=sum(each.signals for each in timed), faults=sum(each.fault for each in timed), windows=windows,
        isolation=dict(host.isolation),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step; `milliseconds` from the slot to the engine's record, `scan` what the record says of the scan."""

    at: datetime
    milliseconds: float
    scan: float
    signals: int
    fault: bool


def _step(engine: Engine, now: datetime) -> Step:
    time.sleep(REST_SECONDS)
    begun = time.perf_counter()
    record = engine.step(now, origin="benchmark")
    milliseconds = (time.perf_counter() - begun) * 1000
    scan = record.scan
    if scan is None:
        raise SystemExit(f"no scan was made at {now:%Y-%m-%d %H:%M}: the strategy's interval is not 5 minutes")
    return Step(at=now, milliseconds=milliseconds, scan=scan.milliseconds, signals=scan.signals, fault=bool(record.faults))


def _engine(host: HostedStrategy, history: History, start: datetime, end: datetime) -> Engine:
    paper = PaperConfig()
    market = MarketBook(
        history.symbols, ReplayFeed(history, history.symbols, start, end), spread_pct=float(paper.spread_pct)
    )
    market.preload(history, start)
    engine = new_engine(
        book="benchmark", version="v001", market=market, host=host, journal=MemoryJournal(), paper=paper, risk=unlimited(),
        host_config=HostConfig(), zone=ZoneInfo("UTC"), pairs=pairs_of(history), fees=fees_of(history.symbols, paper),
    )
    engine.add_capital(CapitalEvent(amount=QuoteAmount(CASH), at=start, reason="benchmark capital"))
    return engine


def _spread(milliseconds: list[float]) -> dict[str, float]:
    median, p95, worst = np.percentile(milliseconds, [50, 95, 100])
    return {"median_ms": float(median), "p95_ms": float(p95), "max_ms": float(worst)}


if __name__ == "__main__":
    main()
