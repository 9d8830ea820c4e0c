"""The engine on the simulated exchange: entries with stops, ways out, and books that stay equal to the last unit."""

from __future__ import annotations

from shell.orders import Purpose
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
