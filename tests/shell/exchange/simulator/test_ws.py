"""WebSocket v2: acknowledgements, channels, the order of executions, and a book that can be followed."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from shell.exchange.simulator.book import Level, checksum
from shell.exchange.simulator.tape import synthetic_tape
from shell.exchange.simulator.ws import Session
from tests.shell.exchange.simulator.kit import START, Customer, control, desk, heard, say, sound, wait

D = Decimal


def private(customer: Customer, *channels: str, **params: Any) -> tuple[Session, str]:
    """A private session with its greeting and acknowledgements out of the way."""
    token = customer.ask("GetWebSocketsToken")["token"]
    session = customer.desk.connect(private=True)
    for channel in channels:
        say(session, "subscribe", channel=channel, token=token, **params)
    session.outbox.clear()
    return session, token


def rows(messages: list[Any], channel: str = "executions") -> list[Any]:
    return [row for message in messages if message.get("channel") == channel for row in message["data"]]


def test_a_connection_is_greeted_and_every_symbol_acknowledged() -> None:
    session = desk().connect(private=False)
    greeting = heard(session)
    assert [(each["channel"], each["data"][0]["system"]) for each in greeting] == [("status", "online")]
    told = say(session, "subscribe", 5, channel="ticker", symbol=["BTC/USD", "XYZ/USD", "ETH/USD"])
    acks = [each for each in told if "method" in each]
    assert [(each["success"], each["req_id"]) for each in acks] == [(True, 5), (False, 5), (True, 5)]
    assert acks[1]["error"] == "Currency pair not supported XYZ/USD"
    assert acks[0]["result"]["symbol"] == "BTC/USD"
    assert [each["type"] for each in told if each.get("channel") == "ticker"] == ["snapshot", "snapshot"]
    assert say(session, "subscribe", channel="ticker", symbol="BTC/USD")[0]["success"] is False
    assert say(session, "subscribe", channel="ticker", symbol=["XBT/USD"])[0]["success"] is False
    assert say(session, "unsubscribe", channel="ticker", symbol=["BTC/USD"])[0]["success"] is True
    assert say(session, "ping", 9)[0] == {"method": "pong", **{k: v for k, v in say(session, "ping", 9)[0].items() if k != "method"}}
    session.receive("{nonsense")
    assert heard(session)[0]["success"] is False


def test_numbers_are_bare_and_keep_their_digits() -> None:
    session = desk().connect(private=False)
    session.outbox.clear()
    session.receive(json.dumps({"method": "subscribe", "params": {"channel": "book", "symbol": ["BTC/USD"], "depth": 10}}))
    snapshot = session.outbox[-1]
    assert '"price":30003.0,"qty":0.' in snapshot
    assert all(len(part.split("}")[0].split(".")[1]) == 8 for part in snapshot.split('"qty":')[1:])


@pytest.mark.parametrize("depth", [10, 25])
def test_a_book_that_is_followed_and_cut_to_depth_has_every_checksum(depth: int, seed: int) -> None:
    tape = synthetic_tape(["BTC/USD"], START, seed=seed, prints=60, past_days=1, days=1)
    exchange = desk(tape=tape)
    customer = Customer(exchange)
    session = exchange.connect(private=False)
    asks: dict[Decimal, Decimal] = {}
    bids: dict[Decimal, Decimal] = {}
    messages = say(session, "subscribe", channel="book", symbol=["BTC/USD"], depth=depth)[2:]
    for minute in range(30):
        last = exchange.exchange.venue.markets["XXBTZUSD"].last.price
        if minute % 3 == 0:
            customer.add(type="buy", ordertype="limit", volume="0.05", price=str(last - 3 * minute - D("0.1")))
        if minute % 5 == 0:
            customer.buy("0.02")
        wait(exchange, 60)
        messages += heard(session)
    assert len(messages) > 100
    for message in messages:
        row = message["data"][0]
        for side, levels in ((asks, row["asks"]), (bids, row["bids"])):
            for level in levels:
                side[level["price"]] = level["qty"]
                if not level["qty"]:
                    del side[level["price"]]
        best_asks = [Level(price, asks[price]) for price in sorted(asks)][:depth]
        best_bids = [Level(price, bids[price]) for price in sorted(bids, reverse=True)][:depth]
        asks, bids = dict(best_asks), dict(best_bids)
        assert best_bids[0].price < best_asks[0].price
        assert checksum(best_asks, best_bids, 1, 8) == row["checksum"]


def test_an_order_goes_through_its_stages_after_its_answer() -> None:
    customer = Customer(desk())
    session, token = private(customer, "executions", "balances")
    told = say(
        session, "add_order", 7, token=token, symbol="BTC/USD", side="buy", order_type="market", order_qty=0.01, cl_ord_id="mine"
    )
    assert told[0]["success"] is True and told[0]["req_id"] == 7 and told[0]["result"]["cl_ord_id"] == "mine"
    stages = [(row["exec_type"], row["order_status"]) for row in rows(told)]
    assert stages == [("pending_new", "pending_new"), ("new", "new"), ("trade", "partially_filled"), ("filled", "filled")]
    sequence = [each["sequence"] for each in told if each.get("channel") == "executions"]
    assert sequence == list(range(sequence[0], sequence[0] + 4))
    trade = rows(told)[2]
    assert trade["cost"] == trade["last_qty"] * trade["last_price"] and trade["liquidity_ind"] == "t"
    assert trade["fees"] == [{"asset": "USD", "qty": (trade["cost"] * D("0.004")).quantize(D("0.0001"), "ROUND_DOWN")}]
    booked = rows(told, "balances")
    assert {row["asset"]: row["balance"] for row in booked} == {
        "USD": D(customer.ask("Balance")["ZUSD"]), "BTC": D(customer.ask("Balance")["XXBT"]),
    }
    assert {row["ref_id"] for row in booked} == {trade["exec_id"]}


def test_names_of_rest_are_refused_here() -> None:
    customer = Customer(desk())
    session, token = private(customer)
    told = say(session, "add_order", token=token, symbol="BTC/USD", side="buy", order_type="limit", order_qty=1, price=1)
    assert told[0]["error"] == "Unsupported field: 'price' for the given msg type: add order"


def test_private_things_need_a_token_and_the_private_door() -> None:
    customer = Customer(desk())
    token = customer.ask("GetWebSocketsToken")["token"]
    public = customer.desk.connect(private=False)
    assert "unavailable on this endpoint" in say(public, "subscribe", channel="executions", token=token)[-1]["error"]
    session = customer.desk.connect(private=True)
    assert say(session, "subscribe", channel="executions", token="stale")[-1]["error"] == "ESession:Invalid session"
    wait(customer.desk, 901)
    assert say(session, "subscribe", channel="executions", token=token)[-1]["error"] == "ESession:Invalid session"


def test_a_token_stays_good_on_the_connection_that_uses_it() -> None:
    customer = Customer(desk())
    session, token = private(customer, "executions")
    other = customer.desk.connect(private=True)
    wait(customer.desk, 1000)
    assert say(session, "cancel_all", token=token)[0]["success"] is True
    assert say(other, "cancel_all", token=token)[-1]["success"] is False
    control(customer.desk, "expire_tokens")
    assert say(session, "cancel_all", token=token)[0]["error"] == "ESession:Invalid session"


def test_a_stop_with_its_limit_a_close_and_a_relative_price_are_read() -> None:
    customer = Customer(desk())
    session, token = private(customer, "executions")
    order = {"token": token, "symbol": "BTC/USD", "side": "buy", "order_qty": 0.1}
    say(session, "add_order", **order, order_type="market", conditional={"order_type": "stop-loss-limit", "trigger_price": 28000, "limit_price": 27900})
    close = next(iter(customer.ask("OpenOrders")["open"].values()))
    assert close["descr"]["order"] == "sell 0.10000000 XBTUSD @ stop loss 28000.0 -> limit 27900.0"
    told = say(session, "add_order", **order, order_type="stop-loss", triggers={"reference": "last", "price": 5, "price_type": "pct"})
    assert rows(told)[0]["triggers"]["actual_price"] == D("31500.0")
    assert say(session, "add_order", **order, order_type="limit", limit_price=29000.55)[0]["error"].startswith("EOrder:Invalid price")


def test_orders_are_amended_and_cancelled_one_answer_each() -> None:
    customer = Customer(desk())
    session, token = private(customer, "executions")
    ids = [customer.add(type="buy", ordertype="limit", volume="0.1", price="29000", cl_ord_id=each) for each in "ab"]
    session.outbox.clear()
    amended = say(session, "amend_order", token=token, cl_ord_id="a", limit_price=29100)
    assert amended[0]["result"]["order_id"] == ids[0]
    assert rows(amended)[0]["exec_type"] == "amended" and rows(amended)[0]["limit_price"] == D("29100.0")
    told = say(session, "cancel_order", 3, token=token, order_id=[ids[0], "OAAAAA-AAAAA-AAAAAA"], cl_ord_id=["b"])
    answers = [each for each in told if "method" in each]
    assert [each["success"] for each in answers] == [True, False, True]
    assert {each["req_id"] for each in answers} == {3}
    assert [row["exec_type"] for row in rows(told)] == ["canceled", "canceled"]
    assert {row["reason"] for row in rows(told)} == {"User requested"}


def test_a_batch_answers_for_each_order() -> None:
    customer = Customer(desk())
    session, token = private(customer)
    order = {"order_type": "limit", "side": "buy", "order_qty": 2, "limit_price": 29000}
    told = say(session, "batch_add", token=token, symbol="BTC/USD", orders=[order, order])
    assert [each["success"] for each in told[0]["result"]] == [True, False]
    assert say(session, "batch_cancel", token=token, orders=[told[0]["result"][0]["order_id"]], cl_ord_id=["x"])[0]["result"]["count"] == 1


def test_snapshots_hold_open_orders_and_if_asked_the_last_fifty_trades() -> None:
    customer = Customer(desk())
    for _ in range(52):
        customer.buy("0.001")
    resting = customer.add(type="buy", ordertype="limit", volume="0.1", price="29000")
    token = customer.ask("GetWebSocketsToken")["token"]
    session = customer.desk.connect(private=True)
    snapshot = rows(say(session, "subscribe", channel="executions", token=token, snap_trades=True))
    assert [row["order_id"] for row in snapshot if row["exec_type"] == "new"] == [resting]
    assert len({row["exec_id"] for row in snapshot if row["exec_type"] == "trade"}) == 50


def test_an_ohlc_row_grows_with_each_trade_and_begins_anew() -> None:
    exchange = desk(tape=synthetic_tape(["BTC/USD"], START, seed=3, prints=10, past_days=2, days=1))
    session = exchange.connect(private=False)
    snapshot = rows(say(session, "subscribe", channel="ohlc", symbol=["BTC/USD"], interval=5), "ohlc")
    assert len(snapshot) <= 721
    wait(exchange, 600)
    updates = rows(heard(session), "ohlc")
    assert [row["trades"] for row in updates] == [*range(1, 11), *range(1, 11)]
    bars = exchange.exchange.venue.tape.series["BTC/USD"]
    at = bars.bar_at(int(START.timestamp()) * 1000)
    assert [float(row[name]) for row in (updates[9],) for name in ("open", "high", "low", "close")] == bars.rows[at, 1:5].tolist()


def test_a_change_of_state_is_told_on_every_connection() -> None:
    exchange = desk()
    sessions = [exchange.connect(private=each) for each in (True, False)]
    for session in sessions:
        session.outbox.clear()
    control(exchange, "status", status="post_only")
    assert [heard(session)[0]["data"][0]["system"] for session in sessions] == ["post_only"] * 2


def test_a_quiet_subscription_has_a_heartbeat_and_an_empty_connection_none() -> None:
    exchange = desk()
    session = exchange.connect(private=False)
    session.outbox.clear()
    session.heartbeat()
    session.heartbeat()
    assert heard(session) == []
    say(session, "subscribe", channel="ticker", symbol=["BTC/USD"])
    session.heartbeat()
    session.heartbeat()
    assert heard(session) == [{"channel": "heartbeat"}]


def test_a_connection_without_subscription_is_cut_after_a_minute_of_silence() -> None:
    exchange = desk()
    idle, busy, chatty = (exchange.connect(private=False) for _ in range(3))
    say(busy, "subscribe", channel="ticker", symbol=["BTC/USD"])
    for _ in range(65):
        say(chatty, "ping")
        for session in (idle, busy, chatty):
            session.heartbeat()
    assert [session.cut for session in (idle, busy, chatty)] == [True, False, False]


def test_executions_and_rest_tell_the_same_fills(seed: int) -> None:
    exchange = desk(tape=synthetic_tape(["BTC/USD"], START, seed=seed, prints=30, past_days=1, days=1))
    customer = Customer(exchange)
    session, _ = private(customer, "executions")
    for step in range(20):
        price = exchange.exchange.venue.markets["XXBTZUSD"].last.price - step * 5
        customer.add(type="buy", ordertype="limit", volume="0.03", price=str(price), close_ordertype="take-profit", close_price="+30")
        wait(exchange, 240)
    streamed = {row["exec_id"]: (row["last_qty"], row["last_price"], row["cost"]) for row in rows(heard(session)) if row["exec_type"] == "trade"}
    booked = {}
    for ofs in range(0, 200, 50):
        for trade_id, trade in customer.ask("TradesHistory", ofs=ofs)["trades"].items():
            booked[trade_id] = D(trade["vol"]), D(trade["price"]), D(trade["cost"])
    assert len(booked) > 20
    assert streamed == booked
    sound(exchange)
