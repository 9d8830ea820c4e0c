"""Ways out that the venue would refuse, stops that it will not move, and stops that stand for weeks."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from types import MappingProxyType

from shell.contract import Action, Signal
from shell.exchange.simulator import order_entry
from shell.exchange.simulator.orders import OrderRequest
from shell.money import BaseQty
from tests.shell.exchange.live.conftest import Opens
from tests.shell.exchange.live.stage import BTC, Stage, buy

ROUND_SECONDS = 0.5


def rounds(on: Stage, count: int) -> None:
    """Rounds of the loop, as often as it makes them."""
    for _ in range(count):
        on.wait(ROUND_SECONDS)
        on.client.pump()
        on.records.append(on.engine.settle(on.clock.now()))


def less(on: Stage, qty: str) -> None:
    """Our books have so much less than was bought: taken out by somebody, or as a fee in coins."""
    held = on.engine.ledger.positions[BTC]
    left = replace(held, qty=BaseQty(held.qty.value - Decimal(qty)))
    on.engine.ledger = replace(on.engine.ledger, positions=MappingProxyType({BTC: left}))


def test_a_position_of_odd_parts_is_left_in_whole_lots(stage: Opens) -> None:
    on = stage({0: [buy(target=31_000.0)]})
    on.scan()
    on.settle(2)
    less(on, "0.0000000003")
    on.settle(2)
    on.price("31001.0")
    on.settle(1)
    assert Decimal(0) < on.held() < Decimal("0.00000001")
    assert on.open_at_exchange() == [] and on.engine.gateway.open_orders() == []


def test_odd_parts_that_a_stop_leaves_as_it_is_taken_out_are_left_alone(stage: Opens) -> None:
    on = stage({0: [buy(target=31_000.0)]})
    on.scan()
    on.settle(2)
    less(on, "0.0000000003")
    on.settle(2)
    cancel = on.client.venue.cancel

    def fires_first(**named: str) -> None:
        on.desk.exchange.print_trade("XBTUSD", "28990.0", "20")
        cancel(**named)

    on.client.venue.cancel = fires_first  # type: ignore[method-assign]
    on.price("31001.0")
    on.settle(2)
    assert Decimal(0) < on.held() < Decimal("0.00000001")
    assert sum(order.filled > 0 for order in on.exchange_orders() if order.side == "sell") == 1


def test_what_is_too_little_to_sell_is_not_tried_again_and_again(stage: Opens) -> None:
    on = stage({0: [buy(target=31_000.0)]})
    on.scan()
    on.settle(2)
    less(on, str(on.held() - Decimal("0.00000100")))
    on.settle(2)
    on.client.transport.sent.clear()
    for _ in range(5):
        on.price("31001.0")
        on.step(61)
    assert "AddOrder" not in on.client.transport.sent


def test_where_the_way_out_is_refused_the_stop_that_made_way_stands_again_at_once(stage: Opens) -> None:
    refused = {"kind": "error_before", "on": "AddOrder", "error": "EOrder:Rate limit exceeded", "skip": 1}
    on = stage({0: [buy(target=31_000.0)]}, plan={"faults": [refused]})
    on.scan()
    on.settle(2)
    on.price("31001.0")
    assert on.open_at_exchange() == []
    rounds(on, 2)
    (stop,) = on.open_at_exchange()
    assert (stop.kind, stop.remaining) == ("stop-loss", on.held())
    on.step(61)
    on.price("31001.0")
    on.settle(2)
    assert on.held() == 0
    on.agree()


def test_a_stop_that_the_venue_will_not_move_does_not_use_up_the_orders_of_its_pair(stage: Opens) -> None:
    refusing = {"kind": "error_before", "on": "AmendOrder", "error": "EOrder:Invalid price", "times": 3}
    on = stage({0: [buy()], 1: [Signal(BTC, Action.MODIFY, stop_loss=29_500.0)]}, plan={"faults": [refusing]})
    on.scan()
    on.settle(2)
    on.scan()
    on.client.transport.sent.clear()
    rounds(on, 60)
    assert Counter(on.client.transport.sent)["AmendOrder"] == 3
    rounds(on, 20)
    (stop,) = on.open_at_exchange()
    assert (stop.trigger, stop.remaining) == (Decimal(29_500), on.held())
    on.agree()


def test_a_stop_that_stands_for_days_does_not_make_every_look_longer(stage: Opens) -> None:
    """What ended meanwhile fills pages: read again and again, they would use up the calls of the key."""
    on = stage({0: [buy()]})
    on.scan()
    on.settle(2)
    venue, pair = on.desk.exchange.venue, on.desk.exchange.venue.directory.by_symbol[BTC]
    for _ in range(120):
        on.desk.exchange.place(OrderRequest(pair=pair, side="buy", kind="limit", volume=Decimal("0.01"), price=Decimal(20_000)))
        order_entry.cancel(venue, [each for each in venue.open.values() if each.kind == "limit"][-1])
    on.wait(timedelta(days=2).total_seconds())
    on.settle(3, 70)
    on.restart()
    on.settle(3, 70)
    on.client.transport.sent.clear()
    on.gateway.ask_again()
    on.step(5)
    assert on.client.transport.sent.count("ClosedOrders") == 1
    on.price("28990.0")
    on.settle(2)
    on.agree()


def test_a_late_fill_of_a_pair_that_left_the_settings_is_booked_and_holds_up_nothing(stage: Opens) -> None:
    on = stage({0: [buy()]}, plan={"faults": [{"kind": "lost_after", "on": "AddOrder"}]})
    on.client.deaf = True
    on.scan()
    on.gateway._pairs = {}
    on.settle(6)
    assert on.gateway.ready and on.held() == on.coins > 0
