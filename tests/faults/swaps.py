"""A shell whose active version changes between scans while entries rest and prices tick: for tests of the hot swap.

Run as a process it swaps without end and prints a line before each swap, so that it can be killed in the middle of one.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from deployments.opening import OpenHome, account_overrides, open_replay, settings_for
from shell.contract import Action, OrderType, Signal
from shell.desk import Desk
from shell.home import Home
from shell.host.port import ScanRequest, StrategySource
from shell.market.synthetic import synthetic_market
from shell.money import Price, decimal_of
from tests.shell.promotion import honest

BEGIN = datetime(2026, 3, 2, 5, tzinfo=UTC)
STEP = timedelta(minutes=5)
SYMBOLS = ("BTC/USD", "ETH/USD")
DAYS = 6

# A market order and a limit far below the price in every second scan: something fills, something rests at every swap.
RESTLESS = '''
from shell.contract import Action, OrderType, Signal


class Strategy:
    """Number {number}."""

    scan_interval_minutes = 5

    def initialize(self, risk_limits, symbols):
        pass

    def analyze(self, markets, portfolio, timestamp):
        if portfolio.positions:
            return [Signal(position.symbol, Action.CLOSE) for position in portfolio.positions]
        price = markets["ETH/USD"].current_price
        rests = Signal("ETH/USD", Action.BUY, 0.02, order_type=OrderType.LIMIT, limit_price=price * 0.97, stop_loss=price * 0.9)
        return [Signal("BTC/USD", Action.BUY, 0.02, stop_loss=1.0), rests]

    def on_fill(self, symbol, action, qty, price, intent):
        pass

    def on_position_closed(self, symbol, pnl, pnl_pct):
        pass

    def get_state(self):
        return {{}}

    def load_state(self, state):
        pass
'''


class RestlessHost:
    """The same strategy in this process: for tests of so many swaps that a process for each would take most of the time."""

    def start(self, **_given: Any) -> int:
        return 5

    def analyze(self, request: ScanRequest) -> list[Signal]:
        if request.portfolio.positions:
            return [Signal(position.symbol, Action.CLOSE) for position in request.portfolio.positions]
        price = request.facts["ETH/USD"].quote.last
        rests = Signal("ETH/USD", Action.BUY, 0.02, order_type=OrderType.LIMIT, limit_price=price * 0.97, stop_loss=price * 0.9)
        return [Signal("BTC/USD", Action.BUY, 0.02, stop_loss=1.0), rests]

    def get_state(self) -> dict[str, Any]:
        return {}

    def close(self) -> None:
        return


def opened(folder: Path, begin: datetime = BEGIN) -> OpenHome:
    """The home in `folder`, its market at `begin`, with limits that never stand in the way of the orders."""
    home = Home.private(folder)
    settings = settings_for(home, account_overrides(SYMBOLS))
    limits = settings.risk.model_copy(update={
        "max_daily_trades": 10_000, "max_daily_loss_pct": decimal_of(1.0), "max_drawdown_pct": decimal_of(1.0),
        "duplicate_window": timedelta(0), "max_consecutive_losses": 1000, "max_orders_per_minute": 600,
        "rollback_daily_loss_pct": decimal_of(1.0),
    })
    settings = settings.model_copy(update={"risk": limits})
    history = synthetic_market(5, SYMBOLS, BEGIN - timedelta(days=40), 40 + DAYS)
    return open_replay(home, settings, history, begin, BEGIN + timedelta(days=DAYS))


def ready(held: OpenHome, number: int) -> str:
    """A candidate with the evidence that a promotion asks for."""
    now, store = held.shell.now, held.store
    name = honest.gated(store, StrategySource(code=RESTLESS.format(number=number)), now, sharpe=1.0)
    honest.tried(store, name, now)
    return name


def work(held: OpenHome, steps: int) -> None:
    """Scan, and let a live price tick between two scans."""
    shell = held.shell
    for _ in range(steps):
        now = shell.now + STEP
        shell.step(now, origin="fault test")
        for symbol in SYMBOLS:
            if (price := shell.market.price(symbol)) is not None:
                shell.on_price(symbol, Price(price.value), now + timedelta(seconds=20))


def swap(held: OpenHome, number: int) -> None:
    """Every third change goes back to the version before, the others go on to a new one."""
    if number % 3 == 2:
        Desk(held.shell).rollback("a test goes back", held.shell.now)
    else:
        Desk(held.shell).promote(ready(held, number), held.shell.now)


def main(folder: Path, begin: datetime, first: int) -> None:
    """One life of the process."""
    held = opened(folder, begin)
    held.shell.start(begin)
    number = first
    while True:
        work(held, 1)
        print(number, flush=True)
        swap(held, number)
        number += 1


if __name__ == "__main__":
    main(Path(sys.argv[1]), datetime.fromisoformat(sys.argv[2]), int(sys.argv[3]))
