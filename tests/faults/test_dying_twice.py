"""A process that dies at the same order again and again: each life's intent is a new one, and the last one trades.

So it is where the venue had taken an earlier one, and a process found that out and died, too, before it worked the slot.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from shell.contract import Action, Signal
from shell.engine import Engine
from shell.execution.record import StepRecord
from shell.execution.steps import Steps
from shell.orders import ApprovedOrder, Purpose, SubmittedOrder
from shell.store.store import Store
from tests.faults.busy_book import BEGIN, BOOK, CASH, STEP, begin
from tests.faults.storm import RISK
from tests.shell.exchange.live.stage import BTC, Stage, buy

DEATHS = 4
Submit = Callable[[ApprovedOrder, datetime], SubmittedOrder]


class Died(BaseException):
    """Stands for the end of the process between writing an intent and sending it."""


def first_order(engine: Engine, now: datetime) -> None:
    """Step until an order is about to leave."""
    while True:
        engine.step(now, origin="fault test")
        now += STEP


def test_each_death_at_the_same_order_leaves_a_new_intent(tmp_path, seed, monkeypatch):
    with Store.open(tmp_path / "brain.db") as store:
        store.books.ensure_capital(BOOK, CASH, BEGIN)
        for _ in range(DEATHS):
            engine, now = begin(store.journal(BOOK), seed, store.books.load(BOOK))
            with monkeypatch.context() as patch:
                patch.setattr(engine.gateway, "submit", lambda *_: (_ for _ in ()).throw(Died))
                with pytest.raises(Died):
                    first_order(engine, now)
        engine, now = begin(store.journal(BOOK), seed, store.books.load(BOOK))
        while engine.gateway.open_orders() == []:
            engine.step(now, origin="fault test")
            now += STEP
        intents = [event.payload["intent_id"] for event in store.events.rows(kind="order_intended", book=BOOK)]
        assert len(intents) == len(set(intents)) > DEATHS
        assert len({intent.split(":o")[0] for intent in intents[: DEATHS + 1]}) == 1
        assert store.books.check(BOOK) == []


def test_each_death_at_the_same_way_out_leaves_a_new_intent(tmp_path, seed, monkeypatch):
    """A stop or a target is taken at a moment of the market, which the next process comes to again."""
    with Store.open(tmp_path / "brain.db") as store:
        store.books.ensure_capital(BOOK, CASH, BEGIN)
        for _ in range(DEATHS):
            engine, now = begin(store.journal(BOOK), seed, store.books.load(BOOK))
            send = engine.gateway.submit

            def dies_leaving(order: ApprovedOrder, at: datetime, send: Submit = send) -> SubmittedOrder:
                if order.intent.purpose in (Purpose.STOP, Purpose.TARGET):
                    raise Died
                return send(order, at)

            with monkeypatch.context() as patch:
                patch.setattr(engine.gateway, "submit", dies_leaving)
                with pytest.raises(Died):
                    first_order(engine, now)
        engine, now = begin(store.journal(BOOK), seed, store.books.load(BOOK))
        sold = 0
        while not sold:
            record = engine.step(now, origin="fault test")
            sold = sum(fill.intent.purpose in (Purpose.STOP, Purpose.TARGET) for fill in record.fills)
            now += STEP
        intents = [event.payload["intent_id"] for event in store.events.rows(kind="order_intended", book=BOOK)]
        assert len(intents) == len(set(intents)) > DEATHS
        assert store.books.check(BOOK) == []


def test_an_order_that_was_found_meanwhile_does_not_give_its_name_to_the_next(tmp_path, monkeypatch):
    def dies(_steps: Steps, _record: StepRecord) -> None:
        raise Died

    sell = Signal(BTC, Action.SELL, 0.02)
    on = Stage(tmp_path, {0: [buy()], 1: [sell], 2: [sell]}, risk=RISK)
    try:
        on.step(1)
        on.scan()
        on.settle(2)
        with monkeypatch.context() as patch:
            patch.setattr(Steps, "finish", dies)
            with pytest.raises(Died):
                on.scan()
        on.restart()
        on.step(1)
        on.restart()
        record = on.step(1, scan=True)
        assert [answer.code for answer in record.answers] == ["APPROVED"]
        sales = {each.request.cl_ord_id for each in on.exchange_orders() if each.kind == "market"}
        assert len(sales) == 2
        on.settle(2)
        on.agree()
    finally:
        on.close()
