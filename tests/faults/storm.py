"""Storms of lost answers: at every scan orders leave, and nine of ten answers are lost, late or wrong; one seed, one storm.

A storm has few steps beside its scans, so that ten thousand doubtful orders fit into minutes. Its database is as durable as
any (`synchronous=FULL` at every intent); where it lies is the caller's choice.
"""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from shell.config import RiskConfig
from shell.contract import Action, OrderType, Signal
from tests.faults.execution_world import Tally, World
from tests.shell.exchange.live.stage import BTC, buy, limit_buy

SCANS = 60
# Limits that bind: a few entries reach them, so a reservation that was forgotten would be seen.
RISK = RiskConfig(
    max_trade_pct=Decimal("0.1"), max_position_pct=Decimal("0.25"), max_daily_loss_pct=Decimal(1), max_drawdown_pct=Decimal(1),
    max_daily_trades=10_000, max_consecutive_losses=1000, price_collar_pct=Decimal("0.2"), max_orders_per_minute=600,
    duplicate_window=timedelta(0),
)
# Nobody knows after any of these what became of the order.
NO_ANSWERS: tuple[dict[str, Any], ...] = (
    {"kind": "lost_after"}, {"kind": "lost_after", "hang": True}, {"kind": "late", "seconds": 3}, {"kind": "late", "seconds": 20},
    {"kind": "html_after", "status": 520}, {"kind": "html_after", "status": 504}, {"kind": "error_after", "error": "EService:Timeout"},
    {"kind": "lost_before"}, {"kind": "lost_before", "hang": True}, {"kind": "html_before", "status": 502},
    {"kind": "error_before", "error": "EService:Busy"}, {"kind": "late_arrival", "seconds": 3},
)  # fmt: skip
READS = ("OpenOrders", "ClosedOrders", "QueryOrders", "QueryTrades")


def weather(chance: random.Random) -> dict[str, Any]:
    """Faults for one scan: nine in ten of its orders have no answer, and now and then a question or a cancel fails, too."""
    without = [{**fault, "on": "AddOrder", "times": 1000, "chance": 0.2} for fault in chance.sample(NO_ANSWERS, len(NO_ANSWERS))]
    partial = {"kind": "partial_fill", "share": chance.choice((0, 0.3, 0.7)), "on": "AddOrder", "times": 2, "chance": 0.1}
    cancel = {**chance.choice(NO_ANSWERS), "on": "CancelOrder", "times": 1, "chance": 0.3}
    read = {"kind": chance.choice(("html_before", "lost_before")), "on": chance.choice(READS), "times": 1, "chance": 0.2}
    socket = {"kind": chance.choice(("ws_lose", "ws_duplicate", "ws_reorder", "ws_drop")), "on": "executions", "chance": 0.02}
    return {"seed": chance.randrange(2**31), "faults": [partial, *without, cancel, read, {**socket, "times": 3}]}


def orders(chance: random.Random) -> list[Signal]:
    """A scan's signals: often a way out of some or all of it, and always an entry, resting or marketable."""
    wanted: list[Signal] = []
    drawn = chance.random()
    if drawn < 0.25:
        wanted.append(Signal(BTC, Action.SELL, 0.02))
    elif drawn < 0.45:
        wanted.append(Signal(BTC, Action.CLOSE))
    elif drawn < 0.5:
        wanted.append(Signal(BTC, Action.CLOSE, order_type=OrderType.LIMIT, limit_price=30_400.0))
    entry = chance.random()
    if entry < 0.3:
        wanted.append(limit_buy(29_900.0, 29_000.0, size=0.04))
    elif entry < 0.6:
        wanted.append(limit_buy(30_050.0, 29_000.0, size=0.04))
    else:
        wanted.append(buy(29_000.0, size=0.06))
    return wanted


def storm(folder: Path, seed: int, *, scans: int = SCANS) -> Tally:
    """One storm, and what its oracle found once it was over."""
    chance = random.Random(seed)
    on = World(folder, risk=RISK)
    try:
        on.step(1)
        for _ in range(scans):
            on.plan(weather(chance))
            on.host.script = {on.host.scans: orders(chance)}
            on.scan()
            if chance.random() < 0.05:
                on.restart()
            if chance.random() < 0.3:
                on.price(f"{chance.choice((29_990, 29_850, 29_450, 30_100))}.0", tell=chance.random() < 0.8)
            # An order is looked for fifteen seconds after its answer was given up, and once more.
            on.step(16)
            on.step(chance.choice((6, 60)))
        on.quiet()
        return on.judge()
    finally:
        on.close()
