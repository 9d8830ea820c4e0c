"""Books and account that contradict each other for a moment: settled with the account, and nothing is sold a second time.

The account holds a coin that the system never bought, so that a sale of too much is possible and is seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from shell.errors import Fatal
from shell.exchange.simulator.orders import OrderRequest
from shell.money import Price
from shell.orders import OrderState, Purpose
from shell.risk.halts import Halt, HaltKind
from tests.faults.account_world import AccountWorld
from tests.faults.execution_world import EXTERNAL
from tests.shell.exchange.live.stage import BTC, buy, limit_buy

Opens = Callable[..., AccountWorld]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Opens]:
    opened: list[AccountWorld] = []

    def make(script: Any, **options: Any) -> AccountWorld:
        opened.append(AccountWorld(tmp_path / "home", script, **options))
        opened[-1].step(1)
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def rounds(on: AccountWorld, count: int, seconds: float = 5) -> list[str]:
    """Rounds of the loop, which goes on after a broken invariant; what broke."""
    broken = []
    for _ in range(count):
        on.wait(seconds)
        on.client.pump()
        try:
            on.seen(on.engine.settle(on.clock.now()))
        except Fatal as error:
            broken.append(str(error))
        on.follow()
    return broken


def deafened(on: AccountWorld) -> None:
    on.client.deaf = True
    on.client.pump()


def halted_alone_by_books(on: AccountWorld) -> bool:
    return set(on.engine.halts) == {HaltKind.BOOKS_DIFFER}


def test_a_look_begun_before_a_way_out_left_does_not_say_that_it_never_arrived(world: Opens) -> None:
    """A price of four minutes ago decides it (a late bar, or a clock ahead of the exchange's): by that it looks long overdue."""
    on = world({0: [buy(target=31_000.0)]})
    on.scan()
    rounds(on, 4)
    on.plan({"faults": [{"kind": "lost_after", "on": "AddOrder"}]})
    deafened(on)
    on.wait(600)
    on.account._reconciler.needed("a test", on.clock.now())  # type: ignore[union-attr]
    on.follow()
    on.wait(1)
    record = on.engine.on_price(BTC, Price("31001.0"), on.clock.now() - timedelta(minutes=4))
    assert OrderState.UNKNOWN in [change.state for change in record.updates]
    on.follow()
    assert [each.intent.purpose for each in on.gateway.doubtful()] == [Purpose.TARGET]
    on.engine.on_price(BTC, Price("31001.0"), on.clock.now())
    assert rounds(on, 8) == []
    on.quiet()
    assert sum(order.kind == "market" for order in on.exchange_orders()) == 1
    assert on.held() == 0 and on.coins == EXTERNAL
    assert on.judge().sentences == []


def test_a_purchase_that_the_cash_does_not_cover_is_settled_with_the_account(world: Opens) -> None:
    """An entry was given up, its cash spent on another, and then the venue had it after all."""
    on = world({0: [limit_buy(29_900.0, 29_000.0, size=0.9)], 1: [buy(size=0.9)]})
    on.plan({"faults": [{"kind": "lost_before", "on": "AddOrder"}]})
    on.scan()
    (sent,) = on.engine.gateway.open_orders()
    rounds(on, 6)
    assert on.engine.gateway.open_orders() == []
    on.scan()
    rounds(on, 4)
    exchange = on.desk.exchange
    exchange.deposit("ZUSD", Decimal(100_000))
    exchange.place(
        OrderRequest(
            pair=exchange.venue.directory.by_symbol[BTC], side="buy", kind="limit", volume=sent.intent.qty.value,
            price=Decimal(30_500), cl_ord_id=sent.intent.client_id,
        )
    )
    assert len(rounds(on, 12)) == 1
    assert halted_alone_by_books(on)
    assert on.held() == on.coins - EXTERNAL
    assert on.store.books.check("main") == []
    assert on.tally.wrong["fatal"] == 0


def test_a_stop_that_its_owner_made_larger_sells_and_paralyses_nothing(world: Opens) -> None:
    on = world({0: [buy()]})
    on.scan()
    rounds(on, 4)
    (stop,) = on.open_at_exchange()
    deafened(on)
    stop.volume += Decimal("0.5")
    on.desk.exchange.print_trade("XBTUSD", "28990.0", "20")
    broken = rounds(on, 24)
    assert broken and all(each.startswith("sold") for each in broken)
    assert halted_alone_by_books(on)
    assert on.held() == 0 and on.coins == EXTERNAL - Decimal("0.5")
    guard = on.gateway.guards(BTC)
    assert guard is not None and guard.settled and on.engine.gateway.open_orders() == []


def test_a_stop_that_its_owner_made_larger_is_put_right_before_it_sells(world: Opens) -> None:
    on = world({0: [buy()]})
    on.scan()
    rounds(on, 4)
    (stop,) = on.open_at_exchange()
    stop.volume += Decimal("0.5")
    on.gateway.ask_again()
    on.wait(5)
    on.engine.settle(on.clock.now())
    (stop,) = on.open_at_exchange()
    assert stop.remaining == on.held()


def test_a_sale_that_was_ours_in_part_leaves_its_symbol_settled(world: Opens) -> None:
    """The same, and reconciliation is the first to see it: it books our part, and nothing is waited for."""
    on = world({0: [buy()]})
    on.scan()
    rounds(on, 4)
    (stop,) = on.open_at_exchange()
    deafened(on)
    stop.volume += Decimal("0.5")
    on.desk.exchange.print_trade("XBTUSD", "28990.0", "20")
    on.wait(2)
    on.account._reconciler.needed("a test", on.clock.now())  # type: ignore[union-attr]
    on.follow()
    on.follow()
    assert on.held() == 0 and on.coins == EXTERNAL - Decimal("0.5")
    assert rounds(on, 6) == []
    # The private socket tells it once more, to this process and to the next one.
    on.client.deaf = False
    assert rounds(on, 2) == []
    on.restart()
    assert rounds(on, 6) == []
    guard = on.gateway.guards(BTC)
    assert guard is not None and guard.settled and on.engine.gateway.open_orders() == []


def test_what_may_have_been_missed_during_a_look_is_looked_for_after_it(world: Opens) -> None:
    on = world({})
    rounds(on, 2)
    on.wait(1000)
    on.follow()
    assert on.account._look is not None, "no look was begun"
    on.wait(1)
    reconciler = on.account._reconciler
    assert reconciler is not None
    reconciler.needed("the socket was cut", on.clock.now())
    on.follow()
    assert reconciler.due(on.clock.now() + timedelta(seconds=10))
    assert reconciler.reason == "the socket was cut"


def test_a_halt_inside_a_transaction_leaves_the_exchange_alone_until_it_is_over(world: Opens) -> None:
    """What the gateway was asked and has told could not be undone with it."""
    on = world({0: [limit_buy(29_000.0)]})
    on.scan()
    rounds(on, 2)
    assert len(on.open_at_exchange()) == 1
    halt = Halt(kind=HaltKind.DAILY_LOSS, book="main", sentence="a test", raised_at=on.clock.now())
    on.client.transport.sent.clear()
    with on.engine.together(), on.store.transaction():
        on.engine.halt(halt)
        assert on.client.transport.sent == []
    rounds(on, 2)
    assert on.open_at_exchange() == []
