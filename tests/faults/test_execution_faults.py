"""Every seam and fault of order handling: enumerated for short scripts, drawn for long ones. The oracle reads the exchange's books.

`make faults` runs all of it (`BRAIN_FAULT_POINTS` scales the drawn part); a few cases run every day.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from shell.config import RiskConfig
from shell.contract import Action, Signal
from tests.faults.account_world import AccountWorld
from tests.faults.drawn import drawn_price, drawn_signal
from tests.faults.execution_world import Tally, World
from tests.shell.exchange.live.stage import BTC, buy, limit_buy
from tests.thorough import THOROUGH

RISK = RiskConfig(
    max_trade_pct=Decimal("0.2"), max_position_pct=Decimal("0.25"), max_daily_loss_pct=Decimal(1), max_drawdown_pct=Decimal(1),
    max_daily_trades=10_000, max_consecutive_losses=1000, price_collar_pct=Decimal("0.2"), max_orders_per_minute=600,
)
POINTS = int(os.environ.get("BRAIN_FAULT_POINTS", "2"))

REST_FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "lost_before"}, {"kind": "lost_before", "hang": True}, {"kind": "lost_after"}, {"kind": "lost_after", "hang": True},
    {"kind": "late", "seconds": 3}, {"kind": "late", "seconds": 20}, {"kind": "late_arrival", "seconds": 3},
    {"kind": "html_before"}, {"kind": "html_after", "status": 520}, {"kind": "error_before", "error": "EService:Busy"},
    {"kind": "error_before", "error": "EAPI:Rate limit exceeded"}, {"kind": "error_before", "error": "EAPI:Invalid nonce"},
    {"kind": "error_after", "error": "EService:Timeout"}, {"kind": "partial_fill", "share": 0.3},
    {"kind": "partial_fill", "share": 0}, {"kind": "maintenance_before", "seconds": 20},
    {"kind": "maintenance_after", "seconds": 20}, {"kind": "token_expiry"}, {"kind": "clock_step", "seconds": 2},
)  # fmt: skip
# The endpoints, and how many of a script's first requests to each are struck.
SEAMS = {"AddOrder": 5, "CancelOrder": 3, "AmendOrder": 2, "OpenOrders": 1, "ClosedOrders": 1, "QueryOrders": 1, "QueryTrades": 1}
SOCKET_FAULTS = ("ws_drop", "ws_silence", "ws_lose", "ws_duplicate", "ws_reorder")


def stopped(on: World) -> None:
    """Entry, then the venue's stop fires."""
    on.host.script = {0: [buy()]}
    on.scan()
    on.settle(3, 4)
    on.price("28990.0")
    on.settle(3, 4)


def taken(on: World) -> None:
    """Entry, then the target: the stop is cancelled, what is left is sold."""
    on.host.script = {0: [buy(target=30_500.0)]}
    on.scan()
    on.settle(3, 4)
    on.price("30500.0")
    on.settle(3, 4)


def moved(on: World) -> None:
    """Entry, a moved stop, a partial sale, a close: three orders of ours."""
    on.host.script = {
        0: [buy()], 1: [Signal(BTC, Action.MODIFY, stop_loss=29_500.0)], 2: [Signal(BTC, Action.SELL, 0.03)],
        3: [Signal(BTC, Action.CLOSE)],
    }
    for _ in range(4):
        on.scan()
        on.settle(2, 4)


def killed(on: World) -> None:
    """A resting entry fills in part; then the kill switch."""
    on.host.script = {0: [limit_buy(29_900.0)]}
    on.scan()
    on.settle(1, 4)
    for order in on.open_at_exchange():
        order.ahead *= 0
    on.desk.exchange.print_trade("XBTUSD", "29900.0", "0.05")
    on.settle(1, 4)
    on.kill()
    on.settle(3, 4)


SCRIPTS: tuple[Callable[[World], None], ...] = (stopped, taken, moved, killed)


def cases(folder: Path) -> Iterator[tuple[Callable[[World], None], dict[str, Any]]]:
    """Every fault at every request that a script makes when nothing happens to it, and at its socket's first messages."""
    for script in SCRIPTS:
        on = World(folder / script.__name__, risk=RISK)
        on.step(1)
        on.client.transport.sent.clear()
        script(on)
        made = Counter(on.client.transport.sent)
        on.close()
        for seam, most in SEAMS.items():
            for skip in range(min(most, made[seam])):
                for fault in REST_FAULTS:
                    yield script, {**fault, "on": seam, "skip": skip}
        for kind in SOCKET_FAULTS:
            for skip in range(8):
                yield script, {"kind": kind, "on": "executions", "skip": skip}


def played(folder: Path, script: Callable[[World], None], fault: dict[str, Any], *, dies: bool) -> Tally:
    """One script under one fault; with `dies` the process does not outlive the script."""
    on = AccountWorld(folder, risk=RISK)
    try:
        on.step(1)
        on.plan({"faults": [fault]})
        script(on)
        if dies:
            on.restart()
        on.quiet()
        return on.judge()
    finally:
        on.close()


def check(tally: Tally, about: str) -> None:
    assert not tally.wrong.total(), f"{about}: {tally.line()}\n" + "\n".join(tally.sentences[:5])


@pytest.mark.parametrize("script", [moved, killed], ids=lambda script: script.__name__)
@pytest.mark.parametrize("kind", ["lost_after", "late"])
def test_a_lost_answer_at_the_first_order_leaves_every_invariant_whole(
    tmp_path: Path, script: Callable[[World], None], kind: str
) -> None:
    tally = played(tmp_path / "world", script, {"kind": kind, "on": "AddOrder", "seconds": 3}, dies=kind == "late")
    assert tally.ambiguous == 1
    check(tally, f"{script.__name__} with {kind}")


@pytest.mark.parametrize("mark", [pytest.param(None, marks=THOROUGH)])
@pytest.mark.timeout(3600)
def test_every_seam_with_every_fault(tmp_path: Path, mark: None) -> None:
    total, failed = Tally(), []
    for number, (script, fault) in enumerate(cases(tmp_path)):
        tally = played(tmp_path / str(number), script, fault, dies=bool(number % 2))
        total = total + tally
        if tally.wrong.total():
            failed.append(f"{script.__name__} {fault} dies={number % 2}: {tally.sentences[:3]} {dict(tally.wrong)}")
    print(f"{number + 1} seam and fault pairs; {total.line()}")
    assert not failed, f"{len(failed)} failed:\n" + "\n".join(failed[:40])


def wandered(folder: Path, seed: int, scans: int) -> Tally:
    """A long life under drawn faults: signals, prices, deaths and kills by one seed; judged after every tenth scan."""
    chance = random.Random(seed)
    on = AccountWorld(folder, risk=RISK)
    try:
        on.step(1)
        for number in range(scans):
            on.plan({"seed": chance.randrange(2**31), "rate": chance.choice((0.1, 0.3, 0.6))})
            on.host.script = {on.host.scans: [drawn_signal(chance)]}
            on.scan()
            for _ in range(chance.randint(1, 3)):
                if chance.random() < 0.15:
                    on.restart()
                if chance.random() < 0.3:
                    on.price(drawn_price(chance), tell=chance.random() < 0.8)
                on.step(chance.choice((1, 4, 12)))
            if chance.random() < 0.05:
                on.kill()
            if number % 10 == 9:
                on.quiet()
                on.judge()
                on.lift()
        on.quiet()
        return on.judge()
    finally:
        on.close()


@pytest.mark.parametrize("mark", [pytest.param(None, marks=THOROUGH)])
@pytest.mark.timeout(3600)
def test_long_lives_under_drawn_faults(tmp_path: Path, seed: int, mark: None) -> None:
    total = Tally()
    for number in range(POINTS):
        tally = wandered(tmp_path / str(number), seed + number, 40)
        check(tally, f"seed {seed + number}")
        total = total + tally
    print(f"{POINTS} lives from seed {seed}; {total.line()}")
