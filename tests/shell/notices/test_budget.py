"""The money for models: each news of a month once, across restarts, and every month anew."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from shell.clock import VirtualClock
from shell.config import Settings
from shell.config_ai import AiConfig
from shell.desk import Desk
from shell.errors import NotNow
from shell.model_calls import CallState, Usage
from shell.notices.notices import Notices
from shell.service import Shell
from shell.store.store import Store
from tests.shell.store.test_model_calls import AI, ASKED, AT

# One answer of 10,000 tokens in and 8,000 out costs 0.20 dollars: a month of 0.50 holds two of them.
SHORT = AI.model_copy(update={"month_usd_max": Decimal("0.5"), "thrifty_pct": Decimal("0.4")})
USAGE = Usage(input_tokens=10_000, output_tokens=8_000)


def desk_over(store: Store, at: datetime = AT, ai: AiConfig = SHORT) -> Desk:
    """The real desk over a real store; of the shell it needs no more than its settings and its messages."""
    settings = Settings().model_copy(update={"ai": ai})
    notify = Notices(store, settings, "main").notify
    return Desk(cast(Shell, SimpleNamespace(store=store, config=settings, notify=notify, workspace=None)), VirtualClock(at))


def asks(desk: Desk, slot: str, at: datetime = AT, **changes: str) -> None:
    call = desk.reserve_call(replace(ASKED, slot=slot, **changes), at)  # type: ignore[arg-type]
    desk.settle_call(call.call_id, CallState.ANSWERED, at, usage=USAGE, reply={"text": slot})


def told(store: Store) -> list[str]:
    return [each.text for each in store.outbox.list() if each.kind == "budget"]


def test_a_month_that_gets_short_and_then_is_spent_is_told_once_each(tmp_path: Path) -> None:
    with Store.open(tmp_path / "brain.db") as store:
        desk = desk_over(store)
        asks(desk, "decide")
        (thrifty,) = told(store)
        assert thrifty.startswith("$0.20 of $0.50 for models is spent in 2026-11: claude-sonnet-5-5 does every role")
        asks(desk, "review:1")
        assert told(store) == [thrifty]
        for again in (desk, desk_over(store)):
            with pytest.raises(NotNow, match="the month's money is spent"):
                asks(again, "review:2")
        assert [text[:24] for text in told(store)[1:]] == ["the month's money is spe"]
        december = datetime(2026, 12, 2, 5, tzinfo=AT.tzinfo)
        asks(desk_over(store, december), "decide", december, night="2026-12-02")
        assert "2026-12" in told(store)[2]


def test_a_model_without_a_price_is_told_once_with_what_to_do(tmp_path: Path) -> None:
    with Store.open(tmp_path / "brain.db") as store:
        for _ in range(2):
            with pytest.raises(NotNow, match="price of model"):
                asks(desk_over(store), "decide", model="claude-next")
        (message,) = [each for each in store.outbox.list() if each.kind == "budget"]
        assert "claude-next" in message.text
        assert message.action == "add its price, or name another model in [ai]"


def test_a_cap_that_was_lowered_is_told_at_the_end_of_the_night(tmp_path: Path) -> None:
    with Store.open(tmp_path / "brain.db") as store:
        call = store.model_calls.reserve(AI, ASKED, AT, AT)
        store.model_calls.settle(AI, call.call_id, CallState.ANSWERED, AT, usage=USAGE, reply={"text": "yes"})
        tight = SHORT.model_copy(update={"month_usd_max": Decimal("0.2")})
        desk_over(store, ai=tight).record_night(ASKED.night, {"decision": "no_change"}, AT)
        assert told(store) == [
            "$0.20 of $0.20 for models is spent in 2026-11: nights go on without a model until the month ends"
        ]
