"""Matching: what fills, at which price, how much; and what no sequence of orders and trades may ever break."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.exchange.simulator import order_entry
from shell.exchange.simulator.orders import BUY, KINDS, LIMIT, SELL, SIDES, CloseTerms, OrderRequest, Relative, Status
from shell.exchange.simulator.refusal import Refusal
from tests.shell.exchange.simulator.kit import Customer, control, desk, sound, wait

D = Decimal


def move(customer: Customer, price: str, qty: str = "1000") -> None:
    """The market trades at `price`."""
    control(customer.desk, "trade", pair="XBTUSD", price=price, qty=qty)


def test_a_market_order_walks_the_book_and_pays_the_taker_fee() -> None:
    customer = Customer(desk(level_value=D(2000)))
    order = customer.order(customer.buy("0.3"))
    assert order["status"] == "closed" and len(order["trades"]) > 1
    fills = [customer.ask("QueryTrades", txid=each)[each] for each in order["trades"]]
    assert sorted(fills, key=lambda fill: D(fill["price"])) == fills
    assert all(not fill["maker"] for fill in fills)
    assert sum(D(fill["cost"]) for fill in fills) == D(order["cost"])
    assert D(order["cost"]) * D("0.0039") < D(order["fee"]) <= D(order["cost"]) * D("0.004")
    held = customer.ask("Balance")
    assert D(held["XXBT"]) == D("0.3")
    assert D(held["ZUSD"]) == 100_000 - D(order["cost"]) - D(order["fee"])
    sound(customer.desk)


def test_a_resting_limit_fills_at_its_own_price_as_maker_when_the_market_trades_through() -> None:
    customer = Customer(desk())
    txid = customer.add(type="buy", ordertype="limit", volume="0.5", price="29000", oflags="post")
    move(customer, "29000.1")
    assert customer.order(txid)["status"] == "open"
    move(customer, "28999.9")
    order = customer.order(txid)
    assert (order["status"], order["price"], order["fee"]) == ("closed", "29000.0", "36.25000")
    sound(customer.desk)


def test_at_its_very_price_a_limit_waits_for_what_stood_there_before_it() -> None:
    exchange = desk()
    customer = Customer(exchange)
    bid = exchange.exchange.venue.markets["XXBTZUSD"].depth.best(SELL)
    ahead = exchange.exchange.venue.markets["XXBTZUSD"].depth.standing(SELL, bid)
    txid = customer.add(type="buy", ordertype="limit", volume="0.5", price=str(bid))
    move(customer, str(bid), str(ahead))
    assert customer.order(txid)["vol_exec"] == "0.00000000"
    move(customer, str(bid), "0.2")
    assert customer.order(txid)["vol_exec"] == "0.20000000"
    move(customer, str(bid), "0.4")
    assert customer.order(txid)["status"] == "closed"


def test_of_two_own_orders_the_better_price_fills_first_then_the_older() -> None:
    customer = Customer(desk())
    old, young, better = (
        customer.add(type="buy", ordertype="limit", volume="0.1", price=price) for price in ("29000", "29000", "29001")
    )
    move(customer, "29000", "0.1")
    assert [customer.order(each)["status"] for each in (old, young, better)] == ["open", "open", "closed"]
    move(customer, "29000", "0.1")
    assert [customer.order(each)["status"] for each in (old, young)] == ["closed", "open"]


@pytest.mark.parametrize(
    ("side", "kind", "price", "quiet", "sets_off"),
    [
        ("sell", "stop-loss", "29500", "29500.1", "29500"),
        ("sell", "take-profit", "30500", "30499.9", "30500"),
        ("buy", "stop-loss", "30500", "30499.9", "30500"),
        ("buy", "take-profit", "29500", "29500.1", "29500"),
    ],
)
def test_a_trigger_waits_for_the_last_price(side: str, kind: str, price: str, quiet: str, sets_off: str) -> None:
    customer = Customer(desk())
    customer.buy("1")
    txid = customer.add(type=side, ordertype=kind, volume="1", price=price)
    move(customer, quiet)
    assert customer.order(txid)["misc"] == ""
    move(customer, sets_off)
    order = customer.order(txid)
    assert (order["status"], order["misc"]) == ("closed", "stopped" if kind == "stop-loss" else "touched")
    assert not any(customer.ask("QueryTrades", txid=each)[each]["maker"] for each in order["trades"])
    sound(customer.desk)


def test_a_stop_limit_that_is_jumped_over_rests() -> None:
    customer = Customer(desk())
    customer.buy("1")
    txid = customer.add(type="sell", ordertype="stop-loss-limit", volume="1", price="29500", price2="29400")
    move(customer, "29000")
    order = customer.order(txid)
    assert (order["status"], order["misc"], order["limitprice"]) == ("open", "stopped", "29400.00000")
    move(customer, "29450")
    assert customer.order(txid)["price"] == "29400.0"


def test_a_trailing_stop_follows_the_price_up_and_never_down() -> None:
    customer = Customer(desk())
    customer.buy("1")
    txid = customer.add(type="sell", ordertype="trailing-stop", volume="1", price="+1%")
    move(customer, "31000")
    move(customer, "30700")
    assert customer.order(txid)["stopprice"] == "30690.00000"
    move(customer, "30690")
    assert customer.order(txid)["status"] == "closed"


def test_each_fill_of_the_primary_brings_about_its_own_close() -> None:
    customer = Customer(desk())
    txid = customer.add(
        type="buy", ordertype="limit", volume="0.5", price="29000", close_ordertype="stop-loss", close_price="28000"
    )
    market = customer.desk.exchange.venue.markets["XXBTZUSD"]
    queue = market.depth.standing(SELL, D(29000))
    move(customer, "29000", str(queue + D("0.2")))
    move(customer, "29000", "0.3")
    closes = customer.ask("OpenOrders")["open"]
    assert sorted(order["vol"] for order in closes.values()) == ["0.20000000", "0.30000000"]
    assert {order["refid"] for order in closes.values()} == {txid}
    assert {order["descr"]["order"].split(" ", 3)[3] for order in closes.values()} == {"@ stop loss 28000.0"}
    assert customer.ask("BalanceEx")["XXBT"] == {"balance": "0.5000000000", "hold_trade": "0.5000000000"}
    move(customer, "27900")
    assert customer.ask("OpenOrders")["open"] == {}
    sound(customer.desk)


def test_with_the_fee_in_base_a_full_close_lacks_funds() -> None:
    customer = Customer(desk())
    txid = customer.buy("0.1", oflags="fcib", close_ordertype="stop-loss", close_price="28000")
    assert customer.ask("Balance")["XXBT"] == "0.0996000000"
    newest = next(iter(customer.ask("ClosedOrders")["closed"].values()))
    assert (newest["refid"], newest["status"], newest["reason"]) == (txid, "canceled", "Insufficient funds")


def test_immediate_or_cancel_takes_what_there_is_and_goes() -> None:
    customer = Customer(desk())
    ask = customer.desk.exchange.venue.markets["XXBTZUSD"].depth.best(BUY)
    txid = customer.add(type="buy", ordertype="limit", volume="2", price=str(ask), timeinforce="IOC")
    order = customer.order(txid)
    assert order["status"] == "canceled" and 0 < D(order["vol_exec"]) < 2
    killed = customer.order(customer.add(type="buy", ordertype="limit", volume="2", price="29000", timeinforce="FOK"))
    assert (killed["status"], killed["vol_exec"]) == ("canceled", "0.00000000")
    sound(customer.desk)


def test_a_market_order_stops_at_the_price_protection() -> None:
    customer = Customer(desk(usd="100000000"))
    order = customer.order(customer.buy("900"))
    worst = max(D(fill["price"]) for fill in customer.ask("TradesHistory")["trades"].values())
    assert order["status"] == "canceled" and order["reason"] == "Market price protection"
    assert worst <= D("30003") * D("1.05")


def test_an_order_never_trades_with_its_own_account() -> None:
    customer = Customer(desk())
    customer.buy("1")
    resting = customer.add(type="sell", ordertype="limit", volume="0.5", price="30001")
    newest = customer.order(customer.buy("0.1"))
    assert (newest["status"], newest["reason"]) == ("canceled", "Self trade prevention")
    assert customer.order(resting)["status"] == "open"
    customer.buy("0.1", stptype="cancel-oldest")
    assert customer.order(resting)["reason"] == "Self trade prevention"


def test_spending_an_amount_of_quote_currency() -> None:
    customer = Customer(desk())
    order = customer.order(customer.add(type="buy", ordertype="market", volume="1000", oflags="viqc"))
    assert order["status"] == "closed"
    assert D(999) < D(order["cost"]) <= 1000
    assert customer.ask("Balance")["XXBT"] == order["vol_exec"] + "00"


def test_an_order_expires_in_its_time_and_keeps_its_fills() -> None:
    customer = Customer(desk())
    txid = customer.add(type="buy", ordertype="limit", volume="1", price="29000", timeinforce="GTD", expiretm="+60")
    move(customer, "29000", str(customer.desk.exchange.venue.markets["XXBTZUSD"].depth.standing(SELL, D(29000)) + D("0.4")))
    wait(customer.desk, 61)
    order = customer.order(txid)
    assert (order["status"], order["vol_exec"]) == ("expired", "0.40000000")
    assert customer.ask("BalanceEx")["ZUSD"]["hold_trade"] == "0.0000"


def test_nothing_fills_while_the_exchange_is_not_online() -> None:
    customer = Customer(desk())
    txid = customer.add(type="buy", ordertype="limit", volume="1", price="29000")
    control(customer.desk, "status", status="cancel_only")
    move(customer, "28000")
    assert customer.order(txid)["status"] == "open"
    control(customer.desk, "status", status="online")
    move(customer, "28000")
    assert customer.order(txid)["price"] == "29000.0"


def test_what_one_order_took_the_next_does_not_find() -> None:
    customer = Customer(desk())
    first, second = (customer.order(customer.buy("1")) for _ in range(2))
    assert D(second["price"]) > D(first["price"])


def test_what_trades_past_a_limit_meets_it_first_and_the_book_never_crosses() -> None:
    customer = Customer(desk(usd="100000000"))
    small = customer.add(type="buy", ordertype="limit", volume="3", price="29000")
    large = customer.add(type="buy", ordertype="limit", volume="500", price="28990")
    move(customer, "28900", "0.1")
    market = customer.desk.exchange.venue.markets["XXBTZUSD"]
    assert (customer.order(small)["status"], customer.order(small)["price"]) == ("closed", "29000.0")
    rest = customer.order(large)
    assert rest["status"] == "open" and 0 < D(rest["vol_exec"]) < 500 and rest["price"] == "28990.0"
    bid, ask = market.quote()
    assert bid.price == 28990 < ask.price


def test_a_stop_that_jumps_beyond_the_funds_buys_what_they_pay_for() -> None:
    customer = Customer(desk(usd="3100"))
    txid = customer.add(type="buy", ordertype="stop-loss", volume="0.1", price="30500")
    assert customer.ask("BalanceEx")["ZUSD"]["hold_trade"] == "3062.2000"
    move(customer, "32000")
    order = customer.order(txid)
    assert (order["status"], order["reason"]) == ("canceled", "Insufficient funds")
    assert D("0.096") < D(order["vol_exec"]) < D("0.097")
    assert 0 <= D(customer.ask("Balance")["ZUSD"]) < D("0.01")
    sound(customer.desk)


def test_a_trailing_stop_limit_holds_what_its_limit_asks_for() -> None:
    customer = Customer(desk())
    txid = customer.add(type="buy", ordertype="trailing-stop-limit", volume="1", price="+1%", price2="-500")
    move(customer, "30300")
    order = customer.order(txid)
    assert (order["status"], order["limitprice"]) == ("open", "29800.00000")
    assert customer.ask("BalanceEx")["ZUSD"]["hold_trade"] == "29919.2000"


PRICES = st.integers(270_000, 330_000).map(lambda tenths: D(tenths) / 10)
VOLUMES = st.integers(5_000, 200_000_000).map(lambda lots: D(lots).scaleb(-8))
TERMS = PRICES | st.builds(Relative, sign=st.sampled_from("+-#"), amount=st.integers(1, 900).map(D), percent=st.just(False))
CLOSES = st.none() | st.builds(
    CloseTerms, kind=st.sampled_from(["stop-loss", "take-profit", "limit", "stop-loss-limit"]), price=TERMS, price2=PRICES
)


@st.composite
def steps(draw: st.DrawFn) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for _ in range(draw(st.integers(1, 25))):
        action = draw(st.sampled_from(["order", "order", "order", "trade", "trade", "cancel", "amend", "wait"]))
        match action:
            case "order":
                kind = draw(st.sampled_from(KINDS))
                found.append(("order", {
                    "side": draw(st.sampled_from(SIDES)), "kind": kind, "volume": draw(VOLUMES),
                    "price": None if kind == "market" else draw(TERMS),
                    "price2": draw(PRICES) if kind.endswith("-limit") else None,
                    "time_in_force": draw(st.sampled_from(["GTC", "GTC", "IOC", "FOK"])), "fee_in_base": draw(st.booleans()),
                    "post_only": draw(st.booleans()) and kind == LIMIT, "close": draw(CLOSES),
                    "self_trade": draw(st.sampled_from(["cancel-newest", "cancel-oldest", "cancel-both"])),
                }))
            case "trade":
                found.append(("trade", (draw(PRICES), draw(VOLUMES))))
            case "cancel" | "amend":
                found.append((action, (draw(st.integers(0, 9)), draw(PRICES), draw(VOLUMES))))
            case _:
                found.append(("wait", draw(st.integers(1, 2000))))
    return found


@given(steps(), st.sampled_from(["1000", "20000", "1000000"]))
def test_no_sequence_breaks_the_books_a_limit_or_a_quantity(script: list[tuple[str, object]], usd: str) -> None:
    exchange = desk(usd=usd)
    venue = exchange.exchange.venue
    pair = venue.markets["XXBTZUSD"].listing
    exchange.exchange.deposit("XBT", D("1.5"))
    for action, given_ in script:
        try:
            match action, given_:
                case "order", dict():
                    order_entry.place(venue, OrderRequest(pair=pair, **given_))
                case "trade", (price, qty):
                    exchange.exchange.print_trade("XBTUSD", price, qty)
                case "wait", int(seconds):
                    wait(exchange, seconds)
                case "cancel", (at, _, _):
                    order_entry.cancel(venue, list(venue.open.values())[at % max(len(venue.open), 1)]) if venue.open else None
                case "amend", (at, price, volume):
                    if venue.open:
                        order = list(venue.open.values())[at % len(venue.open)]
                        order_entry.amend(venue, order, order_entry.Amendment(volume=volume, limit=price if order.limit else None))
        except Refusal:
            pass
        _hold_true(exchange)


def _hold_true(exchange: object) -> None:
    sound(exchange)  # type: ignore[arg-type]
    venue = exchange.exchange.venue  # type: ignore[attr-defined]
    for order in venue.orders.values():
        fills = [venue.trades[each] for each in order.trades]
        assert sum((fill.qty for fill in fills), D(0)) == order.filled
        assert sum((fill.cost for fill in fills), D(0)) == order.cost
        assert (order.status is Status.CLOSED) == (order.filled == order.volume and not order.alive)
        if not order.amended_ns and order.limit is not None:
            assert all(fill.price <= order.limit if order.side == BUY else fill.price >= order.limit for fill in fills)
    for market in venue.markets.values():
        bid, ask = market.quote()
        assert bid.price < ask.price
        held = [order.txid for order in market.orders.values() if venue.accounts.held_by(order.txid) <= 0]
        assert held == []
