"""An engine with its books on disk, trading on the simulated exchange; one hand moves the time of both."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from shell.book_setup import new_engine
from shell.clock import VirtualClock
from shell.config import HostConfig, PaperConfig, RiskConfig
from shell.contract import Action, OrderType, Signal
from shell.engine import Engine
from shell.exchange.gateway import FeeSchedule
from shell.exchange.live.gateway import LiveGateway, live_gateway
from shell.exchange.simulator.desk import Desk
from shell.execution.record import StepRecord
from shell.market.book import MarketBook, ReplayFeed
from shell.market.history import History
from shell.money import Price, QuoteAmount
from shell.orders import Purpose
from shell.store.books import BookState, read_fills
from shell.store.store import Store
from tests.shell.exchange.live.in_process import InProcess
from tests.shell.exchange.simulator import kit
from tests.shell.scripted import WIDE, ScriptedHost, candles, flat

BTC = "BTC/USD"
START = kit.START
CASH = 50_000
FEES = FeeSchedule(maker_pct=Decimal("0.0025"), taker_pct=Decimal("0.004"))
PAPER = PaperConfig(limit_entry_expiry=timedelta(hours=1))


def buy(stop: float | None = 29_000.0, target: float | None = None, *, size: float = 0.1, **more: Any) -> Signal:
    return Signal(BTC, Action.BUY, size, stop_loss=stop, take_profit=target, **more)


def limit_buy(price: float, stop: float | None = 28_000.0, **more: Any) -> Signal:
    return buy(stop, order_type=OrderType.LIMIT, limit_price=price, **more)


class Stage:
    """`script` answers scan number n; scans are five minutes apart, the first at `START` + 5 min."""

    def __init__(
        self,
        folder: Path,
        script: Mapping[int, Sequence[Signal]] | None = None,
        *,
        plan: Mapping[str, Any] | None = None,
        risk: RiskConfig = WIDE,
        desk: Desk | None = None,
        **rules: Any,
    ) -> None:
        self.folder = folder
        self.desk = desk or kit.desk(usd=str(CASH), plan=plan, **rules)
        self.clock = VirtualClock(START)
        self.host = ScriptedHost(script)
        self.risk = risk
        self.records: list[StepRecord] = []
        self.open()

    def open(self) -> None:
        """Start a process: everything it knows comes from the disk."""
        database = self.folder / "brain.db"
        if not database.exists():
            database.write_bytes(empty_database())
        self.store = Store.open(database)
        self.client = InProcess(self.desk, self.clock, self.folder)
        self.store.books.ensure_capital("main", QuoteAmount(CASH), START)
        history = History(m5={BTC: candles(flat(30_000.0, 2_000), start=START - timedelta(days=1))})
        feed = ReplayFeed(history, (BTC,), self.clock.now(), self.clock.now() + timedelta(days=9))
        market = MarketBook((BTC,), feed)
        market.preload(history, self.clock.now())
        self.engine: Engine = new_engine(
            book="main", version="v001", market=market, host=self.host, journal=self.store.journal("main"),
            paper=PAPER, risk=self.risk, host_config=HostConfig(), zone=ZoneInfo("UTC"),
            pairs={BTC: self.client.names.pair(BTC).pair}, fees={BTC: FEES}, state=self.store.books.load("main"),
            gateway=self._gateway,
        )
        self.client.pump()

    def _gateway(self, *, book: str, funds: Callable[[], QuoteAmount], state: BookState | None) -> LiveGateway:
        self.gateway = live_gateway(
            self.client.venue, state, pairs={BTC: self.client.names.pair(BTC).pair}, fees={BTC: FEES}, clock=self.clock,
            limit_entry_expiry=PAPER.limit_entry_expiry,
        )
        return self.gateway

    def close(self) -> None:
        self.client.close()
        self.store.close()

    def restart(self) -> None:
        """The process dies without a word, and another one starts."""
        self.close()
        self.open()

    # -- time -----------------------------------------------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        """Let time pass at the exchange and here; nobody does anything."""
        self.clock.advance_to(self.clock.now() + timedelta(seconds=seconds))
        self.desk.exchange.advance_to(self.clock.now())

    def step(self, seconds: float = 0, *, scan: bool = False) -> StepRecord:
        """The monitor's step after some seconds."""
        self.wait(seconds)
        self.client.pump()
        record = self.engine.step(self.clock.now(), origin="test", scan=scan)
        self.client.pump()
        self.records.append(record)
        return record

    def scan(self) -> StepRecord:
        """Go on to the next slot and scan."""
        left = 300 - (self.clock.now() - START).total_seconds() % 300
        return self.step(left, scan=True)

    def settle(self, steps: int = 8, seconds: float = 5) -> None:
        """Steps of the monitor until nothing is left to learn."""
        for _ in range(steps):
            self.step(seconds)

    def price(self, price: str, *, tell: bool = True) -> None:
        """The market trades at a price; with `tell` the engine sees it."""
        self.desk.exchange.print_trade("XBTUSD", price, "20")
        self.client.pump()
        if tell:
            self.records.append(self.engine.on_price(BTC, Price(price), self.clock.now()))
            self.client.pump()

    # -- what is true ---------------------------------------------------------------------------------------------

    def exchange_orders(self) -> list[Any]:
        return list(self.desk.exchange.venue.orders.values())

    def open_at_exchange(self) -> list[Any]:
        return list(self.desk.exchange.venue.open.values())

    @property
    def cash(self) -> Decimal:
        return self.desk.exchange.venue.accounts.balance("ZUSD")

    @property
    def coins(self) -> Decimal:
        return self.desk.exchange.venue.accounts.balance("XXBT")

    def held(self) -> Decimal:
        position = self.engine.ledger.positions.get(BTC)
        return position.qty.value if position else Decimal(0)

    def agree(self) -> None:
        """Our books are the exchange's to the last unit (I3), each of its fills is booked once (I2), no intent became two
        orders (I1), and the stored books replay to the same."""
        assert self.desk.exchange.venue.accounts.check() == []
        assert (self.engine.ledger.cash.value, self.held()) == (self.cash, self.coins)
        with self.store.reading() as connection:
            booked = sorted(fill.fill_id for _, fill in read_fills(connection, "main"))
        assert booked == sorted(self.desk.exchange.venue.trades)
        names = [order.request.cl_ord_id for order in self.exchange_orders() if order.request.cl_ord_id]
        assert len(names) == len(set(names))
        assert self.store.books.check("main") == []

    def purposes(self) -> list[Purpose]:
        return [fill.intent.purpose for record in self.records for fill in record.fills]


@cache
def empty_database() -> bytes:
    """The schema, made once: the migrations take longer than a whole test."""
    with tempfile.TemporaryDirectory() as folder:
        Store.open(Path(folder) / "brain.db").close()
        return (Path(folder) / "brain.db").read_bytes()
