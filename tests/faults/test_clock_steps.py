"""Our clock is set hours back or forward in the middle of trading: ways out still leave, stops still stand, books still agree.

While the clocks differ nothing is scanned (`tests/shell/test_loop.py`); what goes on is what is tried here: rounds of the loop
that settle with the venue, prices, and reconciliation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from shell.clock import VirtualClock
from shell.exchange.simulator.moments import SECOND_NS
from shell.exchange.simulator.system import SystemState
from shell.money import Price
from shell.orders import Purpose
from shell.store.books import read_fills
from tests.faults.account_world import AccountWorld
from tests.shell.exchange.live.stage import BTC, buy, limit_buy
from tests.thorough import THOROUGH

HOURS = [-2, *(pytest.param(hours, marks=THOROUGH) for hours in (2, -20, 20))]
# What is asked for since a moment is asked in vain where that moment is still to come.
HOURS_AHEAD_TOO = [2, *(pytest.param(hours, marks=THOROUGH) for hours in (-2, -20, 20))]
ROUND_SECONDS = 5
# A way out that was refused is tried again after a minute.
UNGUARDED_SECONDS = 75


class ClockThatIsSet:
    """A machine's clock: true time, and by how much somebody has set it wrong."""

    def __init__(self, true: VirtualClock) -> None:
        self.true = true
        self.wrong_by = timedelta(0)

    def now(self) -> datetime:
        return self.true.now() + self.wrong_by

    def advance_to(self, moment: datetime) -> None:
        self.true.advance_to(moment - self.wrong_by)


class Unsteady(AccountWorld):
    """A world on a clock that can be set. `unguarded` is how long the position stood without a stop at the venue."""

    clock: Any
    unguarded = 0.0

    def open(self) -> None:
        if isinstance(self.clock, VirtualClock):
            self.clock = ClockThatIsSet(self.clock)
        super().open()

    def wait(self, seconds: float) -> None:
        true = self.clock.true
        true.advance_to(true.now() + timedelta(seconds=seconds))
        self.desk.exchange.advance_to(true.now())

    def rounds(self, seconds: float) -> None:
        """What the loop does while the clocks differ."""
        for _ in range(round(seconds / ROUND_SECONDS)):
            self.wait(ROUND_SECONDS)
            self.client.pump()
            self.seen(self.engine.settle(self.clock.now()))
            self.follow()
            self.client.pump()
            stops = [order for order in self.open_at_exchange() if order.kind == "stop-loss"]
            if self.coins > Decimal(1) and not stops:
                self.unguarded += ROUND_SECONDS

    def tick(self, price: str) -> None:
        """The market trades, and the feed tells it with the exchange's own time."""
        self.price(price, tell=False)
        self.seen(self.engine.on_price(BTC, Price(price), self.clock.true.now()))
        self.client.pump()

    def set_wrong(self, hours: float) -> None:
        self.clock.wrong_by = timedelta(hours=hours)

    def judged(self) -> None:
        self.tally.wrong.clear()
        tally = self.judge()
        assert not tally.wrong.total(), tally.sentences


@pytest.fixture
def opens(tmp_path: Path) -> Iterator[Callable[..., Unsteady]]:
    made: list[Unsteady] = []

    def opened(*script: Any, **options: Any) -> Unsteady:
        made.append(Unsteady(tmp_path / "world", dict(enumerate(script)), **options))
        made[-1].step(1)
        return made[-1]

    yield opened
    for each in made:
        each.close()


@pytest.mark.parametrize("hours", HOURS)
def test_a_target_is_taken_by_a_clock_that_is_hours_off(opens: Callable[..., Unsteady], hours: int) -> None:
    on = opens([buy(target=30_500.0)])
    on.scan()
    on.settle(3)
    on.set_wrong(hours)
    on.rounds(15)
    on.tick("30500.0")
    for _ in range(10):
        on.rounds(10)
        on.tick("30500.0")
    assert on.held() == 0
    assert on.unguarded <= UNGUARDED_SECONDS
    on.judged()


@pytest.mark.parametrize("hours", HOURS)
def test_a_stop_that_fires_unheard_is_booked_within_a_minute(opens: Callable[..., Unsteady], hours: int) -> None:
    on = opens([buy()])
    on.scan()
    on.settle(3)
    on.set_wrong(hours)
    on.client.deaf = True
    on.rounds(10)
    on.price("28990.0", tell=False)
    on.rounds(60)
    assert on.held() == 0
    assert [fill.intent.purpose for record in on.records for fill in record.fills][:1] == [Purpose.ENTRY]
    on.judged()
    # The clock is put right, and nothing is found that was missed, or comes twice.
    on.set_wrong(0)
    on.client.deaf = False
    on.rounds(60)
    assert not on.engine.halts
    on.judged()


@pytest.mark.parametrize("hours", HOURS)
@pytest.mark.parametrize("kind", ["lost_after", "lost_before"])
def test_a_doubtful_order_is_resolved_within_a_minute(opens: Callable[..., Unsteady], kind: str, hours: int) -> None:
    on = opens([buy()], plan={"faults": [{"kind": kind, "on": "AddOrder"}]})
    on.client.deaf = True
    on.scan()
    on.set_wrong(hours)
    on.rounds(60)
    assert not on.gateway.doubtful()
    assert (on.held() > 0) == (kind == "lost_after")
    on.judged()


@pytest.mark.parametrize("hours", HOURS)
def test_a_kill_in_maintenance_goes_on_until_no_entry_is_left(opens: Callable[..., Unsteady], hours: int) -> None:
    on = opens([limit_buy(29_000.0)])
    on.scan()
    on.settle(2)
    on.desk.exchange.set_state(SystemState.MAINTENANCE, 30 * SECOND_NS)
    on.kill()
    on.rounds(10)
    assert len(on.open_at_exchange()) == 1
    on.set_wrong(hours)
    on.rounds(60)
    assert on.open_at_exchange() == []
    on.judged()


@pytest.mark.parametrize("hours", HOURS_AHEAD_TOO)
def test_an_entry_and_its_stop_that_fill_between_two_looks_are_both_booked(opens: Callable[..., Unsteady], hours: int) -> None:
    on = opens([limit_buy(29_500.0, stop=29_000.0)])
    on.scan()
    on.settle(3)
    on.client.deaf = True
    on.set_wrong(hours)
    on.rounds(90)
    on.price("29500.0", tell=False)
    on.price("28990.0", tell=False)
    on.rounds(90)
    assert on.held() == 0
    with on.store.reading() as connection:
        assert [fill.intent.purpose for _, fill in read_fills(connection, "main")] == [Purpose.ENTRY, Purpose.STOP]
    on.judged()


@pytest.mark.parametrize("hours", HOURS_AHEAD_TOO)
def test_what_others_do_with_the_account_is_seen_by_the_next_look(opens: Callable[..., Unsteady], hours: int) -> None:
    on = opens()
    on.settle(3)
    on.set_wrong(hours)
    # A look that is due whatever the clock says, so that the next one asks for what came after it.
    on.rounds(16 * 60)
    on.desk.exchange.deposit("ZUSD", Decimal(77))
    on.rounds(16 * 60)
    assert [each.label for each in on.store.account.activity() if each.amount == 77] == ["deposit"]
    assert not on.engine.halts
