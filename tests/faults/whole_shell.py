"""Lives of the whole shell in live mode, each ended by SIGKILL at a drawn moment, on one exchange that lives on and has faults.

At the same time answers are lost, late or wrong, orders fill in part, the private socket is cut, loses, doubles and reorders.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from shell.exchange.simulator.desk import Desk
from shell.exchange.simulator.faults import read_plan
from shell.exchange.simulator.hosting import Hosted, hosted
from shell.exchange.simulator.system import SystemState
from shell.exchange.simulator.tape import tape_of
from shell.exchange.simulator.venue import Rules
from shell.main_book import MAIN_BOOK
from shell.market.synthetic import synthetic_market
from shell.store.books import read_fills
from shell.store.store import Store
from tests.faults.busy_book import SYMBOLS
from tests.faults.execution_world import Tally

ROOT = Path(__file__).resolve().parents[2]
START = datetime(2026, 3, 2, 12, 3, tzinfo=UTC)
BEGIN = datetime(2026, 2, 25, tzinfo=UTC)
SPEED = 40.0
COINS = {"BTC/USD": "XXBT", "ETH/USD": "XETH"}
# Coins that are not the system's: a sale of too much is possible, and would be seen.
EXTERNAL = Decimal(1)
# A quarter of the lives end so long after they opened a socket, in the middle of their start; the others at the exchange's
# first, second or third new order, a moment after it.
SECONDS_MOST = 9.0
ORDERS_MOST, ORDER_SECONDS, MOMENT_SECONDS = 3, 40.0, 0.3
CALM_SECONDS = 240.0
# What strikes besides; not what takes real seconds or sets the exchange's clock, which at this speed are minutes and hours.
KINDS = (
    "lost_before", "lost_after", "late", "late_arrival", "html_before", "html_after", "error_before", "error_after",
    "partial_fill", "maintenance_before", "maintenance_after", "token_expiry", "ws_drop", "ws_lose", "ws_duplicate", "ws_reorder",
)
RATES = (0, 0.1, 0.3)
START_SECONDS = 180.0


class Household:
    """One home, one exchange, and one process at a time between them."""

    def __init__(self, folder: Path, exchange: Hosted) -> None:
        self.folder = folder
        self.exchange = exchange
        told = exchange.addresses()
        self._words = [str(SPEED), *(told[name] for name in ("rest", "ws", "ws_auth", "key", "secret"))]
        self.complaint = folder.parent / "complaint.txt"
        self.faults = 0

    def begin(self, mood: str) -> subprocess.Popen[str]:
        with self.complaint.open("w") as complaint:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.faults.shell_life", str(self.folder), *self._words, mood], cwd=ROOT, text=True,
                stdout=subprocess.PIPE, stderr=complaint, env={**os.environ, "PYTHONPATH": str(ROOT)}, start_new_session=True,
            )

    def killed(self, chance: random.Random) -> bool:
        """One life until its drawn end; False when it was refused at its start. Raises AssertionError when it ended otherwise."""
        self.plan({"seed": chance.randrange(2**31), "rate": chance.choice(RATES), "kinds": KINDS})
        before, placed, wanted = self.exchange.do(connections), self.exchange.do(orders), chance.randint(0, ORDERS_MOST)
        process = self.begin("busy")
        try:
            deadline = time.monotonic() + START_SECONDS
            while self.exchange.do(connections) == before and process.poll() is None:
                assert time.monotonic() < deadline, f"it did not reach the exchange in {START_SECONDS:g} s"
                time.sleep(0.05)
            deadline = time.monotonic() + ORDER_SECONDS
            while self.exchange.do(orders) < placed + wanted and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.01)
            time.sleep(chance.uniform(0, MOMENT_SECONDS if wanted else SECONDS_MOST))
            ended = process.poll()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        complaint = self.complaint.read_text()
        # At this speed a machine that is busy for a moment seems to have a wrong clock, and a fault may strike the order that
        # is only tried at the start: both are refused, as they must be.
        assert ended is None or "live mode is refused" in complaint, complaint[-3000:]
        return ended is None

    def plan(self, given: Mapping[str, Any]) -> None:
        """What goes wrong from now on; what did is counted."""

        def change(desk: Desk) -> None:
            self.faults += len(desk.rest.plan.struck)
            desk.rest.plan = read_plan(given)
            if desk.exchange.venue.state is not SystemState.ONLINE:
                desk.exchange.set_state(SystemState.ONLINE)

        self.exchange.do(change)

    def calmed(self) -> None:
        """The last life sells everything, without a fault, and ends in order."""
        self.plan({"faults": []})
        before = self.exchange.do(connections)
        process = self.begin("calm")
        try:
            deadline = time.monotonic() + CALM_SECONDS
            # Both sockets first: a signal to a process that only starts ends it without a word.
            while time.monotonic() < deadline and self.exchange.do(
                lambda desk: connections(desk) < before + 2 or holdings(desk) or entries(desk)
            ):
                assert process.poll() is None, self.complaint.read_text()[-3000:]
                time.sleep(0.5)
            # A look at everything that is open comes every minute of theirs.
            time.sleep(2 + 120 / SPEED)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=START_SECONDS)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
        assert process.returncode == 0, self.complaint.read_text()[-3000:]


def connections(desk: Desk) -> int:
    """How many sockets were ever opened: those of the dead are closed whenever that is noticed."""
    return desk._connections


def orders(desk: Desk) -> int:
    """How many orders there ever were, the stops that fills brought about among them."""
    return len(desk.exchange.venue.orders)


def holdings(desk: Desk) -> dict[str, Decimal]:
    """The coins that the system bought and did not sell."""
    accounts = desk.exchange.venue.accounts
    return {coin: left for coin in COINS.values() if (left := accounts.balance(coin) - EXTERNAL)}


def entries(desk: Desk) -> list[Any]:
    return [order for order in desk.exchange.venue.open.values() if order.side == "buy"]


def judged(folder: Path, desk: Desk) -> Tally:
    """Our books as they lie on the disk beside the exchange's own."""
    tally, venue = Tally(), desk.exchange.venue
    names = Counter(order.request.cl_ord_id for order in venue.orders.values() if order.request.cl_ord_id)
    tally.submissions = sum(names.values())
    tally.wrong["I1"] += sum(count - 1 for count in names.values())
    with Store.open(folder / "brain.db", read_only=True) as store:
        with store.reading() as connection:
            booked = Counter(fill.fill_id for _, fill in read_fills(connection, MAIN_BOOK))
        state = store.books.load(MAIN_BOOK)
        problems = [*venue.accounts.check(), *store.books.check(MAIN_BOOK)]
        if not store.events.verify():
            problems.append("the event log's chain is broken")
    tally.fills = sum(booked.values())
    tally.wrong["lost"] += len(venue.trades.keys() - booked.keys())
    tally.wrong["doubled"] += sum(booked.values()) - len(booked) + len(booked.keys() - venue.trades.keys())
    assert state is not None
    held = {COINS[symbol]: position.qty.value for symbol, position in state.ledger.positions.items()}
    cash = venue.accounts.balance("ZUSD")
    if (state.ledger.cash.value, held) != (cash, holdings(desk)):
        problems.append(f"we say {state.ledger.cash} and {held}, the exchange {cash} and {holdings(desk)}")
    for problem in problems:
        tally.blame("I3", problem)
    for order in entries(desk):
        tally.blame("stuck", f"entry {order.txid} is left open")
    return tally


def written(path: Path, desk: Desk) -> None:
    """The exchange's own side of a series, to be read beside the home: its orders, and its trades in their order."""
    venue = desk.exchange.venue
    path.write_text("\n".join(repr(each) for each in (*venue.orders.values(), *venue.trades.values())))


def shell_lives(folder: Path, seed: int, number: int) -> Tally:
    """So many lives, each killed, and one that ends in order; the account's books against ours."""
    chance = random.Random(seed)
    tape = tape_of(synthetic_market(seed, SYMBOLS, BEGIN, 14), START, seed=seed, prints=6)
    with hosted(tape, Rules(seed=seed, balances=(("ZUSD", Decimal(10_000)),)), speed=SPEED) as exchange:
        for coin in ("XBT", "ETH"):
            exchange.do(lambda desk, coin=coin: desk.exchange.deposit(coin, EXTERNAL))  # type: ignore[misc]
        house = Household(folder / "home", exchange)
        kills = 0
        for _ in range(3 * number):
            kills += house.killed(chance)
            if kills == number:
                break
        house.calmed()
        tally = exchange.do(lambda desk: judged(house.folder, desk))
        if tally.wrong.total():
            exchange.do(lambda desk: written(folder / "exchange.txt", desk))
    tally.faults = house.faults
    tally.kills = tally.restarts = tally.shell_kills = kills
    return tally
