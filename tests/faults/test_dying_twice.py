"""A process that dies at the same order again and again: each life's intent is a new one, and the last one trades."""

from __future__ import annotations

from datetime import datetime

import pytest

from shell.engine import Engine
from shell.store.store import Store
from tests.faults.busy_book import BEGIN, BOOK, CASH, STEP, begin

DEATHS = 4


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
