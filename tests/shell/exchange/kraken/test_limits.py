"""Rate limits: the counters never pass their most, waits are no longer than needed, young orders cost what Kraken says."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.exchange.kraken.errors import RateLimited
from shell.exchange.kraken.limiter import ORDER_PATIENCE_SECONDS, SHARE_USED, Limiter
from shell.exchange.kraken.limits import LIMITS, Counter, EngineAction, Verification, api_cost, engine_cost
from tests.shell.exchange.kraken.times import HandPace

STARTER = LIMITS[Verification.STARTER]


@given(
    st.floats(1, 200),
    st.floats(0.1, 10),
    st.lists(st.tuples(st.floats(0, 30), st.sampled_from([0.0, 0.5, 1.0, 2.0, 8.0])), max_size=60),
)
def test_who_waits_as_told_never_passes_the_most(most: float, decay: float, calls: list[tuple[float, float]]) -> None:
    counter, at, true_level, last = Counter(most, decay), 0.0, 0.0, 0.0
    for pause, cost in calls:
        cost = min(cost, most)
        at += pause
        at += counter.wait(cost, at)
        true_level = max(0.0, true_level - decay * (at - last)) + cost
        last = at
        counter.charge(cost, at)
        assert true_level <= most + 1e-4
        assert counter.level(at) == pytest.approx(true_level, abs=1e-4)


def test_a_wait_is_exactly_as_long_as_needed() -> None:
    counter = Counter(15, 0.33)
    counter.charge(15, 100.0)
    assert counter.wait(1, 100.0) == pytest.approx(1 / 0.33)
    assert counter.wait(1, 100.0 + 1 / 0.33) == pytest.approx(0)
    assert counter.wait(0, 100.0) == 0


def test_time_that_goes_back_is_no_time() -> None:
    counter = Counter(10, 1)
    counter.charge(6, 50.0)
    assert counter.level(40.0) == 6 and counter.level(51.0) == 5


@pytest.mark.parametrize(
    ("action", "costs"),
    [
        (EngineAction.ADD, [1, 1, 1, 1, 1, 1, 1]),
        (EngineAction.AMEND, [4, 3, 2, 1, 1, 1, 1]),
        (EngineAction.CANCEL, [8, 6, 5, 4, 2, 1, 0]),
    ],
)
def test_the_engine_charges_by_age(action: EngineAction, costs: list[int]) -> None:
    assert [engine_cost(action, age) for age in (4.9, 9.9, 14.9, 44.9, 89.9, 299.9, 300)] == costs
    assert engine_cost(action) == costs[0], "an order of unknown age is the dearest"


def test_what_a_call_costs_the_key() -> None:
    assert [api_cost(name) for name in ("BalanceEx", "TradesHistory", "ClosedOrders", "AddOrder")] == [1, 2, 2, 0]


def test_questions_wait_and_stay_below_the_keys_limit() -> None:
    pace = HandPace()
    limiter = Limiter(STARTER, pace)

    async def ask() -> None:
        for _ in range(60):
            await limiter.private("OpenOrders")
            assert limiter.levels()["api"] <= STARTER.api_max * SHARE_USED + 1e-4

    asyncio.run(ask())
    assert sum(pace.slept) == pytest.approx((60 - STARTER.api_max * SHARE_USED) / STARTER.api_decay, rel=1e-4)


def test_many_askers_at_once_share_one_limit() -> None:
    pace = HandPace()
    limiter = Limiter(STARTER, pace)

    async def ask() -> None:
        await asyncio.gather(*(limiter.private("OpenOrders") for _ in range(40)))

    asyncio.run(ask())
    assert limiter.levels()["api"] <= STARTER.api_max * SHARE_USED + 1e-4


def test_an_order_that_would_wait_long_is_refused_unsent_and_a_cancel_never_is() -> None:
    pace = HandPace()
    limiter = Limiter(STARTER, pace)

    async def trade() -> float:
        for at in range(60):
            await limiter.order(EngineAction.ADD, "XBTUSD")
            limiter.placed(f"O{at}", "XBTUSD")
        await limiter.order(EngineAction.CANCEL, "", "O59")
        with pytest.raises(RateLimited, match="nothing was sent") as refused:
            await limiter.order(EngineAction.ADD, "XBTUSD")
        await limiter.order(EngineAction.ADD, "ETHUSD")
        return refused.value.wait_seconds

    assert asyncio.run(trade()) == pytest.approx(9) and limiter.levels()["XBTUSD"] == 68
    assert sum(pace.slept) == 0 and ORDER_PATIENCE_SECONDS < 9


def test_a_cancel_costs_by_the_age_of_its_order() -> None:
    pace = HandPace()
    limiter = Limiter(STARTER, pace)

    async def trade() -> None:
        await limiter.order(EngineAction.ADD, "XBTUSD")
        limiter.placed("OLD", "XBTUSD")
        pace.at += 299
        await limiter.order(EngineAction.CANCEL, "", "OLD")

    asyncio.run(trade())
    assert limiter.levels() == {"api": 0, "XBTUSD": 1}


def test_krakens_word_fills_the_counter() -> None:
    limiter = Limiter(STARTER, HandPace())
    limiter.refused(RateLimited("full", wait_seconds=5), "")
    limiter.refused(RateLimited("full", wait_seconds=5, engine=True), "XBTUSD")
    assert limiter.levels() == {"api": STARTER.api_max * SHARE_USED, "XBTUSD": STARTER.engine_max}
