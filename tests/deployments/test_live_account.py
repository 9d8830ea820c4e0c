"""A live account from its opening to its close: the shell's own way, over real sockets, on the local Kraken."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from threading import Event

import pytest

from deployments.live_account import probed_for
from deployments.live_opening import LiveHome, open_live
from deployments.opening import account_overrides, settings_for
from shell.config import LoopConfig
from shell.contract import Action, Signal
from shell.errors import DataError, NotNow
from shell.exchange.kraken.signing import Credentials
from shell.exchange.simulator.desk import Desk
from shell.home import Home
from shell.loop import TradingLoop
from shell.money import QuoteAmount
from shell.orders import Purpose
from shell.portfolio.ledger import Ledger
from shell.secrets import Secret, Secrets
from shell.store.books import BookState
from tests.deployments.test_live_shell import SYMBOLS, World, after, world
from tests.shell.scripted import ScriptedHost
from tests.thorough import thorough

BTC = SYMBOLS[0]
SPEED = 40.0
LOOP = LoopConfig(slot_lateness_max=timedelta(minutes=4, seconds=59), clock_difference_max=timedelta(minutes=10))


@contextmanager
def live(folder: Path, place: World, host: ScriptedHost) -> Iterator[tuple[LiveHome, TradingLoop]]:
    """A live shell of the home in `folder`, trading on a thread of its own while the block runs."""
    home = Home.private(folder).create()
    settings = settings_for(home, account_overrides(SYMBOLS)).model_copy(update={"mode": "live"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shell.service.HostedStrategy", lambda *_args: host)
        patch.setattr("shell.service.isolation_gap", lambda *_args: "")
        opened = open_live(home, settings, Secrets(), place.source, tell=lambda *_args: None, stopped=Event())
        try:
            opened.shell.start(place.source.clock.now(), announce=False)
            loop = TradingLoop(
                opened.shell, opened.market, opened.inbox, opened.calls, place.source.clock, speed=place.speed,
                link=opened.link_facts, config=LOOP,
            )
            thread = threading.Thread(target=loop.run, name="trading")
            thread.start()
            try:
                yield opened, loop
            finally:
                loop.stop()
                thread.join(60)
                assert not thread.is_alive()
        finally:
            opened.close()


def balances(desk: Desk) -> dict[str, Decimal]:
    """What the exchange's own books say the account holds."""
    accounts = desk.exchange.venue.accounts
    assert accounts.check() == []
    return {asset: accounts.balance(asset) for asset in accounts.assets() if accounts.balance(asset)}


def books(opened: LiveHome) -> tuple[Decimal, dict[str, Decimal]]:
    ledger = opened.shell.engine.ledger
    return ledger.cash.value, {symbol: position.qty.value for symbol, position in ledger.positions.items()}


def working(opened: LiveHome, until: int) -> list[tuple[Purpose, Decimal]]:
    """The orders that work as the shell knows them, once there are `until` of them."""
    deadline = time.monotonic() + 30
    while True:
        orders = opened.calls.ask(lambda _desk: opened.shell.engine.gateway.open_orders(), seconds=60)
        if len(orders) == until or time.monotonic() > deadline:
            return [(order.intent.purpose, order.intent.qty.value) for order in orders]
        time.sleep(0.2)


def flat(opened: LiveHome) -> bool:
    """Wait for the last position to be gone."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if not opened.calls.ask(lambda _desk: books(opened), seconds=60)[1]:
            return True
        time.sleep(0.2)
    return False


def test_an_entry_its_stop_and_its_exit_leave_books_and_account_equal_to_the_last_unit(tmp_path: Path) -> None:
    host = ScriptedHost({0: [Signal(BTC, Action.BUY, size_pct=0.05, stop_loss=1.0)]})
    with world(SPEED) as place, live(tmp_path / "home", place, host) as (opened, loop):
        after(opened, place, 2)
        cash, held = opened.calls.ask(lambda _desk: books(opened), seconds=60)
        there = place.exchange.do(balances)
        assert list(held) == [BTC]
        assert (there["ZUSD"], there["XXBT"]) == (cash, held[BTC])
        assert working(opened, until=1) == [(Purpose.STOP, held[BTC])]

        # Refused while the venue's stop is on its way out: a strategy that wants out says so again.
        close = [Signal(BTC, Action.CLOSE)]
        opened.calls.ask(lambda _desk: host.script.update({host.scans + more: close for more in range(9)}), seconds=60)
        assert flat(opened)
        cash, _ = opened.calls.ask(lambda _desk: books(opened), seconds=60)
        assert place.exchange.do(balances) == {"ZUSD": cash}
        assert working(opened, until=0) == []
        assert loop.errors.as_dict() == {"count": 0, "newest": {}}
        assert opened.store.books.check("main") == []


@thorough
def test_a_restart_takes_the_position_and_its_stop_up_again(tmp_path: Path) -> None:
    host = ScriptedHost({0: [Signal(BTC, Action.BUY, size_pct=0.05, stop_loss=1.0)]})
    with world(SPEED) as place:
        with live(tmp_path / "home", place, host) as (opened, _):
            after(opened, place, 2)
            before = opened.calls.ask(lambda _desk: books(opened), seconds=60)
        with live(tmp_path / "home", place, ScriptedHost()) as (opened, loop):
            assert opened.calls.ask(lambda _desk: books(opened), seconds=60) == before
            assert before[1].keys() == {BTC}
            assert working(opened, until=1) == [(Purpose.STOP, before[1][BTC])]
            assert loop.errors.as_dict() == {"count": 0, "newest": {}}


def test_a_system_that_is_invested_is_not_too_small_to_come_up_again(tmp_path: Path) -> None:
    """Hardly any cash is free, but an ordinary order is a part of the capital."""
    home = Home.private(tmp_path / "home").create()
    settings = settings_for(home, account_overrides(SYMBOLS)).model_copy(update={"mode": "live"})
    ledger = Ledger(cash=QuoteAmount("3.21"), capital=QuoteAmount(10_000))
    state = BookState(
        ledger=ledger, marks=None, halts=[], open_orders=[], recent_trades=[], unanswered=0, last_scan=None
    )
    wanted = probed_for(settings, state, traded=True, nonce_file=tmp_path / "nonce")
    assert (wanted.cash, wanted.usual_order) == (QuoteAmount(0), QuoteAmount(500))
    fresh = probed_for(settings, None, traded=False, nonce_file=tmp_path / "nonce")
    assert (fresh.cash, fresh.usual_order) == (QuoteAmount(10_000), QuoteAmount(500))


def test_a_key_that_is_refused_and_books_of_the_other_kind_end_the_start_with_a_sentence(tmp_path: Path) -> None:
    with world(SPEED) as place:
        wrong = Credentials(key=Secret("nobody"), secret=Secret("bm9ib2R5"))
        refused = replace(place, source=replace(place.source, credentials=wrong))
        with pytest.raises(NotNow, match="live mode is refused"), live(tmp_path / "home", refused, ScriptedHost()):
            pass
        home = Home.private(tmp_path / "paper").create()
        paper = settings_for(home, account_overrides(SYMBOLS))
        open_live(home, paper, Secrets(), place.source, tell=lambda *_args: None, stopped=Event()).close()
        with pytest.raises(DataError, match="those of paper mode"), live(tmp_path / "paper", place, ScriptedHost()):
            pass
