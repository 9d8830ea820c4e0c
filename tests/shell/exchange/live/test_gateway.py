"""The engine on the simulated exchange: entries with stops, ways out, and books that stay equal to the last unit."""

from __future__ import annotations

from shell.contract import Action, Signal
from shell.orders import OrderState, Purpose
from tests.shell.exchange.live.conftest import Opens
from tests.shell.exchange.live.stage import BTC, buy


def test_a_market_entry_fills_its_stop_stands_at_the_venue_and_fires_there(stage: Opens) -> None:
    on = stage({0: [buy(stop=29_000.0)]})
    on.scan()
    on.step(1)
    assert on.held() > 0
    on.step(5)
    guard = on.gateway.guards(BTC)
    assert guard is not None and guard.settled and guard.qty == on.engine.ledger.positions[BTC].qty
    (child,) = on.open_at_exchange()
    assert (child.kind, child.refid is not None) == ("stop-loss", True)
    on.agree()
    # Below the stop: the venue sells, and nobody else does.
    on.price("28999.0")
    on.step(1)
    assert on.held() == 0
    assert on.purposes() == [Purpose.ENTRY, Purpose.STOP]
    assert len(on.exchange_orders()) == 2
    on.agree()


def test_a_target_takes_the_venues_stop_out_first_and_sells_once(stage: Opens) -> None:
    on = stage({0: [buy(stop=29_000.0, target=31_000.0)]})
    on.scan()
    on.settle(2)
    on.price("31000.0")
    on.settle(2)
    assert on.held() == 0 and on.coins == 0
    assert on.purposes() == [Purpose.ENTRY, Purpose.TARGET]
    assert on.open_at_exchange() == []
    on.agree()


def test_a_stop_that_fires_while_the_target_takes_it_out_is_not_sold_twice(stage: Opens) -> None:
    on = stage({0: [buy(stop=29_000.0, target=31_000.0)]})
    on.scan()
    on.settle(2)
    # The venue's stop fires unseen; then the engine is shown a price at the target.
    on.client.deaf = True
    on.price("28999.0", tell=False)
    on.price("31000.0")
    on.settle(3)
    assert on.purposes() == [Purpose.ENTRY, Purpose.STOP]
    assert on.held() == 0 and on.coins == 0
    on.agree()


def test_the_strategy_may_close_a_position_that_the_venue_guards(stage: Opens) -> None:
    on = stage({0: [buy()], 1: [Signal(BTC, Action.CLOSE)]})
    on.scan()
    on.settle(2)
    record = on.scan()
    on.settle(2)
    assert record.answers[0].approved, record.answers[0].sentence
    assert on.held() == 0 and on.open_at_exchange() == []
    on.agree()


def test_what_a_partial_sale_leaves_is_guarded_again(stage: Opens) -> None:
    on = stage({0: [buy()], 1: [Signal(BTC, Action.SELL, 0.05)]})
    on.scan()
    on.settle(2)
    before = on.held()
    on.scan()
    on.settle(3)
    assert 0 < on.held() < before
    (stop,) = on.open_at_exchange()
    assert (stop.kind, stop.remaining) == ("stop-loss", on.held())
    on.agree()


def test_a_moved_stop_is_amended_in_place(stage: Opens) -> None:
    on = stage({0: [buy()], 1: [Signal(BTC, Action.MODIFY, stop_loss=29_500.0)]})
    on.scan()
    on.settle(2)
    (before,) = on.open_at_exchange()
    on.scan()
    on.settle(2)
    (after,) = on.open_at_exchange()
    assert (after.txid, after.trigger) == (before.txid, 29_500)
    on.price("29499.0")
    on.settle(2)
    assert on.held() == 0
    on.agree()


def test_a_stop_that_somebody_cancelled_is_placed_again(stage: Opens) -> None:
    on = stage({0: [buy()]})
    on.scan()
    on.settle(2)
    (child,) = on.open_at_exchange()
    on.client.desk.exchange.venue.orders[child.txid]
    from shell.exchange.simulator import order_entry

    order_entry.cancel(on.desk.exchange.venue, child)
    on.settle(2)
    (stop,) = on.open_at_exchange()
    assert (stop.kind, stop.remaining, stop.trigger) == ("stop-loss", on.held(), 29_000)
    on.agree()


def test_without_a_private_socket_everything_is_read_instead(stage: Opens) -> None:
    on = stage({0: [buy()]})
    on.client.deaf = True
    on.client.pump()
    on.scan()
    on.settle(4)
    assert on.held() == on.coins > 0
    on.price("28999.0")
    on.settle(5)
    assert on.held() == 0
    on.agree()


def test_an_order_left_by_a_dead_process_is_taken_up_with_its_fills(stage: Opens) -> None:
    on = stage({0: [buy()]})
    on.scan()
    # Nothing was heard: the books know an open order, the venue a fill and a stop.
    on.restart()
    on.settle(3)
    assert on.held() == on.coins > 0
    assert on.gateway.guards(BTC).qty.value == on.held()  # type: ignore[union-attr]
    on.agree()
    on.restart()
    on.settle(2)
    on.price("28999.0")
    on.settle(2)
    assert on.held() == 0
    on.agree()


def test_states_are_stored_as_they_ended(stage: Opens) -> None:
    on = stage({0: [buy(stop=29_000.0)]})
    on.scan()
    on.settle(2)
    on.price("28999.0")
    on.settle(2)
    state = on.store.books.load("main")
    assert state is not None
    assert [order.state for order in state.known_orders] == [OrderState.FILLED, OrderState.FILLED]
    assert state.open_orders == []


def test_the_symbols_at_work_are_those_of_the_open_orders(stage: Opens) -> None:
    on = stage({0: [buy(stop=29_000.0)]})

    def told() -> set[str]:
        return {order.intent.symbol for order in on.gateway.open_orders()}

    assert on.gateway.working_symbols() == told() == set() and not on.gateway.works_on(BTC)
    on.scan()
    on.settle(2)
    assert on.gateway.working_symbols() == told() == {BTC} and on.gateway.works_on(BTC)
    # Sold by its stop, the entry and the stop are known still, and neither works.
    on.price("28999.0")
    on.settle(2)
    assert on.held() == 0
    assert on.gateway.working_symbols() == told() == set() and not on.gateway.works_on(BTC)
