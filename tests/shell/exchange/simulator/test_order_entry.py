"""What order entry refuses, in Kraken's words, and what it lets through."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from shell.exchange.simulator.moments import rfc3339, to_ns
from tests.shell.exchange.simulator.kit import START, Customer, control, desk, sound, wait

D = Decimal
LIMIT: dict[str, Any] = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "volume": "0.1", "price": "29000"}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"pair": "NOPE"}, "EQuery:Unknown asset pair"),
        ({"pair": ""}, "EGeneral:Invalid arguments:pair"),
        ({"type": "hold"}, "EGeneral:Invalid arguments:type"),
        ({"ordertype": "settle"}, "EGeneral:Invalid arguments:ordertype"),
        ({"volume": "0.00004"}, "EGeneral:Invalid arguments:volume minimum not met"),
        ({"volume": "0.123456789"}, "EGeneral:Invalid arguments:volume"),
        ({"volume": "1e-1"}, "EGeneral:Invalid arguments:volume"),
        ({"volume": "-1"}, "EGeneral:Invalid arguments:volume"),
        ({"price": "29000.05"}, "EOrder:Invalid price:XXBTZUSD price can only be specified up to 1 decimals."),
        ({"price": "2.9e4"}, "EOrder:Invalid price:Invalid price argument."),
        ({"price": ""}, "EOrder:Invalid price:Invalid price argument."),
        ({"price": "0"}, "EOrder:Invalid price:Invalid price argument."),
        ({"price": "1", "volume": "0.1"}, "EOrder:Cost minimum not met"),
        ({"volume": "4"}, "EOrder:Insufficient funds"),
        ({"oflags": "post,gift"}, "EGeneral:Invalid arguments:oflags"),
        ({"oflags": "fcib,fciq"}, "EGeneral:Invalid arguments:oflags"),
        ({"oflags": "post", "price": "31000"}, "EOrder:Post only order"),
        ({"timeinforce": "DAY"}, "EGeneral:Invalid arguments:timeinforce"),
        ({"timeinforce": "GTD"}, "EGeneral:Invalid arguments:expiretm"),
        ({"ordertype": "stop-loss-limit"}, "EOrder:Invalid price:Invalid secondary price argument."),
        ({"ordertype": "trailing-stop"}, "EOrder:Invalid price:Invalid price argument."),
        ({"cl_ord_id": "x" * 19}, "EGeneral:Invalid arguments:cl_ord_id"),
        ({"cl_ord_id": "a", "userref": "5"}, "EGeneral:Invalid arguments:cl_ord_id"),
        ({"userref": "3000000000"}, "EGeneral:Invalid arguments:userref"),
        ({"deadline": "soon"}, "EGeneral:Invalid arguments:deadline"),
        ({"deadline": rfc3339(to_ns(START + timedelta(seconds=61)))}, "EGeneral:Invalid arguments:deadline"),
        ({"deadline": rfc3339(to_ns(START - timedelta(seconds=1)))}, "EService:Deadline elapsed"),
        ({"close_ordertype": "market"}, "EGeneral:Invalid arguments:close ordertype"),
        ({"leverage": "2"}, "EGeneral:Invalid arguments:leverage"),
        ({"validate": "perhaps"}, "EGeneral:Invalid arguments:validate"),
    ],
)
def test_a_wrong_order_is_refused_and_leaves_no_trace(change: dict[str, Any], error: str) -> None:
    customer = Customer(desk())
    assert customer.refused("AddOrder", **{**LIMIT, **change}) == error
    assert customer.ask("OpenOrders") == {"open": {}}
    assert customer.ask("ClosedOrders")["count"] == 0


@pytest.mark.parametrize("cl_ord_id", ["a", "O-20260505-000001", "6d1b345e-2821-40e2-ad83-4ecb18a06876", "da8e4ad59b78481c93e589746b0cf91f"])
def test_a_client_id_is_unique_among_open_orders_only(cl_ord_id: str) -> None:
    customer = Customer(desk())
    first = customer.add(**LIMIT, cl_ord_id=cl_ord_id)
    assert customer.refused("AddOrder", **LIMIT, cl_ord_id=cl_ord_id) == "EGeneral:Invalid arguments:cl_ord_id"
    assert list(customer.ask("OpenOrders", cl_ord_id=cl_ord_id)["open"]) == [first]
    customer.ask("CancelOrder", cl_ord_id=cl_ord_id)
    second = customer.add(**LIMIT, cl_ord_id=cl_ord_id)
    assert second != first
    assert list(customer.ask("ClosedOrders", cl_ord_id=cl_ord_id)["closed"]) == [first]


@pytest.mark.parametrize(("sent", "validates"), [("true", True), ("1", True), ("false", False), ("False", False), ("0", False)])
def test_validate_places_nothing_when_it_says_yes(sent: str, validates: bool) -> None:
    customer = Customer(desk())
    answer = customer.ask("AddOrder", **LIMIT, validate=sent)
    assert answer["descr"] == {"order": "buy 0.10000000 XBTUSD @ limit 29000.0"}
    assert ("txid" in answer) is not validates
    assert len(customer.ask("OpenOrders")["open"]) == (0 if validates else 1)


def test_an_open_order_holds_its_cost_and_fee_and_an_open_stop_its_coins() -> None:
    customer = Customer(desk())
    customer.add(**LIMIT)
    assert customer.ask("BalanceEx")["ZUSD"] == {"balance": "100000.0000", "hold_trade": "2911.6000"}
    customer.buy("0.2")
    stop = customer.add(type="sell", ordertype="stop-loss", volume="0.2", price="28000")
    assert customer.refused("AddOrder", pair="XBTUSD", type="sell", ordertype="market", volume="0.1") == "EOrder:Insufficient funds"
    customer.ask("CancelOrder", txid=stop)
    customer.add(type="sell", ordertype="market", volume="0.1")
    sound(customer.desk)


def test_amending_keeps_the_id_and_the_fills() -> None:
    customer = Customer(desk())
    txid = customer.add(**LIMIT)
    assert customer.ask("AmendOrder", txid=txid, limit_price="29500", order_qty="0.2")["amend_id"]
    order = customer.order(txid)
    assert (order["descr"]["price"], order["vol"], order["status"]) == ("29500.0", "0.20000000", "open")
    assert customer.ask("BalanceEx")["ZUSD"]["hold_trade"] == "5923.6000"
    assert customer.refused("AmendOrder", txid=txid, order_qty="20") == "EOrder:Insufficient funds"
    assert customer.refused("AmendOrder", txid=txid, limit_price="31000", post_only="true") == "EOrder:Post only order"
    control(customer.desk, "trade", pair="XBTUSD", price="29499", qty="0.05")
    assert D(customer.order(txid)["vol_exec"]) > 0


def test_an_amended_quantity_below_the_filled_one_cancels_the_rest() -> None:
    exchange = desk()
    customer = Customer(exchange)
    txid = customer.add(**{**LIMIT, "volume": "1"})
    ahead = exchange.exchange.venue.open[txid].ahead
    control(exchange, "trade", pair="XBTUSD", price="29000", qty=str(ahead + D("0.4")))
    customer.ask("AmendOrder", txid=txid, order_qty="0.3")
    order = customer.order(txid)
    assert (order["status"], order["vol_exec"]) == ("canceled", "0.40000000")
    assert customer.refused("AmendOrder", txid=txid, order_qty="0.5") == "EOrder:Unknown order"


def test_the_trigger_of_a_stop_is_amended_in_place() -> None:
    customer = Customer(desk())
    customer.buy("0.2")
    stop = customer.add(type="sell", ordertype="stop-loss", volume="0.2", price="28000")
    customer.ask("AmendOrder", txid=stop, trigger_price="29000")
    assert customer.order(stop)["stopprice"] == "29000.00000"
    assert customer.refused("AmendOrder", txid=stop, limit_price="29000") == "EGeneral:Invalid arguments:limit_price"


def test_editing_gives_a_new_id() -> None:
    customer = Customer(desk())
    txid = customer.add(**LIMIT)
    edited = customer.ask("EditOrder", pair="XBTUSD", txid=txid, price="28000", volume="0.2")
    assert edited["originaltxid"] == txid != edited["txid"]
    assert customer.order(txid)["status"] == "canceled"
    assert customer.order(edited["txid"])["descr"]["price"] == "28000.0"
    named = customer.add(**LIMIT, cl_ord_id="mine")
    assert customer.refused("EditOrder", pair="XBTUSD", txid=named, price="28000") == "EGeneral:Invalid arguments:txid"


def test_a_batch_is_refused_whole_for_a_mistake_and_in_part_for_lack_of_funds() -> None:
    customer = Customer(desk())

    def batch(*orders: dict[str, Any]) -> Any:
        return customer.raw("AddOrderBatch", {"pair": "XBTUSD", "orders": list(orders)}, as_json=True).body

    good = {"type": "buy", "ordertype": "limit", "volume": "1", "price": "29000"}
    assert "volume minimum" in batch(good, {**good, "volume": "0.00001"})
    assert customer.ask("OpenOrders")["open"] == {}
    answer = batch(good, {**good, "volume": "3"}, good)
    assert answer.count("txid") == 2 and answer.count("EOrder:Insufficient funds") == 1
    assert "EGeneral:Invalid arguments:orders" in batch(good)


def test_orders_are_cancelled_by_id_by_userref_and_all_at_once() -> None:
    customer = Customer(desk())
    ids = [customer.add(**LIMIT, userref=ref) for ref in (7, 7, 8)]
    assert customer.ask("CancelOrder", txid="7")["count"] == 2
    assert customer.refused("CancelOrder", txid=ids[0]) == "EOrder:Unknown order"
    assert customer.refused("CancelOrder", txid="OXYZ") == "EOrder:Invalid order"
    assert customer.ask("CancelAll") == {"count": 1}
    body = customer.raw("CancelOrderBatch", {"orders": [customer.add(**LIMIT), "OAAAAA-AAAAA-AAAAAA"]}, as_json=True).body
    assert '"count":1' in body


def test_the_dead_mans_switch_cancels_stops_too_and_then_stays_off() -> None:
    customer = Customer(desk())
    customer.buy("0.1")
    customer.add(type="sell", ordertype="stop-loss", volume="0.1", price="28000")
    armed = customer.ask("CancelAllOrdersAfter", timeout=60)
    assert armed == {"currentTime": "2026-03-02T12:00:00Z", "triggerTime": "2026-03-02T12:01:00Z"}
    wait(customer.desk, 40)
    customer.ask("CancelAllOrdersAfter", timeout=60)
    wait(customer.desk, 59)
    assert len(customer.ask("OpenOrders")["open"]) == 1
    wait(customer.desk, 2)
    assert customer.ask("OpenOrders")["open"] == {}
    customer.add(**LIMIT)
    wait(customer.desk, 300)
    assert len(customer.ask("OpenOrders")["open"]) == 1
    assert customer.ask("CancelAllOrdersAfter", timeout=0)["triggerTime"] == "0"


def test_an_armed_switch_waits_for_the_end_of_maintenance() -> None:
    customer = Customer(desk())
    customer.add(**LIMIT)
    customer.ask("CancelAllOrdersAfter", timeout=10)
    control(customer.desk, "status", status="maintenance", seconds=60)
    wait(customer.desk, 30)
    assert len(customer.desk.exchange.venue.open) == 1
    wait(customer.desk, 31)
    assert len(customer.desk.exchange.venue.open) == 0


def test_an_earlier_maintenance_does_not_end_a_later_one() -> None:
    exchange = desk()
    control(exchange, "status", status="maintenance", seconds=60)
    wait(exchange, 30)
    control(exchange, "status", status="cancel_only", seconds=60)
    wait(exchange, 40)
    assert control(exchange, "status") ["status"] == "cancel_only"
    wait(exchange, 21)
    assert control(exchange, "status")["status"] == "online"


@pytest.mark.parametrize(
    ("state", "add", "post", "cancel"),
    [
        ("maintenance", "EService:Unavailable", "EService:Unavailable", "EService:Unavailable"),
        ("cancel_only", "EService:Market in cancel_only mode", "EService:Market in cancel_only mode", None),
        ("post_only", "EService:Market in post_only mode", None, None),
        ("online", None, None, None),
    ],
)
def test_each_state_allows_what_kraken_allows(state: str, add: str | None, post: str | None, cancel: str | None) -> None:
    customer = Customer(desk())
    txid = customer.add(**LIMIT)
    control(customer.desk, "status", status=state)
    errors = [
        customer.both("AddOrder", **LIMIT)["error"], customer.both("AddOrder", **LIMIT, oflags="post")["error"],
        customer.both("CancelOrder", txid=txid)["error"],
    ]
    assert errors == [[each] if each else [] for each in (add, post, cancel)]


def test_the_engines_counter_fills_with_young_cancels_and_decays() -> None:
    customer = Customer(desk(tier="starter"))
    for _ in range(6):
        customer.ask("CancelOrder", txid=customer.add(**LIMIT))
    assert customer.refused("AddOrder", **{**LIMIT, "volume": "0"}).startswith("EGeneral")
    for _ in range(5):
        customer.ask("CancelOrder", txid=customer.add(**LIMIT)) if customer.both("AddOrder", **LIMIT)["error"] == [] else None
    assert customer.refused("AddOrder", **LIMIT) == "EOrder:Rate limit exceeded"
    wait(customer.desk, 60)
    customer.add(**LIMIT)


def test_a_pair_takes_only_so_many_open_orders() -> None:
    customer = Customer(desk(tier="starter"))
    for _ in range(60):
        customer.add(**{**LIMIT, "volume": "0.001"})
        wait(customer.desk, 1)
    assert customer.refused("AddOrder", **{**LIMIT, "volume": "0.001"}) == "EOrder:Orders limit exceeded"
