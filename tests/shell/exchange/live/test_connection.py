"""The same over real sockets: an engine, the client's thread, and the simulated exchange in a thread of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from shell.backtest.run import MemoryJournal
from shell.book_setup import new_engine
from shell.clock import VirtualClock
from shell.config import HostConfig
from shell.errors import NotNow, Transient
from shell.exchange.kraken.addresses import Addresses
from shell.exchange.kraken.limiter import Limiter
from shell.exchange.kraken.limits import Verification
from shell.exchange.kraken.pace import RealPace
from shell.exchange.kraken.signing import Credentials
from shell.exchange.live.bridge import Bridge, NoAnswer
from shell.exchange.live.connection import connect
from shell.exchange.live.gateway import LiveGateway
from shell.exchange.simulator.hosting import hosted
from shell.exchange.simulator.venue import Rules
from shell.market.book import MarketBook, ReplayFeed
from shell.market.history import History
from shell.money import Price, QuoteAmount
from shell.portfolio.ledger import CapitalEvent
from shell.secrets import Secret
from tests.shell.exchange.live.in_process import UNLIMITED
from tests.shell.exchange.live.stage import BTC, CASH, FEES, PAPER, START, buy
from tests.shell.exchange.simulator.kit import still_tape
from tests.shell.scripted import WIDE, ScriptedHost, candles, flat

PATIENCE_S = 60.0


def until(met: Callable[[], bool], what: str) -> None:
    """Ask again until it is so; a busy machine may take its time."""
    deadline = time.monotonic() + PATIENCE_S
    while not met():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def test_a_trade_over_real_sockets_from_entry_to_the_venues_stop(tmp_path: Path) -> None:
    rules = Rules(tier="off", balances=(("ZUSD", Decimal(CASH)),))
    with hosted(still_tape(), rules) as exchange:
        told = exchange.addresses()
        pace, clock = RealPace(), VirtualClock(START)
        connection = connect(
            Addresses(rest=told["rest"], ws=told["ws"], ws_auth=told["ws_auth"]),
            Credentials(key=Secret(told["key"]), secret=Secret(told["secret"])), clock=clock, nonces=tmp_path,
            verification=Verification.PRO, pace=pace, limiter=Limiter(UNLIMITED, pace), seed=1,
        )
        try:
            pair = connection.names.pair(BTC).pair
            gateway = LiveGateway(
                connection.venue, pairs={BTC: pair}, fees={BTC: FEES}, clock=clock, limit_entry_expiry=timedelta(hours=1)
            )
            history = History(m5={BTC: candles(flat(30_000.0, 600), start=START - timedelta(days=1))})
            market = MarketBook((BTC,), ReplayFeed(history, (BTC,), START, START + timedelta(days=1)))
            market.preload(history, START)
            engine = new_engine(
                book="main", version="v001", market=market, host=ScriptedHost({0: [buy()]}), journal=MemoryJournal(),
                paper=PAPER, risk=WIDE, host_config=HostConfig(), zone=ZoneInfo("UTC"), pairs={BTC: pair},
                fees={BTC: FEES}, gateway=lambda **_: gateway,
            )
            engine.add_capital(CapitalEvent(amount=QuoteAmount(CASH), at=START, reason="a test"))

            def step(seconds: float, *, scan: bool = False) -> None:
                clock.advance_to(clock.now() + timedelta(seconds=seconds))
                exchange.advance_to(clock.now())
                engine.step(clock.now(), origin="test", scan=scan)

            step(300, scan=True)
            until(lambda: bool(step(1) or engine.ledger.positions), "the fill was never told")

            def guarded() -> bool:
                step(1)
                guard = gateway.guards(BTC)
                return guard is not None and guard.settled and guard.qty == engine.ledger.positions[BTC].qty

            until(guarded, "the venue's stop was never found")
            exchange.do(lambda desk: desk.exchange.print_trade("XBTUSD", "28999.0", "20"))
            engine.on_price(BTC, Price("28999.0"), clock.now())
            until(lambda: bool(step(1) or not engine.ledger.positions), "the stop's fill was never told")
            cash = exchange.do(lambda desk: desk.exchange.venue.accounts.balance("ZUSD"))
            assert engine.ledger.cash.value == cash
            assert exchange.do(lambda desk: len(desk.exchange.venue.orders)) == 2
        finally:
            connection.close()


def test_a_call_that_hangs_is_given_up_and_a_stopped_bridge_sends_nothing() -> None:
    import asyncio

    bridge = Bridge("a test")
    bridge.start()
    with pytest.raises(NoAnswer):
        bridge.call(lambda: asyncio.sleep(60), 0.05)
    bridge.stop()
    bridge.stop()
    with pytest.raises(NotNow):
        bridge.call(lambda: asyncio.sleep(0), 1)
    assert issubclass(NoAnswer, Transient)
