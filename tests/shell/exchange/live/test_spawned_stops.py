"""Stops that fills bring about at the venue are found whatever the clocks say, because what is not known is sold beside."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from shell.exchange.simulator.orders import OrderRequest
from tests.shell.exchange.live.conftest import Opens
from tests.shell.exchange.live.stage import BTC, Stage, buy, limit_buy


def deafened(on: Stage) -> None:
    on.client.deaf = True
    on.client.pump()


def test_a_stop_that_appears_between_two_lists_is_waited_for_though_our_clock_is_ahead(stage: Opens, monkeypatch: Any) -> None:
    on = stage({0: [limit_buy(29_900.0, 29_000.0)]})
    on.scan()
    on.settle(2)
    on.open_at_exchange()[0].ahead *= 0
    deafened(on)
    venue, real = on.client.venue, on.client.venue._read_open

    def read_then_fill(client_id: str | None) -> Any:
        told = real(client_id)
        monkeypatch.setattr(venue, "_read_open", real)
        on.desk.exchange.print_trade("XBTUSD", "29800.0", "50")
        return told

    monkeypatch.setattr(venue, "_read_open", read_then_fill)
    on.clock.advance_to(on.clock.now() + timedelta(seconds=70))
    on.engine.step(on.clock.now(), origin="test", scan=False)
    assert on.held() == on.coins > 0, "the fill was not read"
    guard = on.gateway.guards(BTC)
    assert guard is not None
    assert not guard.settled or sum(each.qty.value for each in guard.stops) == on.held()
    on.settle(3)
    (stop,) = on.open_at_exchange()
    assert stop.remaining == on.held()
    on.agree()


def test_a_stop_whose_entry_is_older_than_the_window_is_found_to_be_ours(stage: Opens, monkeypatch: Any) -> None:
    on = stage({0: [buy()]}, plan={"faults": [{"kind": "lost_after", "on": "AddOrder"}]})
    deafened(on)
    venue, real = on.client.venue, on.client.venue.recent

    def without_the_entry(since: Any, now: Any) -> Any:
        return {name: order for name, order in real(since, now).items() if order.parent_id}

    monkeypatch.setattr(venue, "recent", without_the_entry)
    on.scan()
    on.settle(1)
    monkeypatch.setattr(venue, "recent", real)
    on.settle(6)
    assert on.held() == on.coins > 0
    (stop,) = on.open_at_exchange()
    guard = on.gateway.guards(BTC)
    assert guard is not None
    assert [each.order_id for each in guard.stops] == [stop.txid]
    on.price("28990.0")
    on.settle(3)
    assert on.held() == on.coins == 0
    on.agree()


def test_a_stop_that_comes_into_the_list_late_is_waited_for_though_our_clock_is_a_little_ahead(
    stage: Opens, monkeypatch: Any
) -> None:
    """Clocks are compared to within three seconds, and by ours the fill would be old enough at once."""
    on = stage({0: [buy()]})
    on.scan()
    assert on.coins > 0
    on.clock.advance_to(on.clock.now() + timedelta(seconds=2.5))
    venue, real, looks = on.client.venue, on.client.venue.recent, []

    def late(since: Any, now: Any) -> Any:
        looks.append(any(order.life.filled for order in on.gateway._orders))
        found = real(since, now)
        return found if len(looks) > 1 else {name: order for name, order in found.items() if not order.parent_id}

    monkeypatch.setattr(venue, "recent", late)
    for _ in range(8):
        on.clock.advance_to(on.clock.now() + timedelta(seconds=0.5))
        on.engine.settle(on.clock.now())
    assert looks[0] and len(looks) > 1
    assert [order.kind for order in on.exchange_orders()] == ["limit", "stop-loss"]


def test_an_order_that_refers_to_no_order_hides_no_stop_of_ours(stage: Opens, monkeypatch: Any) -> None:
    on = stage({0: [buy()]})
    deafened(on)
    on.scan()
    exchange = on.desk.exchange
    exchange.deposit("ZUSD", Decimal(10_000))
    pair = exchange.venue.directory.by_symbol[BTC]
    txid = exchange.place(OrderRequest(pair=pair, side="buy", kind="limit", volume=Decimal("0.1"), price=Decimal(20_000)))
    exchange.venue.open[txid].refid = "not an order"
    on.settle(6)
    assert on.gateway.ready and on.held() == on.coins > 0
    guard = on.gateway.guards(BTC)
    assert guard is not None and guard.settled and len(guard.stops) == 1
