"""A shell on a home: start, step, promote, roll back, stop and start again, with real books and a real host."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deployments.opening import OpenHome, account_overrides, open_replay, settings_for
from deployments.standing import standing_of
from shell.desk import Desk
from shell.errors import DataError, NotNow, Rejected
from shell.home import Home
from shell.host.port import StrategySource
from shell.host.supervisor import HostedStrategy
from shell.log import close as close_log
from shell.log import configure
from shell.main_book import KIND_FACT
from shell.market.synthetic import synthetic_market
from shell.risk.halts import HaltKind
from shell.service import MAIN_BOOK
from shell.store.store import Store
from shell.trials.candidate import Proposal, Stage, StageResult, source_hash

START = datetime(2026, 3, 2, tzinfo=UTC)
STEP = timedelta(minutes=5)
SYMBOLS = ("BTC/USD", "ETH/USD")


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[OpenHome]:
    history = synthetic_market(5, SYMBOLS, START - timedelta(days=40), 45)
    home = Home.private(tmp_path / "home")
    held = open_replay(home, settings_for(home, account_overrides(SYMBOLS)), history, START, START + timedelta(days=4))
    held.shell.start(START)
    yield held
    held.close()


def steps(opened: OpenHome, count: int) -> datetime:
    now = opened.shell.now
    for _ in range(count):
        now += STEP
        opened.shell.step(now, origin="rehearsal")
    return now


def test_a_new_home_begins_with_its_capital_once_and_v001_above_the_floor(opened: OpenHome) -> None:
    status = opened.shell.status()
    assert (status.starting_value, status.cash, status.active.version) == (10_000.0, 10_000.0, "v001")
    assert [row.version for row in opened.store.strategies.list()] == ["v000", "v001"]
    assert [event.amount.value for event in opened.store.books.capital_events(MAIN_BOOK)] == [10_000]
    assert opened.store.outbox.list()[0].text.startswith("System online, 0 positions")


def test_scans_are_recorded_once_a_slot_and_a_repeated_request_gets_the_stored_answer(opened: OpenHome) -> None:
    now = steps(opened, 3)
    first = opened.shell.scan(now)
    assert opened.shell.scan(now) == first
    assert opened.store.history.counts(MAIN_BOOK)["scans"] == 3


def test_the_books_stand_after_closing_without_a_shutdown(opened: OpenHome) -> None:
    steps(opened, 40)
    equity = opened.shell.engine.equity()
    head = opened.store.events.head()
    home = opened.home
    opened.close()
    with Store.open(home.database, read_only=True) as store:
        facts = standing_of(home, store)
        assert facts["books_check"] == []
        assert facts["event_log_hash"] == head
        assert facts["total_value"] == pytest.approx(float(equity), rel=0.05)


def test_the_status_of_a_home_names_the_money_its_books_are_of(opened: OpenHome) -> None:
    assert standing_of(opened.home, opened.store)["mode"] == "paper"
    opened.store.facts.once(KIND_FACT, "live")
    assert standing_of(opened.home, opened.store)["mode"] == "live"


def test_a_kill_switch_is_still_there_after_a_restart_and_a_person_lifts_it(opened: OpenHome, tmp_path: Path) -> None:
    now = steps(opened, 2)
    opened.shell.kill("the operator said so", now)
    opened.shell.shutdown(now)
    home, settings = opened.home, opened.settings
    opened.close()
    history = synthetic_market(5, SYMBOLS, START - timedelta(days=40), 45)
    again = open_replay(home, settings, history, now, START + timedelta(days=4))
    try:
        again.shell.start(now)
        assert set(again.shell.engine.halts) == {HaltKind.KILL_SWITCH}
        assert len(again.store.books.capital_events(MAIN_BOOK)) == 1
        again.shell.lift(HaltKind.KILL_SWITCH, "a person", now)
        assert again.shell.status().halted == ()
        assert again.store.halts.active(MAIN_BOOK) == []
    finally:
        again.close()


def test_a_second_shell_on_the_same_home_is_refused(opened: OpenHome) -> None:
    history = synthetic_market(5, SYMBOLS, START - timedelta(days=40), 45)
    with pytest.raises(NotNow):
        open_replay(opened.home, opened.settings, history, START, START + timedelta(days=1))


def test_nothing_is_promoted_without_a_gate_and_a_paper_trial(opened: OpenHome) -> None:
    now = steps(opened, 1)
    desk = Desk(opened.shell)
    source = opened.shell.active_strategy().source
    candidate = desk.register_candidate(
        Proposal(source=source, parent_version="v001", hypothesis="nothing", provider="person", seed=0), now
    )
    with pytest.raises(Rejected, match="has not passed the gate"):
        desk.promote(candidate.candidate_id, now)
    desk.record_stage(
        candidate.candidate_id,
        StageResult(stage=Stage.GATE, passed=False, reasons=("no",), inputs={}), now,
    )
    with pytest.raises(Rejected, match="it is refused"):
        desk.promote(candidate.candidate_id, now)
    assert opened.shell.active_strategy().version == "v001"


def test_a_rollback_goes_to_the_floor_swaps_the_files_and_stops_there(opened: OpenHome) -> None:
    now = steps(opened, 2)
    promotion = opened.shell.rollback("it was time", now)
    assert (promotion.previous, promotion.version) == ("v001", "v000")
    assert source_hash(opened.shell.workspace.active()) == promotion.hash
    assert opened.shell.engine.config.version == "v000"
    steps(opened, 2)
    assert opened.store.history.counts(MAIN_BOOK)["scans"] == 4
    with pytest.raises(NotNow, match="floor"):
        opened.shell.rollback("again", now)


def test_symbols_of_two_currencies_are_refused() -> None:
    with pytest.raises(DataError, match="USD and USDT"):
        account_overrides(["BTC/USD", "ETH/USDT"])


BUYER = """
from shell.contract import Action, Signal


class Strategy:
    def initialize(self, risk_limits, symbols):
        self.scans = 0

    def analyze(self, markets, portfolio, timestamp):
        self.scans += 1
        if self.scans == 2:
            return [Signal("BTC/USD", Action.BUY, 0.05)]
        if portfolio.positions:
            raise RuntimeError("worn out")
        return []

    def on_fill(self, symbol, action, qty, price, intent):
        pass

    def on_position_closed(self, symbol, pnl, pnl_pct):
        pass

    def get_state(self):
        return {"scans": self.scans}

    def load_state(self, state):
        self.scans = state["scans"]
"""


def test_a_version_that_breaks_is_rolled_back_and_its_position_is_kept(opened: OpenHome) -> None:
    engine = opened.shell.engine
    engine.attach(HostedStrategy(StrategySource(code=BUYER), opened.settings.host), "v001", None)
    steps(opened, 10)
    assert opened.shell.active_strategy().version == "v000"
    assert engine.config.version == "v000"
    assert set(engine.ledger.positions) == {"BTC/USD"}
    assert len(opened.store.history.faults(MAIN_BOOK)) == 3
    assert "failed 3 times in a row" in opened.store.outbox.list()[-1].text


def test_one_signal_can_be_followed_to_its_fill_in_the_log(opened: OpenHome) -> None:
    configure(opened.home, "info", console=False)
    try:
        opened.shell.engine.attach(HostedStrategy(StrategySource(code=BUYER), opened.settings.host), "v001", None)
        steps(opened, 4)
    finally:
        close_log()
    lines = [json.loads(line) for file in opened.home.logs.iterdir() for line in file.read_text().splitlines()]
    (signal,) = (line for line in lines if line["event"] == "signal")
    (order,) = (line for line in lines if line["event"] == "order" and line["intent_id"] == signal["intent_id"])
    (fill,) = (line for line in lines if line["event"] == "fill" and line["order_id"] == order["order_id"])
    assert fill["signal_id"] == signal["signal_id"]
    assert opened.store.history.fills(MAIN_BOOK)[0].fill_id == fill["fill_id"]
