"""Parity on a real shell: a quiet window agrees to the last fill, and whatever parts the two runs is explained or an alarm."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deployments.opening import OpenHome, account_overrides, open_replay, settings_for
from deployments.rehearsal_venue import RehearsalExchange
from shell.clock import VirtualClock
from shell.desk import Desk
from shell.home import Home
from shell.host.supervisor import HostedStrategy
from shell.market.history import History
from shell.market.synthetic import synthetic_market
from shell.parity import keeper, run
from shell.parity.mark import restored
from shell.parity.run import begun
from shell.risk.halts import HaltKind
from tests.shell.exchange.live.stage import empty_database
from tests.thorough import thorough

START = datetime(2026, 3, 2, 5, tzinfo=UTC)
STEP = timedelta(minutes=5)
SYMBOLS = ("BTC/USD", "ETH/USD")

# Market and resting orders, stops, a state that decides what comes next, sizes by what it heard: all that could be lost.
BUSY = """
from shell.contract import Action, OrderType, Signal


class Strategy:
    scan_interval_minutes = 15

    def __init__(self):
        self.turns = self.heard = 0

    def initialize(self, risk_limits, symbols):
        pass

    def analyze(self, markets, portfolio, timestamp):
        self.turns += 1
        if portfolio.positions and self.turns % 3 == 0:
            return [Signal(position.symbol, Action.CLOSE) for position in portfolio.positions]
        if self.turns % 4 == 0:
            price = markets["BTC/USD"].current_price
            return [Signal("BTC/USD", Action.BUY, 0.05 + 0.001 * self.heard, stop_loss=price * 0.95)]
        if self.turns % 5 == 0:
            price = markets["ETH/USD"].current_price
            return [Signal("ETH/USD", Action.BUY, 0.05, OrderType.LIMIT, limit_price=price * 0.999, stop_loss=price * 0.9)]
        return []

    def on_fill(self, symbol, action, qty, price, intent):
        self.heard += 1

    def on_position_closed(self, symbol, pnl, pnl_pct):
        pass

    def get_state(self):
        return {"turns": self.turns, "heard": self.heard}

    def load_state(self, state):
        self.turns, self.heard = state["turns"], state["heard"]
"""
MARKET = synthetic_market(5, SYMBOLS, START - timedelta(days=2), 4)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    place = Home.private(tmp_path / "home")
    (place.workspace / "active").mkdir(parents=True)
    (place.workspace / "active" / "strategy.py").write_text(BUSY, encoding="utf-8")
    return place


def opened_at(home: Home, start: datetime) -> OpenHome:
    held = open_replay(home, settings_for(home, account_overrides(SYMBOLS)), MARKET, start, START + timedelta(days=1))
    held.shell.start(start)
    return held


@pytest.fixture
def opened(home: Home) -> Iterator[OpenHome]:
    held = opened_at(home, START)
    held.shell.step(START, origin="rehearsal")
    # So that the mark falls into the middle of things: something is held and something rests.
    go_to(held, START + timedelta(hours=2, minutes=35))
    assert Desk(held.shell).parity(held.shell.now)["reason"] == "the first mark was set now"
    yield held
    held.close()


def go_to(opened: OpenHome, moment: datetime) -> None:
    now = opened.shell.now
    while now < moment:
        now += STEP
        opened.shell.step(now, origin="rehearsal")


@contextmanager
def at_the_exchange(home: Home) -> Iterator[tuple[OpenHome, RehearsalExchange]]:
    """The same book on the simulated exchange, through the live gateway."""
    home.create()
    home.database.write_bytes(empty_database())
    settings = settings_for(home, account_overrides(SYMBOLS))
    exchange = RehearsalExchange(MARKET, settings, VirtualClock(START), home=home, seed=7)
    with closing(exchange):
        held = open_replay(home, settings, MARKET, START, START + timedelta(days=1), venue=exchange.venue)
        with closing(held):
            held.shell.start(START)
            yield held, exchange


def lead_to(opened: OpenHome, exchange: RehearsalExchange, moment: datetime) -> None:
    now = opened.shell.now
    if now == START:
        opened.shell.step(now, origin="rehearsal")
        exchange.settle(opened.shell, now)
    while now < moment:
        now += STEP
        exchange.lead(opened.shell, now)
        opened.shell.step(now, origin="rehearsal")
        exchange.settle(opened.shell, now)


def hours(count: float) -> datetime:
    return START + timedelta(hours=2, minutes=35) + timedelta(hours=count)


def alarms(opened: OpenHome) -> list[str]:
    return [each.text for each in opened.store.outbox.list() if each.kind == "parity"]


def test_a_mark_is_of_the_slot_the_book_stands_at_however_late_or_crooked_the_moment_it_is_asked_for(opened: OpenHome) -> None:
    # A night that comes to its comparison forty minutes after it began, and runs by hand at moments that are no slots.
    desk = Desk(opened.shell)
    for count, asked in ((1, timedelta(minutes=40)), (3, timedelta(minutes=17, seconds=12)), (5, timedelta(seconds=100))):
        go_to(opened, hours(count))
        answer = desk.parity(opened.shell.now - asked)
        assert answer["compared"], answer["reason"]
        assert (answer["until"], answer["differences"]) == (hours(count).isoformat(), [])
        mark = opened.store.parity.mark("main")
        assert mark is not None and mark.at == hours(count)
    assert alarms(opened) == []


def test_quiet_windows_agree_to_the_last_fill_one_after_the_other(opened: OpenHome) -> None:
    desk = Desk(opened.shell)
    mark = opened.store.parity.mark("main")
    assert mark is not None
    state = restored(mark, opened.store, "main")
    stored = opened.store.books.load("main")
    assert state is not None and stored is not None
    assert (state.ledger, state.marks, state.open_orders) == (stored.ledger, stored.marks, stored.open_orders)
    assert state.ledger.positions or state.open_orders, "the mark would prove little"
    for count in (4, 8):
        go_to(opened, hours(count))
        answer = desk.parity(opened.shell.now)
        assert answer["compared"], answer["reason"]
        assert answer["differences"] == []
        assert answer["scans"] == answer["scans_equal"] == 16
        assert answer["fills"] == answer["fills_equal"] >= 4
        assert answer["figure"] == 1.0
    assert [result.scans for result in opened.store.parity.list()] == [16, 16]
    assert desk.parity(opened.shell.now)["reason"] == "there was no scan since the last comparison"
    assert alarms(opened) == []
    assert opened.store.events.verify()


def test_the_second_run_s_process_is_on_its_way_while_history_is_read(
    opened: OpenHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work: list[bool] = []

    class Watched(HostedStrategy):
        def prespawn(self) -> None:
            super().prespawn()
            at_work.append(self.pid is not None)

    def reading(since: datetime, until: datetime) -> History:
        assert at_work == [True], "nothing was started before"
        return lived(since, until)

    lived = opened.shell.access.lived_history
    monkeypatch.setattr(run, "HostedStrategy", Watched)
    monkeypatch.setattr(opened.shell.access, "lived_history", reading)
    go_to(opened, hours(1))
    answer = Desk(opened.shell).parity(opened.shell.now)
    assert answer["compared"] and answer["differences"] == [], answer


def test_a_strategy_that_turns_out_to_want_frames_is_run_again_from_the_mark(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    framed = BUSY.replace("price = markets", 'self.heard += markets["BTC/USD"].candles_5m.height % 2\n            price = markets')
    (home.workspace / "active" / "strategy.py").write_text(framed, encoding="utf-8")
    started: list[bool] = []

    def forecast_wrongly(*given: Any, **named: Any) -> HostedStrategy:
        started.append(named.setdefault("frames", False))
        return begun(*given, **named)

    monkeypatch.setattr(keeper, "begun", forecast_wrongly)
    with closing(opened_at(home, START)) as opened:
        opened.shell.step(START, origin="rehearsal")
        go_to(opened, hours(0))
        desk = Desk(opened.shell)
        desk.parity(opened.shell.now)
        go_to(opened, hours(4))
        answer = desk.parity(opened.shell.now)
        assert started == [False, True]
        assert answer["compared"] and answer["differences"] == [], answer
        assert answer["scans"] == answer["scans_equal"] == 16
        assert answer["fills"] == answer["fills_equal"] >= 4


def test_on_the_exchange_a_night_s_mark_in_mid_trade_agrees_too(home: Home) -> None:
    """At an exchange a market order fills at once, so before the mark of its own scan; and it keeps the stops, which a second
    run on paper once took for orders to sell at the market: it warned on every night with a position."""
    with at_the_exchange(home) as (opened, exchange):
        desk = Desk(opened.shell)
        # The scan of this very moment has bought.
        lead_to(opened, exchange, START + timedelta(minutes=45))
        assert desk.parity(opened.shell.now)["reason"] == "the first mark was set now"
        state = opened.store.books.load("main")
        assert state is not None and list(state.ledger.positions) == ["BTC/USD"]
        for minutes in (110, 150):
            lead_to(opened, exchange, START + timedelta(minutes=minutes))
            if minutes == 110:
                state = opened.store.books.load("main")
                assert state is not None and any(order.intent.trigger for order in state.open_orders), "no stop is kept"
            answer = desk.parity(opened.shell.now)
            assert answer["compared"] and answer["differences"] == [], answer
            assert answer["fills"] == answer["fills_equal"] > 0
        assert alarms(opened) == []
        assert [each.kind for each in opened.store.outbox.list() if each.kind == "reconciliation"] == []


@thorough
def test_what_nothing_on_record_explains_is_an_alarm(opened: OpenHome) -> None:
    go_to(opened, hours(4))
    with opened.store.transaction() as connection:
        changed = connection.exec_driver_sql(
            "UPDATE signal_answers SET size_pct = 0.049 WHERE decided_at = "
            "(SELECT min(decided_at) FROM signal_answers WHERE decided_at > '2026-03-02T08:00')"
        )
    assert changed.rowcount
    answer = Desk(opened.shell).parity(opened.shell.now)
    assert (answer["scans"], answer["scans_equal"], answer["explained"]) == (16, 15, False), answer["differences"]
    assert len(alarms(opened)) == 1 and "nothing on record explains it" in alarms(opened)[0]


@thorough
def test_a_halt_a_person_set_explains_what_follows(opened: OpenHome) -> None:
    go_to(opened, hours(1))
    opened.shell.kill("a look first", opened.shell.now)
    go_to(opened, hours(4))
    opened.shell.lift(HaltKind.KILL_SWITCH, "me", opened.shell.now)
    answer = Desk(opened.shell).parity(opened.shell.now)
    assert answer["scans_equal"] < answer["scans"] and answer["explained"]
    assert "KILL_SWITCH stopped openings" in answer["differences"][0]["reason"]
    assert alarms(opened) == []


@thorough
def test_a_rollback_explains_what_the_other_version_did(opened: OpenHome) -> None:
    go_to(opened, hours(1))
    opened.shell.rollback("a test", opened.shell.now)
    go_to(opened, hours(4))
    answer = Desk(opened.shell).parity(opened.shell.now)
    assert answer["explained"] and answer["scans_equal"] < answer["scans"]
    assert answer["differences"][0]["reason"] == "the version changed to v000"


@thorough
def test_scans_missed_while_the_shell_was_down_are_explained_by_its_start(opened: OpenHome, home: Home) -> None:
    go_to(opened, hours(1))
    opened.shell.shutdown(opened.shell.now)
    opened.close()
    again = opened_at(home, hours(3))
    try:
        again.shell.step(hours(3), origin="rehearsal")
        go_to(again, hours(5))
        answer = Desk(again.shell).parity(again.shell.now)
        assert answer["compared"] and answer["explained"], answer
        assert answer["scans_equal"] < answer["scans"]
        assert "the shell was started at" in answer["differences"][0]["reason"]
        assert alarms(again) == []
    finally:
        again.close()
