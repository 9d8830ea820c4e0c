"""REST: who may ask, how often, and what answers look like."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from shell.exchange.simulator.auth import QUERY, KeyRing
from shell.exchange.simulator.fields import read_body
from shell.exchange.simulator.rate_counters import TIERS
from shell.exchange.simulator.refusal import Refusal
from shell.exchange.simulator.rest import Request
from tests.shell.exchange.simulator.kit import Customer, control, desk, public, sign, wait

# The example of Kraken's documentation.
SECRET = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="
BODY = b"nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25"
SIGNATURE = "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ=="
PATH = "/0/private/AddOrder"


def test_krakens_own_signature_is_admitted_and_another_is_not() -> None:
    keys = KeyRing(TIERS["pro"])
    keys.add("public", SECRET)
    params = read_body(BODY, "application/x-www-form-urlencoded")
    headers = {"api-key": "public", "api-sign": SIGNATURE}
    assert keys.admit(PATH, headers, BODY, params, 0).key == "public"
    for changed in (
        {"headers": {**headers, "api-sign": SIGNATURE.replace("4", "5", 1)}}, {"body": BODY + b"0"}, {"path": PATH + "Batch"},
    ):
        given: dict[str, Any] = {"path": PATH, "headers": headers, "body": BODY, "params": params, "now_ns": 0, **changed}
        with pytest.raises(Refusal, match="EAPI:Invalid signature"):
            keys.admit(**given)
    with pytest.raises(Refusal, match="EAPI:Invalid key"):
        keys.admit(PATH, {**headers, "api-key": "other"}, BODY, params, 0)


def test_a_nonce_must_rise() -> None:
    customer = Customer(desk())
    for nonce, error in ((10, []), (10, ["EAPI:Invalid nonce"]), (9, ["EAPI:Invalid nonce"]), (11, []), ("x", ["EAPI:Invalid nonce"])):
        answer = json.loads(customer.raw("Balance", {}, nonce=nonce).body)  # type: ignore[arg-type]
        assert answer["error"] == error, nonce


def test_many_failures_lock_a_key_for_a_quarter_of_an_hour() -> None:
    customer = Customer(desk())
    customer.ask("Balance")
    for _ in range(20):
        assert json.loads(customer.raw("Balance", {}, nonce=1).body)["error"] == ["EAPI:Invalid nonce"]
    assert customer.refused("Balance") == "EGeneral:Temporary lockout"
    wait(customer.desk, 901)
    customer.ask("Balance")


def test_json_and_form_bodies_mean_the_same() -> None:
    customer = Customer(desk())
    order = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "volume": "0.1", "price": "29000"}
    form = customer.raw("AddOrder", {**order, "close[ordertype]": "stop-loss", "close[price]": "28000"})
    body = customer.raw("AddOrder", {**order, "close": {"ordertype": "stop-loss", "price": "28000"}, "validate": False}, as_json=True)
    described = [json.loads(answer.body)["result"]["descr"] for answer in (form, body)]
    assert described == [{"order": "buy 0.10000000 XBTUSD @ limit 29000.0", "close": "close position @ stop loss 28000.0"}] * 2


def test_a_key_without_a_right_is_told_so() -> None:
    exchange = desk()
    exchange.keys.add("reader", SECRET, rights=frozenset({QUERY}))
    reader = Customer(exchange, key="reader", secret=SECRET)
    reader.ask("Balance")
    for name in ("AddOrder", "CancelAll", "GetWebSocketsToken", "WithdrawMethods", "DepositMethods", "WalletTransfer"):
        assert reader.refused(name) == "EGeneral:Permission denied"
    assert reader.ask("OpenPositions") == {}
    assert reader.ask("OpenPositions", consolidation="market") == []
    assert reader.refused("Nonsense") == "EGeneral:Unknown method"
    assert public(exchange, "Nonsense") == {"error": ["EGeneral:Unknown method"]}


def test_a_key_with_a_second_factor_needs_it() -> None:
    exchange = desk()
    exchange.keys.add("careful", SECRET, otp="123456")
    careful = Customer(exchange, key="careful", secret=SECRET)
    assert careful.refused("Balance") == "EAPI:Invalid signature"
    careful.ask("Balance", otp="123456")


def test_the_call_counter_fills_and_decays() -> None:
    customer = Customer(desk(tier="starter"))
    for _ in range(7):
        customer.ask("TradesHistory")
    customer.ask("Balance")
    assert customer.refused("Balance") == "EAPI:Rate limit exceeded"
    # Orders do not count here.
    customer.buy("0.001")
    wait(customer.desk, 4)
    customer.ask("Balance")


def test_history_comes_fifty_a_page_newest_first() -> None:
    customer = Customer(desk())
    placed = []
    for _ in range(60):
        wait(customer.desk, 1)
        placed.append(customer.buy("0.001"))
    pages = [customer.ask("ClosedOrders", ofs=ofs) for ofs in (0, 50)]
    assert [page["count"] for page in pages] == [60, 60]
    assert [txid for page in pages for txid in page["closed"]] == placed[::-1]
    trades = [customer.ask("TradesHistory", ofs=ofs) for ofs in (0, 50, 100)]
    assert [len(page["trades"]) for page in trades] == [50, 10, 0]
    middle = customer.order(placed[29])["closetm"]
    later = customer.ask("ClosedOrders", start=str(middle))
    assert later["count"] == 30
    assert customer.ask("ClosedOrders", end=str(middle))["count"] == 30
    assert customer.ask("TradesHistory", start=str(middle))["count"] == 30
    assert customer.ask("Ledgers", type="trade")["count"] == 120


def test_the_fee_tier_follows_what_was_traded() -> None:
    customer = Customer(desk())
    before = customer.ask("TradeVolume", pair="XBTUSD")
    assert (before["fees"]["XXBTZUSD"]["fee"], before["fees_maker"]["XXBTZUSD"]["fee"]) == ("0.4000", "0.2500")
    customer.buy("0.5")
    after = customer.ask("TradeVolume", pair="XBTUSD")
    assert (after["fees"]["XXBTZUSD"]["fee"], after["fees_maker"]["XXBTZUSD"]["fee"]) == ("0.3500", "0.2000")
    assert Decimal(after["volume"]) == Decimal(customer.order(next(iter(customer.ask("ClosedOrders")["closed"])))["cost"])
    exchange = customer.desk
    exchange.exchange.advance_to(exchange.exchange.now_ns + 31 * 86_400 * 10**9)
    assert customer.ask("TradeVolume", pair="XBTUSD")["fees"]["XXBTZUSD"]["fee"] == "0.4000"


def test_orders_and_trades_are_looked_up_by_id() -> None:
    customer = Customer(desk())
    txid = customer.buy("0.1")
    order = customer.order(txid)
    assert order["descr"]["pair"] == "XBTUSD"
    trade = customer.ask("QueryTrades", txid=order["trades"][0])[order["trades"][0]]
    assert (trade["pair"], trade["ordertxid"], trade["maker"]) == ("XXBTZUSD", txid, False)
    assert customer.refused("QueryTrades", txid="TAAAAA-AAAAA-AAAAAA") == "EOrder:Invalid order"
    assert customer.refused("QueryOrders", txid="OAAAAA-AAAAA-AAAAAA") == "EOrder:Unknown order"
    assert customer.refused("QueryOrders", txid=",".join([txid] * 51)) == "EGeneral:Invalid arguments:txid"


def test_a_form_that_is_signed_but_makes_no_sense_is_refused_in_words() -> None:
    exchange = desk()
    for body in (b"{", b"[1]", b"nonce=1&close[a=2", b"nonce=1&pair=XBTUSD&close[x]=1&type=buy&ordertype=limit&volume=1"):
        text = body.decode()
        headers = {"api-key": exchange.key, "api-sign": sign(exchange.secret, PATH, "1", text)}
        answer = exchange.request(Request(method="POST", target=PATH, headers=headers, body=body))
        assert json.loads(answer.body)["error"], body


def test_the_time_told_can_be_stepped_while_time_itself_goes_on() -> None:
    exchange = desk()
    before = public(exchange, "Time")["result"]["unixtime"]
    control(exchange, "clock_step", seconds=3600)
    assert public(exchange, "Time")["result"]["unixtime"] == before + 3600
    assert public(exchange, "Time")["result"]["rfc1123"] == "Mon, 02 Mar 26 13:00:00 +0000"
    control(exchange, "clock_step", seconds=-3600)
    assert public(exchange, "Time")["result"]["unixtime"] == before


@pytest.mark.parametrize("body", [b"[" * 50_000, b'{"a":' * 50_000], ids=["lists", "mappings"])
def test_a_body_nested_without_end_is_refused_like_any_other_nonsense(body: bytes) -> None:
    headers = {"api-key": "", "api-sign": "", "content-type": "application/json"}
    answer = desk().request(Request(method="POST", target="/0/private/Balance", headers=headers, body=body))
    assert json.loads(answer.body)["error"] == ["EGeneral:Invalid arguments"]
