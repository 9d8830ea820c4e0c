"""Money for models: reserved before, settled after, capped together, whatever crashes in between."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.config_ai import LIST_PRICES, AiConfig
from shell.errors import NotNow, Rejected
from shell.model_calls import (
    ATTEMPTS_MAX,
    CallRequest,
    CallState,
    ModelCall,
    Tier,
    Usage,
    price_of,
    reserve_usd,
    usage_usd,
)
from shell.predictions import Comparison, Grade, Prediction, grade
from shell.store.store import Store

AT = datetime(2026, 11, 23, 5, tzinfo=UTC)
AI = AiConfig()
ASKED = CallRequest(
    night="2026-11-23", slot="decide", role="analyse", provider="anthropic", model="claude-opus-5-5",
    request={"messages": [{"role": "user", "content": "x"}]}, request_hash="h1", input_tokens=10_000, output_tokens_max=8_000,
)
# 10,000 x 4 + 8,000 x 20 millionths of a dollar.
RESERVED = Decimal("0.2")
OPUS = LIST_PRICES[0]


def reserve(store: Store, ai: AiConfig = AI, at: datetime = AT, **changes: object) -> ModelCall:
    return store.model_calls.reserve(ai, replace(ASKED, **changes), at, at)  # type: ignore[arg-type]


def test_a_call_is_written_before_and_settled_from_its_usage(store: Store) -> None:
    call = reserve(store)
    assert (call.state, call.reserved_usd, call.counted_usd) == (CallState.RESERVED, RESERVED, RESERVED)
    usage = Usage(input_tokens=9_000, output_tokens=1_000, cache_read_tokens=10_000)
    done = store.model_calls.settle(AI, call.call_id, CallState.ANSWERED, AT, usage=usage, reply={"text": "no"})
    # 9,000 x 4 + 1,000 x 20 + 10,000 x 0.2 millionths.
    assert done.counted_usd == done.cost_usd == Decimal("0.058")
    assert store.model_calls.spending(AI, ASKED.night, AT).night_usd == Decimal("0.058")
    assert reserve(store, request_hash="another") == done, "answered once a night, whatever is asked the second time"
    assert store.model_calls.settle(AI, call.call_id, CallState.ANSWERED, AT, usage=usage, reply={"text": "no"}) == done
    with pytest.raises(Rejected, match="another outcome"):
        store.model_calls.settle(AI, call.call_id, CallState.LOST, AT)


def test_what_is_not_known_to_be_free_costs_its_reservation(store: Store) -> None:
    free, lost = reserve(store), reserve(store, slot="review:x")
    store.model_calls.settle(AI, free.call_id, CallState.FREE, AT, error="529")
    store.model_calls.settle(AI, lost.call_id, CallState.LOST, AT, error="broke off")
    assert [row.cost_usd for row in store.model_calls.list()] == [Decimal(0), RESERVED]


def test_a_question_is_sent_only_so_often(store: Store) -> None:
    assert [reserve(store).attempt for _ in range(ATTEMPTS_MAX)] == [1, 2]
    with pytest.raises(NotNow, match="not again"):
        reserve(store)
    assert reserve(store, slot="another").attempt == 1


@pytest.mark.parametrize(
    ("ai", "why"),
    [
        (AI.model_copy(update={"call_usd_max": Decimal("0.19")}), "call_usd_max"),
        (AI.model_copy(update={"night_usd_max": Decimal("0.39")}), "the night's money"),
        (AI.model_copy(update={"month_usd_max": Decimal("0.39")}), "the month's money"),
        (AI.model_copy(update={"prices": ()}), "price of model claude-opus-5-5 is not known"),
        (AI.model_copy(update={"prices": (OPUS.model_copy(update={"cache_read_usd": None}),)}), "not known"),
    ],
)
def test_no_cap_is_ever_passed(store: Store, ai: AiConfig, why: str) -> None:
    reserve(store)
    with pytest.raises(NotNow, match=why):
        reserve(store, ai, slot="second")
    assert len(store.model_calls.list()) == 1


def test_the_month_is_the_machines_in_new_york_and_its_money_decides_the_tier(store: Store) -> None:
    ai = AI.model_copy(update={"month_usd_max": Decimal("0.5"), "thrifty_pct": Decimal("0.4")})
    last_of_october = datetime(2026, 11, 1, 3, tzinfo=UTC)
    reserve(store, ai, last_of_october)
    assert store.model_calls.spending(ai, ASKED.night, last_of_october).month == "2026-10"
    assert store.model_calls.spending(ai, ASKED.night, AT).tier is Tier.FULL
    reserve(store, ai, slot="b")
    assert store.model_calls.spending(ai, "2026-11-24", AT).tier is Tier.THRIFTY
    reserve(store, ai, slot="c")
    spending = store.model_calls.spending(ai.model_copy(update={"month_usd_max": Decimal("0.4")}), "2026-11-24", AT)
    assert (spending.tier, spending.month_usd, spending.night_usd) == (Tier.LOCAL, Decimal("0.4"), Decimal(0))


def test_rows_keep_their_order_and_all_they_were_given(store: Store) -> None:
    for slot in ("b", "a", "c"):
        reserve(store, slot=slot)
    rows = store.model_calls.list(ASKED.night)
    assert [row.asked.slot for row in rows] == ["b", "a", "c"]
    assert rows[0].asked == replace(ASKED, slot="b")
    assert store.model_calls.list("2026-11-24") == []


@given(tokens=st.integers(0, 10**7), output=st.integers(0, 10**5), used=st.integers(0, 100))
def test_a_usage_within_its_reservation_never_costs_more(tokens: int, output: int, used: int) -> None:
    price = price_of(AI, "claude-sonnet-5-5")
    usage = Usage(input_tokens=tokens * used // 100, output_tokens=output * used // 100)
    assert usage_usd(price, usage) <= reserve_usd(price, tokens, output)


def prediction(**changes: object) -> Prediction:
    values: dict[str, object] = {
        "night": "2026-11-23", "kind": "no change", "version": "v001", "hypothesis": "it holds", "metric": "sharpe",
        "refuted_if": Comparison.BELOW, "bound": 0.5, "baseline": None, "made_at": AT, "due_at": AT + timedelta(days=7),
    }
    return Prediction(**{**values, **changes})  # type: ignore[arg-type]


def test_a_prediction_is_made_once_a_night_and_graded_once(store: Store) -> None:
    first = store.model_calls.predict(prediction())
    assert store.model_calls.predict(prediction(bound=9.0)) == first
    later = AT + timedelta(days=7)
    store.model_calls.grade("2026-11-23", Grade.REFUTED, 0.1, later)
    store.model_calls.grade("2026-11-23", Grade.HELD, 9.9, later)
    [kept] = store.model_calls.predictions()
    assert (kept.grade, kept.value, kept.graded_at, kept.hypothesis) == (Grade.REFUTED, 0.1, later, "it holds")


@pytest.mark.parametrize(
    ("performance", "concerns", "expected"),
    [
        ({"sharpe": 0.4}, True, Grade.REFUTED), ({"sharpe": 0.5}, True, Grade.HELD), ({"sharpe": 0.4}, False, Grade.MOOT),
        ({"sharpe": None}, True, Grade.MOOT), ({"sharpe": float("nan")}, True, Grade.MOOT), ({}, True, Grade.MOOT),
        ({"sharpe": True}, True, Grade.MOOT),
    ],
)
def test_a_grade_comes_from_data_or_not_at_all(performance: dict[str, object], concerns: bool, expected: Grade) -> None:
    assert grade(prediction(), performance, concerns_what_runs=concerns)[0] is expected


def test_reservations_and_settlements_are_facts_of_the_event_log(store: Store) -> None:
    call = reserve(store)
    store.model_calls.settle(AI, call.call_id, CallState.FREE, AT)
    kinds = [event.kind for event in store.events.rows()]
    assert kinds == ["ai_reserved", "ai_settled"]
