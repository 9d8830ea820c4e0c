"""One home that trades on a simulated exchange, without sockets: real store, real engine, Kraken's client over the same doors.

Orders are written ahead and placed as the shell would; whether their reports reach the books is up to the test. What a person
does on Kraken's own page is done on the exchange directly. `agrees` is an oracle of its own: it reads the exchange's double
entry and the database, and nothing that reconciliation worked out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

from shell.config import HostConfig
from shell.contract import Intent, OrderType
from shell.engine import Engine
from shell.engine_config import EngineConfig
from shell.exchange.account import look_at_account
from shell.exchange.gateway import FeeSchedule
from shell.exchange.kraken.errors import error_of
from shell.exchange.kraken.limiter import Limiter
from shell.exchange.kraken.limits import LIMITS, Verification
from shell.exchange.kraken.private import PrivateApi
from shell.exchange.kraken.public import PublicApi
from shell.exchange.kraken.wire import parse_json, scalar_text
from shell.exchange.reconciler import Reconciled, Reconciler
from shell.exchange.simulator.desk import Desk
from shell.exchange.simulator.tape import Tape
from shell.market.bars import Bar
from shell.market.book import MarketBook
from shell.money import NO_MONEY, BaseQty, Price, QuoteAmount
from shell.orders import (
    APPROVAL_SEAL,
    ApprovedOrder,
    OrderIntent,
    Purpose,
    Side,
    SubmittedOrder,
)
from shell.portfolio.account import AccountPicture, base_of, fill_of
from shell.portfolio.ledger import CapitalEvent
from shell.store.store import Store
from tests.shell.exchange.kraken.times import HandPace
from tests.shell.exchange.simulator.kit import Customer, desk, public, still_tape, wait
from tests.shell.scripted import WIDE, ScriptedHost

BTC = "BTC/USD"
FEES = {BTC: FeeSchedule(maker_pct=Decimal("0.0025"), taker_pct=Decimal("0.004"))}
HALT_PCT = Decimal("0.001")


class Source:
    """Kraken's client over a desk without sockets: what it sends goes through signature, nonce and rate checks."""

    def __init__(self, desk: Desk, customer: Customer) -> None:
        self.limiter = Limiter(LIMITS[Verification.PRO], HandPace())
        self._desk = desk
        self._customer = customer

    async def read(self, endpoint: str, fields: Mapping[str, Any] | None = None) -> Any:
        given = {name: scalar_text(value) for name, value in (fields or {}).items() if value is not None}
        body = parse_json(self._customer.raw(endpoint, given).body)
        if body["error"]:
            raise error_of(body["error"], endpoint, write=False, now_seconds=0.0)
        return body["result"]

    async def write(self, endpoint: str, fields: Mapping[str, Any], *, pair: str = "", as_json: bool = False) -> Any:
        return await self.read(endpoint, fields)

    async def public(self, endpoint: str, fields: Mapping[str, Any] | None = None, *, pair: str = "") -> Any:
        query = "&".join(f"{name}={scalar_text(value)}" for name, value in (fields or {}).items() if value is not None)
        return public(self._desk, f"{endpoint}?{query}")["result"]


class QuietGateway:
    """A gateway that nothing is sent through here and that never reports: what is lost is found by reconciliation alone."""

    ready = True

    def __init__(self) -> None:
        self.cancelled: list[str] = []

    def submit(self, order: ApprovedOrder, now: datetime) -> SubmittedOrder:
        raise AssertionError("nothing is submitted in these tests")

    def cancel(self, order_id: str, reason: str, now: datetime) -> None:
        self.cancelled.append(order_id)

    def open_orders(self) -> list[SubmittedOrder]:
        return []

    def works_on(self, symbol: str) -> bool:
        return False

    def working_symbols(self) -> set[str]:
        return set()

    def guards(self, symbol: str) -> None:
        return None

    def move_stop(self, order_id: str, trigger: Price, now: datetime) -> None:
        raise AssertionError("no stop is moved in these tests")

    def learn(self, found: Any) -> None:
        return None

    def expire(self, now: datetime) -> None:
        return None

    def on_price(self, symbol: str, price: Price, at: datetime) -> None:
        return None

    def events(self) -> list[Any]:
        return []


@cache
def empty_database() -> bytes:
    """A database that was set up and holds nothing: migrating one takes longer than most tests."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "brain.db"
        Store.open(path).close()
        return path.read_bytes()


@cache
def tape() -> Tape:
    """The market of every bench: it stands still and is only read."""
    return still_tape()


class StillFeed:
    """No bars: holdings are valued at what they were bought for."""

    def closed_until(self, now_ms: int) -> list[Bar]:
        return []


class Bench:
    """An account at the exchange and a home beside it."""

    def __init__(self, folder: Path, *, usd: str = "20000", capital: str = "10000", exchange: Desk | None = None) -> None:
        self.desk = exchange or desk(usd=usd, tape=tape())
        self.customer = Customer(self.desk)
        self.customer.nonce = max(key.highest_nonce for key in self.desk.keys.keys.values()) + 1000
        source = Source(self.desk, self.customer)
        self.names = asyncio.run(PublicApi(source).names())
        self.api = PrivateApi(source, self.names)
        self.path = folder / "brain.db"
        self.notes: list[tuple[str, str]] = []
        self.sent = 0
        folder.mkdir(parents=True, exist_ok=True)
        self.path.write_bytes(empty_database())
        self.store = Store.open(self.path)
        self.store.books.ensure_capital("main", QuoteAmount(capital), self.now)
        self.open()

    @property
    def now(self) -> datetime:
        return self.desk.exchange.now

    def open(self) -> None:
        """A process starts on the home."""
        state = self.store.books.load("main")
        assert state is not None
        market = MarketBook([BTC], StillFeed())
        pairs = {BTC: self.names.pair(BTC).pair}
        self.gateway = QuietGateway()
        self.engine = Engine(
            EngineConfig(
                book="main", version="v001", risk=WIDE, host=HostConfig(), zone=ZoneInfo("America/New_York"), pairs=pairs,
                fees=FEES,
            ),
            market=market, gateway=self.gateway, host=ScriptedHost(), journal=self.store.journal("main"),
            ledger=state.ledger, marks=state.marks, halts=tuple(state.halts),
        )
        self.engine.assess(self.now)
        self.reconciler = Reconciler(
            store=self.store, engine=self.engine, quote="USD", halt_pct=HALT_PCT,
            notify=lambda kind, severity, text, now: self.notes.append((severity, text)),
        )

    def restart(self) -> None:
        """The process dies and another one takes over."""
        self.restart_on(self.path)

    def restart_on(self, path: Path) -> None:
        """The same on another copy of the database."""
        self.store.close()
        self.path = path
        self.store = Store.open(path)
        self.open()

    # -- trading --------------------------------------------------------------------------------------------------------

    def trade(
        self, side: Side, qty: str, *, told: bool = True, linked: bool = True, limit: str | None = None,
        stop: str | None = None,
    ) -> str:
        """Send one order as the shell does; its txid. Without `told` no fill is reported, without `linked` not even that it
        was taken."""
        self.sent += 1
        wait(self.desk, 1)
        intent = OrderIntent(
            intent_id=f"main:{self.now:%Y%m%dT%H%M%S}:{self.sent}:o", book="main", version="v001", symbol=BTC, side=side,
            purpose=Purpose.ENTRY if side is Side.BUY else Purpose.EXIT,
            order_type=OrderType.MARKET if limit is None else OrderType.LIMIT, qty=BaseQty(qty),
            limit_price=None if limit is None else Price(limit), decided_at=self.now,
            stop_loss=None if stop is None else Price(stop), horizon=Intent.SWING, mark=self.store.account.mark(),
        )
        approved = ApprovedOrder(intent=intent, reserved=NO_MONEY, seal=APPROVAL_SEAL)
        self.store.journal("main").write_ahead([approved])
        fields = {"type": side.value, "ordertype": "market" if limit is None else "limit", "volume": qty}
        fields |= {} if limit is None else {"price": limit}
        fields |= {} if stop is None else {"close_ordertype": "stop-loss", "close_price": stop}
        txid = self.customer.add(**fields, cl_ord_id=intent.client_id)
        if linked:
            self.engine.take_up([SubmittedOrder(order_id=txid, approved=approved, submitted_at=self.now)], self.now)
        if told:
            self.report(txid, intent)
        return txid

    def report(self, txid: str, intent: OrderIntent) -> None:
        """The fills of an order reach the books, as a feed would tell them: with what each did to the account."""
        picture = self.look()
        mine = [trade for trade in picture.trades if trade.order_id == txid]
        self.engine.take_up([fill_of(trade, intent) for trade in mine], self.now)

    # -- looking --------------------------------------------------------------------------------------------------------

    def look(self) -> AccountPicture:
        return asyncio.run(look_at_account(self.api, self.reconciler.since(self.now), self.now, HandPace()))

    def reconcile(self, *, seconds: float = 5) -> Reconciled:
        wait(self.desk, seconds)
        return self.reconciler.take(self.look())

    def total(self, coin: str) -> Decimal:
        """What the exchange's own ledger has of a coin, under every name of it."""
        accounts = self.desk.exchange.venue.accounts
        keys = {"BTC": ("XXBT", "XBT.F"), "USD": ("ZUSD",)}[coin]
        return sum((accounts.balance(key) for key in keys), start=Decimal(0))

    def ours(self, coin: str) -> Decimal:
        """What the database says is ours."""
        state = self.store.books.load("main")
        assert state is not None
        if coin == "USD":
            return state.ledger.cash.value
        return sum(
            (held.qty.value for symbol, held in state.ledger.positions.items() if base_of(symbol) == coin), start=Decimal(0)
        )

    def agrees(self) -> None:
        """Ours and external together are the account's to the last unit, and the books follow from their facts."""
        outside = self.store.account.outside()
        for coin in ("BTC", "USD"):
            assert self.ours(coin) + outside.get(coin, Decimal(0)) == self.total(coin), coin
            assert self.ours(coin) >= 0
            assert outside.get(coin, Decimal(0)) >= 0, coin
        assert self.store.books.check("main") == []
        assert self.store.events.verify()
        assert self.desk.exchange.venue.accounts.check() == []

    def allocate(self, amount: str) -> None:
        self.engine.add_capital(CapitalEvent(amount=QuoteAmount(amount), at=self.now, reason="test"))


def kinds(done: Reconciled) -> list[str]:
    """The kinds of what was found, sorted."""
    assert done.outcome is not None
    return sorted(finding.kind.value for finding in done.outcome.findings)

