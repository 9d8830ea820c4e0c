"""A shell's engine and a simulated Kraken under faults, and an oracle that knows the exchange's books alone.

The account holds a coin that the system never bought, so that a sale of too much is possible and is seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from shell.contract import Signal
from shell.exchange.simulator.faults import Plan, read_plan
from shell.exchange.simulator.orders import BUY, SELL
from shell.exchange.simulator.system import SystemState
from shell.execution.record import StepRecord
from shell.orders import OrderState
from shell.risk.halts import Halt, HaltKind
from shell.store.books import read_fills
from tests.shell.exchange.live.stage import BTC, Stage

EXTERNAL = Decimal(1)
# Prices move a little between the decision and the fill; a breach worth the name is larger.
LIMIT_TOLERANCE = Decimal("1.02")
QUIET_STEPS, QUIET_SECONDS = 12, 5


@dataclass(slots=True)
class Tally:
    """What was seen, and what should never be: `wrong` counts by the name of the invariant."""

    submissions: int = 0
    ambiguous: int = 0
    faults: int = 0
    fills: int = 0
    restarts: int = 0
    kills: int = 0
    shell_kills: int = 0
    restores: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    sentences: list[str] = field(default_factory=list)

    def blame(self, name: str, sentence: str) -> None:
        self.wrong[name] += 1
        self.sentences.append(f"{name}: {sentence}")

    def line(self) -> str:
        names = {
            "I1": "duplicate orders", "lost": "lost fills", "doubled": "doubled fills", "I3": "books that differ",
            "oversold": "oversold", "I4": "limits breached", "I5": "unguarded positions", "I6": "orders while halted",
            "stuck": "orders left in doubt",
        }
        counts = ", ".join(f"{words} {self.wrong[name]}" for name, words in names.items())
        return (
            f"{self.ambiguous} ambiguous submissions of {self.submissions}, {self.faults} faults, {self.restarts} restarts, "
            f"{self.fills} fills: {counts}"
        )

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            submissions=self.submissions + other.submissions, ambiguous=self.ambiguous + other.ambiguous,
            faults=self.faults + other.faults, fills=self.fills + other.fills, restarts=self.restarts + other.restarts,
            kills=self.kills + other.kills, shell_kills=self.shell_kills + other.shell_kills,
            restores=self.restores + other.restores, wrong=self.wrong + other.wrong, sentences=self.sentences + other.sentences,
        )


class World(Stage):
    """A stage whose every step is watched by the oracle."""

    def __init__(self, folder: Path, script: Mapping[int, Sequence[Signal]] | None = None, **options: Any) -> None:
        folder.mkdir(exist_ok=True)
        self.tally = Tally()
        self._halted_at: frozenset[str] | None = None
        super().__init__(folder, script, **options)
        self.desk.exchange.deposit("XBT", EXTERNAL)
        self._largest = Decimal(0)

    # -- what is done ---------------------------------------------------------------------------------------------

    def plan(self, given: Mapping[str, Any]) -> None:
        self.note_faults()
        self.desk.rest.plan = read_plan(given)

    def kill(self) -> None:
        halt = Halt(kind=HaltKind.KILL_SWITCH, book="main", sentence="a test", raised_at=self.clock.now())
        self.seen(self.engine.halt(halt))
        self._halted_at = frozenset(order.txid for order in self.exchange_orders() if order.side == BUY)

    def lift(self) -> None:
        """A person lifts the kill switch."""
        if HaltKind.KILL_SWITCH in self.engine.halts:
            self.store.halts.lift(HaltKind.KILL_SWITCH, "main", "a test", self.clock.now())
            self.engine.lift(HaltKind.KILL_SWITCH)
        self._halted_at = None

    def step(self, seconds: float = 0, *, scan: bool = False) -> StepRecord:
        record = super().step(seconds, scan=scan)
        self.seen(record)
        return record

    def price(self, price: str, *, tell: bool = True) -> None:
        before = len(self.records)
        super().price(price, tell=tell)
        for record in self.records[before:]:
            self.seen(record)

    def restart(self) -> None:
        super().restart()
        self.tally.restarts += 1

    def quiet(self) -> None:
        """Faults stop; a minute later everything must agree (I7)."""
        self.plan({"faults": []})
        if self.desk.exchange.venue.state is not SystemState.ONLINE:
            self.desk.exchange.set_state(SystemState.ONLINE)
        self.desk.exchange.venue.skew_ns = 0
        # What a fault sent on its way late arrives, and then a minute passes.
        self.step(30)
        for _ in range(QUIET_STEPS):
            self.step(QUIET_SECONDS)

    def note_faults(self) -> None:
        plan: Plan = self.desk.rest.plan
        self.tally.faults += len(plan.struck)
        plan.struck.clear()

    # -- the oracle -----------------------------------------------------------------------------------------------

    def seen(self, record: StepRecord) -> None:
        """What must hold at every moment."""
        tally = self.tally
        tally.ambiguous += sum(change.state is OrderState.UNKNOWN for change in record.updates)
        tally.fills += len(record.fills)
        self.watch()

    def watch(self) -> None:
        """What the exchange must never show, whatever the shell believes."""
        tally, venue = self.tally, self.desk.exchange.venue
        if self.coins < EXTERNAL:
            tally.blame("oversold", f"{self.coins} coins are left of the {EXTERNAL} that are not ours")
        selling = sum((order.remaining for order in venue.open.values() if order.side == SELL), Decimal(0))
        if selling > self.coins - EXTERNAL:
            tally.blame("oversold", f"orders sell {selling} of {self.coins - EXTERNAL}")
        buying = sum(
            (order.remaining * (order.limit or order.trigger or 0) for order in venue.open.values() if order.side == BUY),
            Decimal(0),
        )
        price = venue.market(venue.directory.by_symbol[BTC]).last.price
        exposed, total = (self.coins - EXTERNAL) * price + buying, self.cash + (self.coins - EXTERNAL) * price
        if exposed > total * self.risk.max_position_pct * LIMIT_TOLERANCE:
            tally.blame("I4", f"{exposed:.2f} of {total:.2f} is held or being bought")
        if self._halted_at is not None:
            bought = {order.txid for order in self.exchange_orders() if order.side == BUY}
            for order_id in bought - self._halted_at:
                tally.blame("I6", f"{order_id} was placed while halted")
            self._halted_at |= bought

    def judge(self) -> Tally:
        """What must hold once the faults have stopped for a minute."""
        self.note_faults()
        tally, venue = self.tally, self.desk.exchange.venue
        names = Counter(order.request.cl_ord_id for order in self.exchange_orders() if order.request.cl_ord_id)
        for name, count in names.items():
            if count > 1:
                tally.blame("I1", f"{count} orders are called {name}")
        with self.store.reading() as connection:
            booked = Counter(fill.fill_id for _, fill in read_fills(connection, "main"))
        tally.fills = max(tally.fills, sum(booked.values()))
        tally.wrong["lost"] += len(venue.trades.keys() - booked.keys())
        tally.wrong["doubled"] += sum(booked.values()) - len(booked) + len(booked.keys() - venue.trades.keys())
        if (self.engine.ledger.cash.value, self.held() + EXTERNAL) != (self.cash, self.coins):
            tally.blame(
                "I3", f"we say {self.engine.ledger.cash} and {self.held()}, the exchange {self.cash} and {self.coins - EXTERNAL}"
            )
        if wrong := [*venue.accounts.check(), *self.store.books.check("main")]:
            tally.blame("I3", "; ".join(wrong))
        position = self.engine.ledger.positions.get(BTC)
        if position is not None and position.stop_loss is not None:
            guarded = sum((each.remaining for each in venue.open.values() if each.kind == "stop-loss"), Decimal(0))
            exits = sum((each.remaining for each in venue.open.values() if each.kind == "limit" and each.side == SELL), Decimal(0))
            if guarded + exits != position.qty.value:
                tally.blame("I5", f"{guarded} of {position.qty} is guarded")
        if self.gateway.doubtful() or not self.gateway.ready:
            tally.blame("stuck", f"{len(self.gateway.doubtful())} orders are in doubt")
        ours = {order.order_id for order in self.engine.gateway.open_orders()}
        if ours != set(venue.open):
            tally.blame("stuck", f"we say {sorted(ours)} are open, the exchange {sorted(venue.open)}")
        tally.submissions = len(names) + sum(
            each.state is OrderState.REJECTED for each in self._known()
        )
        return tally

    def _known(self) -> Sequence[Any]:
        state = self.store.books.load("main")
        return () if state is None else state.known_orders
