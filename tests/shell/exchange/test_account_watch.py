"""Reconciliation as the shell meets it: a start needs it, a failure later is tried again soon, and faults heal within a minute."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from shell.errors import NotNow
from shell.exchange.account import look_at_account
from shell.exchange.account_watch import STRAY, AccountWatch
from shell.exchange.simulator.system import SystemState
from shell.execution.known import KnownOrder
from shell.money import BaseQty
from shell.orders import OrderState, OrderUpdate, Purpose, Side
from shell.portfolio.account import AccountPicture
from tests.shell.exchange.bench import HALT_PCT, Bench
from tests.shell.exchange.kraken.times import HandPace
from tests.shell.exchange.simulator.kit import wait


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.store.close()


def watch_of(bench: Bench, taken: list[KnownOrder] | None = None) -> AccountWatch:
    def look(since: datetime, now: datetime) -> AccountPicture:
        return asyncio.run(look_at_account(bench.api, since, now, HandPace()))

    return AccountWatch(
        store=bench.store, look=look, quote="USD", halt_pct=HALT_PCT,
        take_over=None if taken is None else taken.extend,
    )


def test_a_start_that_cannot_read_the_account_is_refused_and_a_later_look_is_taken_again_soon(bench: Bench) -> None:
    watch = watch_of(bench)
    bench.desk.exchange.set_state(SystemState.MAINTENANCE)
    with pytest.raises(NotNow, match="nothing is begun"):
        watch(bench.engine, bench.now)
    bench.desk.exchange.set_state(SystemState.ONLINE)
    assert watch(bench.engine, bench.now) == []
    assert not watch.due(bench.now)
    assert watch.due(bench.now + timedelta(minutes=15))
    bench.desk.exchange.set_state(SystemState.MAINTENANCE)
    assert list(watch(bench.engine, bench.now)) == []
    assert watch.trouble
    assert watch.due(bench.now + timedelta(seconds=10))


def test_once_faults_stop_the_books_agree_within_a_minute(bench: Bench) -> None:
    """I7: fills and answers lost in maintenance are booked by the first look after it, seconds later."""
    watch = watch_of(bench)
    watch(bench.engine, bench.now)
    bench.trade(Side.BUY, "0.1", told=False, linked=False, stop="29000")
    bench.desk.exchange.set_state(SystemState.MAINTENANCE)
    watch.needed("the private stream was cut", bench.now)
    for _ in range(6):
        wait(bench.desk, 10)
        if watch.due(bench.now):
            watch(bench.engine, bench.now)
    assert bench.ours("BTC") == 0
    bench.desk.exchange.set_state(SystemState.ONLINE)
    healed = bench.now
    while not watch.due(bench.now):
        wait(bench.desk, 1)
    sentences = watch(bench.engine, bench.now)
    assert bench.now - healed <= timedelta(seconds=60)
    assert len(sentences) == 4
    assert watch.trouble == ""
    bench.agrees()


def test_what_turns_out_to_be_ours_is_handed_to_the_gateway_with_what_is_booked(bench: Bench) -> None:
    taken: list[KnownOrder] = []
    watch = watch_of(bench, taken)
    watch(bench.engine, bench.now)
    bench.trade(Side.BUY, "0.1", stop="29000")
    watch(bench.engine, bench.now)
    (stop,) = taken
    assert stop.approved.intent.purpose is Purpose.STOP
    assert (stop.state, stop.filled) == (OrderState.OPEN, BaseQty(0))
    assert stop.approved.intent.trigger is not None


def test_an_order_that_is_open_although_our_books_ended_it_is_cancelled(bench: Bench) -> None:
    watch = watch_of(bench)
    watch(bench.engine, bench.now)
    txid = bench.trade(Side.BUY, "0.05", limit="25000", told=False)
    (order,) = bench.store.books.load("main").open_orders
    ended = OrderUpdate(
        order_id=txid, intent_id=order.intent.intent_id, state=OrderState.CANCELLED, reason="thought so", at=bench.now
    )
    bench.engine.take_up([ended], bench.now)
    (sentence,) = watch(bench.engine, bench.now)
    assert "to be cancelled" in sentence
    assert bench.gateway.cancelled == [txid]
    assert "ended" in STRAY
