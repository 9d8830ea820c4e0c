"""Faults on purpose: each kind does what it says, once for each time it was asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shell.errors import UsageError
from shell.exchange.simulator.control import HANDLERS
from shell.exchange.simulator.faults import Kind, read_plan
from shell.exchange.simulator.rest import Fate
from tests.shell.exchange.simulator.kit import Customer, control, desk, heard, public, say, sound, wait

ORDER = {"pair": "XBTUSD", "type": "buy", "ordertype": "market", "volume": "0.01"}


def planned(kind: str, **more: Any) -> Customer:
    return Customer(desk(plan={"faults": [{"kind": kind, **more}]}))


@pytest.mark.parametrize(
    ("kind", "more", "fate", "status", "orders"),
    [
        ("lost_before", {}, Fate.RESET, 200, 0),
        ("lost_before", {"hang": True}, Fate.HANGS, 200, 0),
        ("lost_after", {}, Fate.RESET, 200, 1),
        ("html_before", {"status": 502}, Fate.SENT, 502, 0),
        ("html_after", {"status": 520}, Fate.SENT, 520, 1),
        ("error_before", {"error": "EService:Unavailable"}, Fate.SENT, 200, 0),
        ("error_after", {"error": "EService:Timeout"}, Fate.SENT, 200, 1),
        ("delay", {"seconds": 2}, Fate.SENT, 200, 1),
    ],
)
def test_an_answer_is_lost_and_the_order_placed_or_not(kind: str, more: dict[str, Any], fate: Fate, status: int, orders: int) -> None:
    customer = planned(kind, on="AddOrder", **more)
    answer = customer.raw("AddOrder", ORDER)
    assert (answer.fate, answer.status) == (fate, status)
    assert customer.ask("ClosedOrders")["count"] == orders
    assert ("<html" in answer.body) is kind.startswith("html")
    if "error" in more:
        assert json.loads(answer.body) == {"error": [more["error"]]}
    assert [struck["kind"] for struck in control(customer.desk, "faults")["struck"]] == [kind]
    # Once is enough.
    customer.add(**ORDER)


def test_an_order_may_arrive_late_or_after_its_deadline() -> None:
    customer = planned("late", on="AddOrder", seconds=30, times=2)
    assert customer.raw("AddOrder", ORDER).fate is Fate.RESET
    customer.raw("AddOrder", {**ORDER, "deadline": "2026-03-02T12:00:20Z"})
    assert customer.ask("ClosedOrders")["count"] == 0
    wait(customer.desk, 29)
    assert customer.ask("ClosedOrders")["count"] == 0
    wait(customer.desk, 1)
    assert customer.ask("ClosedOrders")["count"] == 1


def test_a_late_copy_meets_the_nonce_of_what_came_after_it() -> None:
    customer = planned("late_arrival", on="AddOrder", seconds=5)
    customer.raw("AddOrder", ORDER)
    customer.ask("Balance")
    wait(customer.desk, 6)
    # Its nonce is lower than the one of the later call.
    assert customer.ask("ClosedOrders")["count"] == 0


def test_a_fill_in_part_leaves_the_rest() -> None:
    customer = Customer(desk(plan={"faults": [{"kind": "partial_fill", "on": "AddOrder", "share": 0.25, "times": 2}]}))
    order = customer.order(customer.add(**ORDER))
    assert (order["status"], order["vol_exec"]) == ("canceled", "0.00250000")
    resting = customer.order(customer.add(**{**ORDER, "ordertype": "limit", "price": "30100", "volume": "0.1"}))
    assert (resting["status"], resting["vol_exec"]) == ("open", "0.02500000")
    quote = public(customer.desk, "Ticker?pair=XBTUSD")["result"]["XXBTZUSD"]
    assert quote["b"][0] == "30100.00000" < quote["a"][0]
    sound(customer.desk)


@pytest.mark.parametrize(("kind", "placed"), [("maintenance_before", 0), ("maintenance_after", 1)])
def test_maintenance_in_mid_order(kind: str, placed: int) -> None:
    customer = planned(kind, on="AddOrder", seconds=60)
    assert (customer.both("AddOrder", **ORDER)["error"] == []) is bool(placed)
    assert customer.refused("Balance") == "EService:Unavailable"
    assert public(customer.desk, "SystemStatus")["result"]["status"] == "maintenance"
    wait(customer.desk, 61)
    assert customer.ask("ClosedOrders")["count"] == placed


def test_the_stream_loses_doubles_reorders_and_races() -> None:
    def told(kind: str, **more: Any) -> list[str]:
        customer = planned(kind, **more)
        token = customer.ask("GetWebSocketsToken")["token"]
        session = customer.desk.connect(private=True)
        say(session, "subscribe", channel="executions", token=token)
        messages = say(session, "add_order", token=token, symbol="BTC/USD", side="buy", order_type="market", order_qty=0.01)
        return [each["data"][0]["exec_type"] if "data" in each else each["method"] for each in messages]

    usual = ["add_order", "pending_new", "new", "trade", "filled"]
    assert told("ws_lose", on="executions", skip=2) == ["add_order", "pending_new", "new", "filled"]
    assert told("ws_duplicate", on="executions", skip=2) == ["add_order", "pending_new", "new", "trade", "trade", "filled"]
    assert told("ws_reorder", on="executions", skip=2) == ["add_order", "pending_new", "new", "filled", "trade"]
    assert told("ws_race", on="add_order") == [*usual[1:], usual[0]]
    assert told("lost_after", on="add_order") == usual[1:]
    assert told("lost_before", on="add_order") == []
    assert told("ws_drop", on="executions", skip=2) == ["add_order", "pending_new", "new"]
    assert told("delay", on="*") == usual


def test_a_checksum_may_be_wrong_and_a_token_void() -> None:
    customer = planned("bad_checksum", on="book")
    session = customer.desk.connect(private=False)
    right = say(session, "subscribe", channel="book", symbol=["BTC/USD"])[-1]["data"][0]["checksum"]
    customer.add(**{**ORDER, "ordertype": "limit", "price": "29000"})
    customer.ask("CancelAll")
    customer.add(**ORDER)
    wrong = heard(session)[0]["data"][0]["checksum"]
    assert wrong != right
    customer = planned("token_expiry", on="AddOrder")
    token = customer.ask("GetWebSocketsToken")["token"]
    customer.add(**ORDER)
    assert say(customer.desk.connect(private=True), "subscribe", channel="balances", token=token)[-1]["success"] is False


def test_a_clock_may_step_in_mid_order() -> None:
    customer = planned("clock_step", on="AddOrder", seconds=90)
    assert customer.refused("AddOrder", **ORDER, deadline="2026-03-02T12:00:50Z") == "EService:Deadline elapsed"


@pytest.mark.parametrize("seed", range(4))
def test_ambiguous_submissions_by_seed_leave_sound_books_and_repeat(seed: int) -> None:
    def run() -> tuple[Any, Any, int]:
        customer = Customer(desk(plan={"seed": seed, "rate": 0.3}))
        seen = 0
        for number in range(100):
            answer = customer.raw("AddOrder", {**ORDER, "cl_ord_id": f"order-{number}"})
            seen += answer.fate is Fate.SENT and '"txid"' in answer.body
            wait(customer.desk, 30)
        control(customer.desk, "faults", faults=[])
        control(customer.desk, "status", status="online")
        wait(customer.desk, 60)
        sound(customer.desk)
        books = control(customer.desk, "books")
        return books["orders"], books["balances"], seen

    print(f"seed {seed}")
    first = run()
    assert first == run()
    orders, _, seen = first
    assert seen < len(orders) < 100
    assert len({order["cl_ord_id"] for order in orders.values()}) == len(orders)


def test_the_manual_names_every_fault_and_every_control(project: Path) -> None:
    manual = (project / "docs" / "simulator.md").read_text(encoding="utf-8")
    assert [name for name in (*(kind.value for kind in Kind), *HANDLERS) if f"`{name}`" not in manual] == []


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_can_be_planned(kind: Kind) -> None:
    plan = read_plan({"faults": [{"kind": kind.value}], "seed": 1})
    assert plan.faults[0].kind is kind


@pytest.mark.parametrize(
    "given",
    [{"fault": []}, {"faults": [{"kind": "gremlin"}]}, {"faults": [{"on": "AddOrder"}]}, {"faults": [{"kind": "late", "sec": 1}]},
     {"rate": 2}, {"seed": "x"}, {"faults": [{"kind": "late", "seconds": "soon"}]}, {"faults": [{"kind": "late", "times": "x"}]}],
)
def test_a_plan_that_cannot_be_read_is_refused_with_a_sentence(given: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        read_plan(given)
