"""The rehearsal's exchange: what it traded is what our books say, the same again from the same seed, whatever happens to it.

No strategy is asked and no night is worked here; `test_rehearsal.py` has whole days with their nights.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from deployments.opening import OpenHome, account_overrides, open_replay, settings_for
from deployments.rehearsal_venue import BAR, RehearsalExchange, opened
from shell.clock import VirtualClock
from shell.contract import Action, OrderType, Signal
from shell.exchange.simulator.moments import SECOND_NS
from shell.exchange.simulator.system import SystemState
from shell.home import Home
from shell.market.history import History
from shell.orders import Fill, Liquidity, Purpose
from shell.service import MAIN_BOOK
from shell.store.books import read_fills
from tests.shell.exchange.live.stage import empty_database
from tests.shell.scripted import candles, flat

BTC = "BTC/USD"
START = datetime(2026, 3, 2, tzinfo=UTC)
PRICE = 30_000.0
CALM = (PRICE, PRICE, PRICE, PRICE)
DIP = (PRICE, PRICE, 28_900.0, 29_950.0)
RISE = (PRICE, 31_100.0, 29_990.0, 30_010.0)
SEED = 7

Bar = tuple[float, float, float, float]


class Day:
    """A shell on the exchange, moved bar by bar; `bars` are what the market does from `START` on."""

    def __init__(self, opened: OpenHome, exchange: RehearsalExchange) -> None:
        self.opened, self.exchange = opened, exchange
        self.shell = opened.shell
        self.now = START

    def pass_bars(self, count: int = 1) -> None:
        for _ in range(count):
            self.now += BAR
            self.exchange.lead(self.shell, self.now)
            self.shell.step(self.now, origin="rehearsal", scan=False)
            self.exchange.settle(self.shell, self.now)

    def sign(self, **signal: object) -> None:
        given = {"action": Action.BUY, "size_pct": 0.05, **signal}
        self.shell.engine.by_hand(Signal(BTC, **given), f"test:{self.now:%H%M}", self.now)  # type: ignore[arg-type]

    def fills(self) -> list[Fill]:
        with self.opened.store.reading() as connection:
            return [fill for _, fill in read_fills(connection, MAIN_BOOK)]


@contextmanager
def day(folder: Path, *bars: Bar) -> Iterator[Day]:
    market = [*flat(PRICE, 300), *bars, *flat(PRICE, 30)]
    history = History(m5={BTC: candles(market, start=START - 300 * BAR)}, source="made for this test")
    home = Home.private(folder)
    home.create()
    home.database.write_bytes(empty_database())
    settings = settings_for(home, account_overrides((BTC,)))
    exchange = RehearsalExchange(history, settings, VirtualClock(START), home=home, seed=SEED)
    try:
        opened = open_replay(home, settings, history, START, START + timedelta(days=1), venue=exchange.venue)
        try:
            opened.shell.start(START)
            yield Day(opened, exchange)
        finally:
            opened.close()
    finally:
        exchange.close()


def traded(folder: Path) -> tuple[str, list[Fill]]:
    """A market order and its stop, a resting one, a target: everything a book does. The event log's head, and the fills."""
    with day(folder, CALM, DIP, CALM, DIP, CALM, CALM, RISE) as it:
        it.sign(stop_loss=29_000.0)
        it.pass_bars(2)
        it.sign(stop_loss=28_000.0, take_profit=31_000.0, order_type=OrderType.LIMIT, limit_price=29_500.0)
        it.pass_bars(6)
        it.shell.shutdown(it.now)
        compared = it.exchange.compare(it.shell, it.opened.store)
        assert compared.equal, compared.sentence
        assert compared.exchange["BTC"] == compared.books["BTC"] == 0
        return str(it.opened.store.events.head()), it.fills()


def test_stops_fire_at_the_exchange_limits_rest_there_and_targets_are_taken_inside_the_bar(tmp_path: Path) -> None:
    head, fills = traded(tmp_path / "one")
    assert [fill.intent.purpose for fill in fills] == [Purpose.ENTRY, Purpose.STOP, Purpose.ENTRY, Purpose.TARGET]
    entry, stop, resting, target = fills
    assert entry.filled_at == START and entry.liquidity is Liquidity.TAKER
    # At the dip's lowest print, inside the bar, and not at its close of 29,950.
    assert START + BAR < stop.filled_at < START + 2 * BAR and stop.price.value < Decimal(29_000)
    assert (resting.price.value, resting.liquidity) == (Decimal(29_500), Liquidity.MAKER)
    # Seen by the monitor at the print of 31,100, although the bar closes at 30,010.
    assert target.price.value > Decimal(31_000) and target.filled_at < START + 7 * BAR
    assert traded(tmp_path / "two")[0] == head, f"seed {SEED} gave two event logs"


def test_a_stop_that_fires_while_the_network_is_down_is_booked_when_it_is_back(tmp_path: Path) -> None:
    with day(tmp_path, CALM, DIP) as it:
        it.sign(stop_loss=29_000.0)
        it.pass_bars()
        it.exchange.link.wire.down = True
        it.pass_bars(2)
        assert [fill.intent.purpose for fill in it.fills()] == [Purpose.ENTRY]
        it.exchange.link.wire.down = False
        it.pass_bars(2)
        assert [fill.intent.purpose for fill in it.fills()] == [Purpose.ENTRY, Purpose.STOP]
        compared = it.exchange.compare(it.shell, it.opened.store)
        assert compared.equal, compared.sentence


def test_an_order_during_the_exchange_s_maintenance_is_refused_and_nothing_is_held(tmp_path: Path) -> None:
    with day(tmp_path) as it:
        it.exchange.desk.exchange.set_state(SystemState.MAINTENANCE, 600 * SECOND_NS)
        it.sign(stop_loss=29_000.0)
        it.pass_bars(4)
        compared = it.exchange.compare(it.shell, it.opened.store)
        assert compared.equal, compared.sentence
        assert it.fills() == []


def test_what_differs_is_said_coin_by_coin(tmp_path: Path) -> None:
    with day(tmp_path) as it:
        it.sign(stop_loss=29_000.0)
        it.pass_bars()
        it.exchange.desk.exchange.deposit("ZUSD", Decimal("-0.0001"))
        compared = it.exchange.compare(it.shell, it.opened.store)
        assert not compared.equal
        assert len(compared.differences) == 1 and compared.differences[0].startswith("USD: the exchange has")


def test_an_exchange_opens_with_the_price_that_a_symbol_begins_with_when_nothing_is_known_before() -> None:
    history = History(m5={BTC: candles(flat(PRICE, 10), start=START)}, source="made for this test")
    bars = opened(history, START).m5[BTC]
    assert len(bars) == 11 and bars["timestamp"][0] == START - BAR and bars["close"][0] == PRICE
    assert opened(history, START + BAR).m5[BTC].equals(history.m5[BTC])
    silent = History(m5={BTC: history.m5[BTC].with_columns(volume=0.0)}, source="made for this test")
    assert opened(silent, START + BAR).m5[BTC]["volume"].min() > 0  # type: ignore[operator]
