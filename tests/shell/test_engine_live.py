"""The engine on a live book: stops at a price between bars, bars of gaps walked, and prices told late that change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from shell.backtest.run import MemoryJournal
from shell.book_setup import fees_of, new_engine, pairs_of
from shell.clock import to_ms
from shell.config import HostConfig, RiskConfig
from shell.contract import Action, Intent, OrderType, Signal
from shell.engine import Engine
from shell.live_value import live_equity
from shell.market.bars import Bar, Quote, Tier
from shell.market.history import History
from shell.market.live import LiveBook
from shell.market.live_inbox import Delivery, Tick
from shell.money import Price, QuoteAmount
from shell.orders import Purpose
from shell.portfolio.ledger import CapitalEvent
from shell.risk.halts import HaltKind
from tests.shell.scripted import BTC, FREE, START, STEP, WIDE, Script, ScriptedHost, candles, flat

BUY = Signal(
    symbol=BTC, action=Action.BUY, size_pct=0.5, order_type=OrderType.MARKET, stop_loss=95.0, take_profit=110.0, intent=Intent.DAY
)
BID = Signal(symbol=BTC, action=Action.BUY, size_pct=0.5, order_type=OrderType.LIMIT, limit_price=99.0, stop_loss=95.0)


class Scene:
    """An engine with 10,000 on a live book whose past is an hour at 100."""

    def __init__(self, script: Script, risk: RiskConfig = WIDE) -> None:
        past = START - timedelta(hours=1)
        history = History(m5={BTC: candles(flat(100.0, 12), start=past)})
        self.book = LiveBook((BTC,))
        self.book.preload(history, START)
        self.journal = MemoryJournal()
        self.host = ScriptedHost(script)
        self.engine: Engine = new_engine(
            book="test", version="v001", market=self.book, host=self.host, journal=self.journal, paper=FREE, risk=risk,
            host_config=HostConfig(), zone=ZoneInfo("UTC"), pairs=pairs_of(history), fees=fees_of((BTC,), FREE),
        )
        self.engine.add_capital(CapitalEvent(amount=QuoteAmount(10_000), at=START, reason="test capital"))

    def price(self, value: float, at: datetime) -> None:
        """A price is seen, and led through the engine as the loop does it."""
        tick = Tick(BTC, Price(Decimal(str(value))), to_ms(at))
        self.book.take(Delivery(ticks=[tick]))
        if BTC in self.engine.symbols_concerned():
            self.engine.on_price(BTC, tick.price, at)

    def bar(self, number: int, ohlc: Sequence[float] = (100.0, 100.0, 100.0, 100.0)) -> None:
        """The bar that opened `number` steps after START is told, and with it everything before its end."""
        open_ms = to_ms(START + number * STEP)
        told = Bar(BTC, Tier.M5, open_ms, *ohlc, 1.0)  # type: ignore[call-arg]
        self.book.take(Delivery(bars=[told], complete={BTC: open_ms + Tier.M5.ms}))

    def slot(self, number: int) -> None:
        self.engine.step(START + number * STEP, origin="test")

    def fills(self) -> list[tuple[Purpose, Decimal]]:
        return [(fill.intent.purpose, fill.price.value) for fill in self.journal.fills]


def opened(script: Script | None = None, risk: RiskConfig = WIDE) -> Scene:
    """A position bought at 100 by the scan of the first slot, at the first price after it."""
    scene = Scene(script or {0: [BUY]}, risk)
    scene.bar(0)
    scene.slot(1)
    scene.price(100.0, START + STEP + timedelta(seconds=4))
    assert scene.fills() == [(Purpose.ENTRY, Decimal(100))]
    return scene


def test_a_stop_is_left_at_the_price_that_reaches_it_between_bars() -> None:
    scene = opened()
    scene.price(94.5, START + STEP + timedelta(seconds=90))
    assert scene.fills()[1:] == [(Purpose.STOP, Decimal("94.5"))]
    assert scene.engine.ledger.positions == {}


def test_the_bar_of_a_stop_that_was_left_between_bars_is_not_walked_again() -> None:
    scene = opened({0: [BUY], 1: [BUY]})
    scene.price(94.5, START + STEP + timedelta(seconds=90))
    scene.price(98.0, START + STEP + timedelta(seconds=250))
    scene.bar(1, (100.0, 100.0, 94.5, 98.0))
    scene.slot(2)
    # Bought anew at the next price: the low of the bar before belongs to the past.
    scene.price(98.0, START + 2 * STEP + timedelta(seconds=5))
    assert [purpose for purpose, _ in scene.fills()] == [Purpose.ENTRY, Purpose.STOP, Purpose.ENTRY]
    assert BTC in scene.engine.ledger.positions


def test_a_stop_reached_while_the_feed_was_cut_is_left_when_the_bar_comes() -> None:
    scene = opened()
    scene.bar(1, (100.0, 101.0, 94.0, 100.0))
    scene.slot(2)
    assert scene.fills()[1:] == [(Purpose.STOP, Decimal(95))]


def test_a_bar_from_before_an_order_fills_nothing_however_late_it_comes() -> None:
    scene = Scene({0: [BID]})
    scene.slot(1)
    assert len(scene.engine.gateway.open_orders()) == 1
    # The feed was cut at the slot; the bar before it dipped to 90 before the bid was made.
    scene.bar(0, (100.0, 100.0, 90.0, 100.0))
    scene.engine.step(START + STEP + timedelta(seconds=30), origin="catch-up", scan=False)
    assert scene.fills() == []
    scene.price(100.0, START + STEP + timedelta(seconds=40))
    scene.price(98.9, START + STEP + timedelta(seconds=50))
    assert scene.fills() == [(Purpose.ENTRY, Decimal(99))]


def test_a_price_from_before_a_position_told_late_does_not_close_it() -> None:
    scene = opened()
    scene.price(90.0, START + timedelta(seconds=30))
    assert len(scene.fills()) == 1


def test_a_target_and_a_stop_seen_in_one_bar_are_met_in_their_true_order() -> None:
    scene = opened()
    scene.price(110.5, START + STEP + timedelta(seconds=60))
    scene.price(94.0, START + STEP + timedelta(seconds=120))
    scene.bar(1, (100.0, 110.5, 94.0, 94.0))
    scene.slot(2)
    assert scene.fills()[1:] == [(Purpose.TARGET, Decimal("110.5"))]


def test_a_loss_seen_between_bars_halts_at_once_while_marks_are_made_where_bars_close() -> None:
    scene = opened(risk=WIDE.model_copy(update={"max_daily_loss_pct": Decimal("0.01")}))
    marks = scene.engine.marks
    scene.price(97.0, START + STEP + timedelta(seconds=60))
    assert list(scene.engine.halts) == [HaltKind.DAILY_LOSS]
    assert scene.engine.marks is not None
    assert marks is not None
    assert (scene.engine.marks.day_start, scene.engine.marks.peak) == (marks.day_start, marks.peak)
    qty = scene.engine.ledger.positions[BTC].qty.value
    assert live_equity(scene.engine.ledger, scene.book).value == Decimal(10_000) - 3 * qty
    assert scene.engine.equity().value == Decimal(10_000)


def test_the_strategy_sees_the_close_and_the_closed_bars_alone_whatever_the_live_price() -> None:
    scene = opened()
    scene.price(104.0, START + STEP + timedelta(seconds=200))
    scene.bar(1, (100.0, 104.0, 100.0, 103.0))
    scene.book.take(Delivery(quotes={BTC: Quote(BTC, 104.9, 105.1, 105.0, to_ms(START + 2 * STEP) + 3000)}))
    scene.price(105.0, START + 2 * STEP + timedelta(seconds=3))
    scene.slot(2)
    request = scene.host.requests[-1]
    assert request.facts[BTC].quote.last == 103.0
    assert request.now == START + 2 * STEP
    assert request.portfolio.positions[0].current_price == 103.0
    assert [each.close for each in request.new_bars if each.tier is Tier.M5] == [103.0]


@pytest.mark.parametrize("state", ["maintenance", "cancel_only", "post_only"])
def test_while_the_exchange_takes_no_orders_nothing_is_opened_and_an_exit_waits(state: str) -> None:
    close = Signal(symbol=BTC, action=Action.CLOSE)
    scene = opened({0: [BUY], 1: [close, BUY], 2: [BUY]})
    scene.book.take(Delivery(system=state))
    scene.bar(1)
    scene.slot(2)
    scene.price(100.0, START + 2 * STEP + timedelta(seconds=4))
    assert [each.code for each in scene.journal.answers[1:]] == ["EXIT_WAITING", "MARKET_CLOSED"]
    assert state in scene.journal.answers[-1].sentence
    assert scene.fills() == [(Purpose.ENTRY, Decimal(100))]
    scene.book.take(Delivery(system="online"))
    scene.engine.settle(START + 2 * STEP + timedelta(seconds=200))
    scene.price(101.0, START + 2 * STEP + timedelta(seconds=204))
    assert scene.fills()[1:] == [(Purpose.EXIT, Decimal(101))]


def test_a_stop_is_still_left_while_an_exit_waits_for_the_exchange() -> None:
    scene = opened({0: [BUY], 1: [Signal(symbol=BTC, action=Action.CLOSE)]})
    scene.book.take(Delivery(system="post_only"))
    scene.bar(1)
    scene.slot(2)
    scene.price(94.0, START + 2 * STEP + timedelta(seconds=4))
    scene.book.take(Delivery(system="online"))
    scene.engine.settle(START + 2 * STEP + timedelta(seconds=9))
    assert scene.fills()[1:] == [(Purpose.STOP, Decimal(94))]
    assert scene.journal.answers[-1].code == "NO_POSITION"
