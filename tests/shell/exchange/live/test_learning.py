"""What reconciliation found is known to the gateway, and told once."""

from __future__ import annotations

from shell.exchange.live.facts import fact_of_trade
from shell.orders import Fill, OrderState, OrderUpdate, SubmittedOrder
from tests.shell.exchange.live.conftest import Opens
from tests.shell.exchange.live.stage import buy


def test_what_reconciliation_booked_is_not_booked_again_when_the_venue_tells_it(stage: Opens) -> None:
    on = stage({0: [buy()]}, plan={"faults": [{"kind": "lost_after", "on": "AddOrder"}]})
    on.client.deaf = True
    on.client.pump()
    on.scan()
    (doubtful,) = on.engine.gateway.open_orders()
    # Another reader of the account comes first: it finds the order, its fill and that it ended.
    (order, _) = on.exchange_orders()
    (trade,) = on.desk.exchange.venue.trades.values()
    told = on.client.venue.trades([trade.trade_id])[trade.trade_id]


    fact = fact_of_trade(told, None, on.engine.config.pairs[told.symbol].lot)
    found = [
        SubmittedOrder(order_id=order.txid, approved=doubtful.approved, submitted_at=on.clock.now()),
        Fill(
            fill_id=fact.fill_id, order_id=order.txid, intent=doubtful.intent, symbol=told.symbol, side=told.side,
            qty=fact.qty, price=fact.price, fee=fact.fee, liquidity=fact.liquidity, filled_at=fact.at, paid=fact.paid,
        ),
        OrderUpdate(
            order_id=order.txid, intent_id=doubtful.intent.intent_id, state=OrderState.FILLED, reason="filled",
            at=on.clock.now(),
        ),
    ]
    on.engine.take_up(found, on.clock.now())
    on.gateway.learn(found)
    assert on.gateway.doubtful() == []
    on.client.deaf = False
    on.settle(4)
    assert sum(len(record.fills) for record in on.records) == 0
    assert [each.kind for each in on.open_at_exchange()] == ["stop-loss"]
    on.agree()
