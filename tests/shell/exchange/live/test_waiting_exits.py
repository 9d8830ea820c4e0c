"""A way out that the strategy asked for while the venue's stop could not be taken out: it waits, and leaves once."""

from __future__ import annotations

from typing import Any

import pytest

from shell.contract import Action, Signal
from shell.exchange.simulator.moments import SECOND_NS
from shell.exchange.simulator.system import SystemState
from shell.execution.record import StepRecord
from shell.orders import Purpose
from shell.risk.refusal import RefusalCode
from tests.shell.exchange.live.conftest import Opens
from tests.shell.exchange.live.stage import BTC, Stage, buy

CLOSE = Signal(BTC, Action.CLOSE)


def failing(times: int) -> dict[str, Any]:
    """The first `times` cancels never arrive."""
    return {"faults": [{"kind": "lost_before", "on": "CancelOrder", "times": times}]}


def guarded(stage: Opens, leaves: Signal, plan: dict[str, Any] | None = None) -> Stage:
    """A position with its stop at the venue, and a strategy that wants to leave at the second scan."""
    on = stage({0: [buy()], 1: [leaves]}, plan=plan)
    on.scan()
    on.settle(2)
    return on


def sales(on: Stage) -> list[Purpose]:
    return [purpose for purpose in on.purposes() if purpose is not Purpose.ENTRY]


def told(record: StepRecord) -> list[str]:
    return [answer.code for answer in record.answers]


@pytest.mark.parametrize("dies", [False, True], ids=["the same process", "the next process"])
def test_a_close_waits_for_the_stop_to_be_out_and_sells_all_once(stage: Opens, dies: bool) -> None:
    on = guarded(stage, CLOSE, failing(1))
    record = on.scan()
    assert told(record) == ["EXIT_WAITING"] and on.held() > 0
    if dies:
        on.restart()
    on.settle(6)
    assert on.held() == 0 and on.open_at_exchange() == []
    assert sales(on) == [Purpose.EXIT]
    first, second = on.store.scans.answers("main")[-2:]
    assert (first.approved, second.approved, second.signal_id) == (False, True, f"{first.signal_id}:late")
    on.agree()


def test_a_partial_sale_that_waited_sells_its_part_and_the_rest_is_guarded(stage: Opens) -> None:
    on = guarded(stage, Signal(BTC, Action.SELL, 0.05), failing(1))
    before = on.held()
    on.scan()
    on.settle(5)
    assert 0 < on.held() < before
    (stop,) = on.open_at_exchange()
    assert (stop.kind, stop.remaining) == ("stop-loss", on.held())
    on.agree()


def test_a_stop_that_fires_while_an_exit_waits_leaves_nothing_to_sell_twice(stage: Opens) -> None:
    on = guarded(stage, CLOSE, failing(2))
    assert told(on.scan()) == ["EXIT_WAITING"]
    on.price("28999.0")
    on.settle(6)
    assert on.held() == 0 and on.coins == 0
    assert sales(on) == [Purpose.STOP]
    assert on.store.scans.answers("main")[-1].code == RefusalCode.NO_POSITION.value
    on.agree()


def test_an_exit_that_waits_too_long_is_given_up_with_a_sentence_and_the_stop_stands(stage: Opens) -> None:
    on = guarded(stage, CLOSE)
    on.desk.exchange.set_state(SystemState.MAINTENANCE, (290 + 150) * SECOND_NS)  # 290 s to the scan
    assert told(on.scan()) == ["EXIT_WAITING"]
    on.settle(30)
    last = on.store.scans.answers("main")[-1]
    assert last.code == RefusalCode.EXIT_GIVEN_UP.value
    assert last.sentence.endswith("could not be taken out within 120 s: nothing was sold, and it stays guarded")
    on.settle(24)
    assert on.held() > 0
    (stop,) = on.open_at_exchange()
    assert (stop.kind, stop.remaining) == ("stop-loss", on.held())
    on.agree()


def test_a_newer_exit_takes_the_place_of_the_one_that_waits(stage: Opens) -> None:
    on = guarded(stage, Signal(BTC, Action.SELL, 0.05), failing(2))
    on.scan()
    record = on.engine.by_hand(CLOSE, "hand:1", on.clock.now())
    assert told(record) == ["EXIT_GIVEN_UP", "EXIT_WAITING"]
    on.settle(6)
    assert on.held() == 0 and sales(on) == [Purpose.EXIT]
    on.agree()
