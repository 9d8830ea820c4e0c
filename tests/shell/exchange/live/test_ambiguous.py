"""Answers that never come: one order at most, reserved until it is found or proven absent, by this process or the next."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from shell.exchange.simulator.orders import OrderRequest
from shell.orders import OrderState, Purpose
from tests.shell.exchange.live.conftest import Opens
from tests.shell.exchange.live.stage import BTC, buy, limit_buy
from tests.thorough import THOROUGH

LOST_AFTER: list[dict[str, Any]] = [
    {"kind": "lost_after"}, {"kind": "lost_after", "hang": True}, {"kind": "html_after", "status": 520},
    {"kind": "error_after", "error": "EService:Unavailable"}, {"kind": "late", "seconds": 2},
]
LOST_BEFORE: list[dict[str, Any]] = [
    {"kind": "lost_before"}, {"kind": "html_before", "status": 502}, {"kind": "error_before", "error": "EService:Busy"},
    {"kind": "late", "seconds": 9},
]


def told(faults: list[dict[str, Any]], everyday: int) -> list[Any]:
    """The faults as cases: the first ones every day, the rest with `make faults`."""
    names = ["-".join(str(value) for value in fault.values()) for fault in faults]
    return [
        pytest.param(fault, id=name, marks=() if number < everyday else THOROUGH)
        for number, (fault, name) in enumerate(zip(faults, names, strict=True))
    ]


def on_add(fault: dict[str, Any]) -> dict[str, Any]:
    return {"faults": [{**fault, "on": "AddOrder"}]}


@pytest.mark.parametrize("deaf", [False, True], ids=["hearing", "deaf"])
@pytest.mark.parametrize("fault", told(LOST_AFTER, 2))
def test_an_order_whose_answer_was_lost_is_found_and_never_sent_again(
    stage: Opens, fault: dict[str, Any], deaf: bool
) -> None:
    on = stage({0: [buy()], 1: [buy()]}, plan=on_add(fault))
    on.client.deaf = deaf
    record = on.scan()
    assert record.updates[0].state is OrderState.UNKNOWN
    assert [order.intent.symbol for order in on.engine.gateway.open_orders()] == [BTC]
    on.settle(6)
    assert on.held() == on.coins > 0
    assert on.purposes() == [Purpose.ENTRY]
    assert on.client.transport.sent.count("AddOrder") == 1
    assert [order.kind for order in on.open_at_exchange()] == ["stop-loss"]
    on.agree()


@pytest.mark.parametrize("fault", told(LOST_BEFORE, 2))
def test_an_order_that_never_arrived_is_given_up_only_after_its_deadline(stage: Opens, fault: dict[str, Any]) -> None:
    on = stage({0: [buy()]}, plan=on_add(fault))
    on.scan()
    reserved = [order.approved.reserved for order in on.engine.gateway.open_orders()]
    on.step(4)
    on.step(6)
    assert [order.approved.reserved for order in on.engine.gateway.open_orders()] == reserved
    on.settle(6)
    assert on.engine.gateway.open_orders() == []
    ended = [change for record in on.records for change in record.updates if change.state is OrderState.REJECTED]
    assert len(ended) == 1 and ended[0].reason.startswith("not placed")
    assert on.exchange_orders() == [] and on.client.transport.sent.count("AddOrder") == 1
    on.agree()


@pytest.mark.parametrize("fault", told([LOST_AFTER[0], LOST_BEFORE[0], *LOST_AFTER[1:], *LOST_BEFORE[1:]], 2))
def test_a_doubtful_order_of_a_dead_process_is_resolved_before_the_first_scan(
    stage: Opens, fault: dict[str, Any]
) -> None:
    on = stage({0: [limit_buy(29_500.0)], 1: [], 2: []}, plan=on_add(fault))
    on.scan()
    on.restart()
    record = on.step(1, scan=True)
    assert not on.gateway.ready or not on.gateway.doubtful()
    assert record.scan is None
    on.settle(6)
    assert on.gateway.ready
    assert len(on.open_at_exchange()) == len(on.exchange_orders()) == len(on.engine.gateway.open_orders())
    assert on.client.transport.sent.count("AddOrder") == 0
    on.agree()


def test_while_an_entry_is_doubtful_no_second_one_is_approved(stage: Opens) -> None:
    on = stage({0: [buy()], 1: [buy()]}, plan=on_add({"kind": "lost_before"}))
    on.client.transport.down = False
    on.scan()
    on.client.transport.down = True
    record = on.scan()
    assert (record.answers[0].approved, record.answers[0].code) == (False, "DUPLICATE_SIGNAL")


def test_a_network_that_never_connected_is_a_clear_no(stage: Opens) -> None:
    on = stage({0: [buy()]})
    on.settle(1)
    on.client.transport.down = True
    record = on.scan()
    assert [change.state for change in record.updates] == [OrderState.REJECTED]
    assert on.engine.gateway.open_orders() == []
    on.client.transport.down = False
    on.settle(4)
    assert on.exchange_orders() == []
    on.agree()


def test_a_refusal_of_the_venue_ends_the_intent(stage: Opens) -> None:
    on = stage({0: [buy()]}, plan=on_add({"kind": "error_before", "error": "EOrder:Insufficient funds"}))
    record = on.scan()
    assert record.answers[0].code == "VENUE_REFUSED"
    assert on.engine.gateway.open_orders() == []
    on.agree()


def test_an_entry_that_arrives_after_it_was_given_up_is_taken_up_and_taken_out(stage: Opens) -> None:
    on = stage({0: [limit_buy(29_500.0)]}, plan=on_add({"kind": "lost_before"}))
    on.scan()
    (sent,) = on.engine.gateway.open_orders()
    on.settle(6)
    assert on.engine.gateway.open_orders() == []
    # The same order by the same name, as a broken clock at the venue would let it in.
    exchange = on.desk.exchange
    exchange.place(
        OrderRequest(
            pair=exchange.venue.directory.by_symbol[BTC], side="buy", kind="limit", volume=sent.intent.qty.value,
            price=Decimal(29_500), cl_ord_id=sent.intent.client_id,
        )
    )
    on.settle(3)
    assert on.open_at_exchange() == [] and on.engine.gateway.open_orders() == []
    on.agree()
