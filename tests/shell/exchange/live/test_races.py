"""Partial fills, cancels that race them, expiry, halts in maintenance, and a private socket that loses, doubles and reorders."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from shell.contract import Action, OrderType, Signal
from shell.exchange.simulator import order_entry
from shell.exchange.simulator.moments import SECOND_NS
from shell.exchange.simulator.system import SystemState
from shell.money import Price
from shell.orders import OrderState, Purpose
from shell.risk.halts import Halt, HaltKind
from tests.shell.exchange.live.conftest import Opens
from tests.shell.exchange.live.stage import BTC, Stage, buy, limit_buy
from tests.thorough import THOROUGH


def kill(on: Stage) -> None:
    halt = Halt(kind=HaltKind.KILL_SWITCH, book="main", sentence="a test", raised_at=on.clock.now())
    on.records.append(on.engine.halt(halt))


def last_state(on: Stage, purpose: Purpose) -> OrderState:
    state = on.store.books.load("main")
    assert state is not None
    return [order.state for order in state.known_orders if order.approved.intent.purpose is purpose][-1]


def trades(on: Stage, price: str, qty: str) -> None:
    on.desk.exchange.print_trade("XBTUSD", price, qty)


def test_a_market_entry_that_fills_in_part_is_guarded_for_that_part(stage: Opens) -> None:
    on = stage({0: [buy()]}, plan={"faults": [{"kind": "partial_fill", "on": "AddOrder", "share": 0.4}]})
    on.scan()
    on.settle(2)
    (entry, stop) = on.exchange_orders()
    assert 0 < on.held() < entry.volume
    assert stop.remaining == on.held()
    assert last_state(on, Purpose.ENTRY) is OrderState.CANCELLED
    assert on.gateway.resting_entries() == []
    on.agree()


def test_each_fill_of_a_resting_entry_brings_its_own_stop_and_both_fire(stage: Opens) -> None:
    on = stage({0: [limit_buy(29_900.0, 29_000.0)]})
    on.scan()
    order = on.open_at_exchange()[0]
    order.ahead *= 0
    trades(on, "29900.0", "0.05")
    on.settle(2)
    first = on.held()
    assert first > 0
    trades(on, "29800.0", "50")
    on.settle(3)
    assert on.held() > first
    assert {order.kind for order in on.open_at_exchange()} == {"stop-loss"}
    assert sum(order.remaining for order in on.open_at_exchange()) == on.held()
    on.price("28990.0")
    on.settle(2)
    assert on.held() == 0
    on.agree()


def test_a_cancel_that_comes_after_the_fill_books_the_fill(stage: Opens) -> None:
    on = stage({0: [limit_buy(29_900.0)]})
    on.scan()
    on.settle(2)
    on.client.deaf = True
    on.client.pump()
    trades(on, "29800.0", "50")
    kill(on)
    on.settle(3)
    assert on.held() == on.coins > 0
    assert last_state(on, Purpose.ENTRY) is OrderState.FILLED
    on.agree()


def test_a_cancelled_entry_keeps_what_was_filled_of_it(stage: Opens) -> None:
    on = stage({0: [limit_buy(29_900.0)]})
    on.scan()
    order = on.open_at_exchange()[0]
    order.ahead *= 0
    trades(on, "29900.0", "0.05")
    kill(on)
    on.settle(3)
    assert on.held() == on.coins > 0
    assert last_state(on, Purpose.ENTRY) is OrderState.CANCELLED
    assert [each.kind for each in on.open_at_exchange()] == ["stop-loss"]
    on.agree()


def test_an_entry_expires_at_the_venue(stage: Opens) -> None:
    on = stage({0: [limit_buy(29_000.0)]})
    on.scan()
    on.settle(1)
    on.step(3601)
    on.settle(1)
    assert last_state(on, Purpose.ENTRY) is OrderState.EXPIRED
    assert on.engine.gateway.open_orders() == []
    on.agree()


@pytest.mark.parametrize("dies", [False, True], ids=["the same process", "the next process"])
def test_a_kill_during_maintenance_is_repeated_until_no_entry_is_left(stage: Opens, dies: bool) -> None:
    on = stage({0: [limit_buy(29_000.0)], 1: [buy()], 2: [buy()]})
    on.scan()
    on.settle(1)
    on.desk.exchange.set_state(SystemState.MAINTENANCE, 60 * SECOND_NS)
    kill(on)
    on.settle(2)
    assert len(on.open_at_exchange()) == 1
    if dies:
        on.restart()
    on.settle(14)
    assert on.open_at_exchange() == [] and on.gateway.resting_entries() == []
    record = on.scan()
    assert [answer.code for answer in record.answers] == ["KILL_SWITCH"]
    on.agree()


def test_a_halt_leaves_the_venues_stops_where_they_are(stage: Opens) -> None:
    on = stage({0: [buy()]})
    on.scan()
    on.settle(2)
    kill(on)
    on.settle(2)
    assert [order.kind for order in on.open_at_exchange()] == ["stop-loss"]
    on.price("28999.0")
    on.settle(2)
    assert on.held() == 0
    on.agree()


@pytest.mark.parametrize("kind", ["ws_lose", "ws_duplicate", "ws_reorder", "ws_drop", "ws_silence"])
def test_a_private_socket_that_loses_doubles_or_reorders_changes_no_book(stage: Opens, kind: str) -> None:
    plan: dict[str, Any] = {"faults": [{"kind": kind, "on": "executions", "skip": skip, "times": 1} for skip in range(6)]}
    on = stage({0: [buy()]}, plan=plan)
    on.scan()
    on.settle(4)
    on.price("28999.0")
    on.settle(4)
    assert on.purposes() == [Purpose.ENTRY, Purpose.STOP]
    on.agree()


def test_the_monitor_sells_when_the_venues_stop_does_not_fire(stage: Opens) -> None:
    on = stage({0: [buy()]})
    on.scan()
    on.settle(2)
    # The venue's last price never comes down to the stop; ours does, and stays there.
    for _ in range(4):
        on.engine.on_price(BTC, Price("28900.0"), on.clock.now())
        on.settle(1)
    assert on.held() == 0 and on.coins == 0
    on.agree()


def test_a_stop_is_never_placed_beside_one_that_is_doubtful(stage: Opens) -> None:
    on = stage({0: [buy()]}, plan={"faults": [{"kind": "lost_after", "on": "AddOrder", "skip": 1}]})
    on.scan()
    on.settle(2)
    order_entry.cancel(on.desk.exchange.venue, on.open_at_exchange()[0])
    on.settle(6)
    (stop,) = on.open_at_exchange()
    assert stop.remaining == on.held()
    on.agree()


def test_what_was_approved_in_the_last_minute_throttles_the_next_process(stage: Opens) -> None:
    on = stage({0: [buy()], 1: [buy()]})
    on.scan()
    on.settle(2)
    on.restart()
    assert [(symbol, action) for symbol, action, _ in on.engine._lately.signals] == [(BTC, Action.BUY)]
    assert len(on.engine._lately.order_times) == 1


def test_a_limit_exit_is_taken_out_when_the_stop_is_reached(stage: Opens) -> None:
    on = stage({0: [buy()], 1: [Signal(BTC, Action.CLOSE, order_type=OrderType.LIMIT, limit_price=30_500.0)]})
    on.scan()
    on.settle(2)
    on.scan()
    on.settle(2)
    assert [order.kind for order in on.open_at_exchange()] == ["limit"]
    on.price("28900.0")
    on.settle(3)
    assert on.held() == 0 and on.coins == 0 and on.open_at_exchange() == []
    on.agree()


@pytest.mark.parametrize("deaf", [pytest.param(False, marks=THOROUGH, id="told"), pytest.param(True, id="untold")])
@pytest.mark.parametrize("answer", ["given", "lost_after", "lost_before"])
@pytest.mark.parametrize("fires", ["before", "between", "after"])
def test_a_stop_that_fires_while_it_is_moved_sells_once(stage: Opens, fires: str, answer: str, deaf: bool) -> None:
    """It fires at the old price as the change is on its way, at a price between, or at the new one once it was changed."""
    faults = [] if answer == "given" else [{"kind": answer, "on": "AmendOrder"}]
    on = stage({0: [buy()], 1: [Signal(BTC, Action.MODIFY, stop_loss=29_500.0)]}, plan={"faults": faults})
    on.scan()
    on.settle(2)
    on.desk.exchange.deposit("XBT", Decimal(1))
    on.client.deaf = deaf
    amend, prices = on.client.venue.amend, {"before": "28990.0", "between": "29200.0", "after": "29490.0"}

    def amended(*given: Any) -> None:
        if fires == "before":
            trades(on, prices[fires], "20")
        try:
            amend(*given)
        finally:
            if fires != "before":
                trades(on, prices[fires], "20")

    on.client.venue.amend = amended  # type: ignore[method-assign]
    on.scan()
    on.settle(14)
    assert (on.held(), on.coins) == (0, 1) or (answer == "lost_before" and on.held() == on.coins - 1 > 0)
    sold = [order for order in on.exchange_orders() if order.side == "sell" and order.filled]
    assert len(sold) == (on.held() == 0)
    if on.held():
        # The change never arrived; it is asked for again, and the stop that stands guards all of it.
        assert [(order.trigger, order.remaining) for order in on.open_at_exchange()] == [(29_500, on.held())]
