"""A call of a model crosses the control API as it is: money to the last digit, usage, reply and errors."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from shell.control.methods import methods
from shell.control.wire import decode, encode
from shell.model_calls import CallState, ModelCall, Usage
from tests.shell.store.test_model_calls import ASKED, prediction

AT = datetime(2026, 11, 23, 5, tzinfo=UTC)


def test_reserving_settling_and_predicting_are_served_with_their_types() -> None:
    call = ModelCall(
        call_id="2026-11-23/decide/1", attempt=1, asked=ASKED, state=CallState.ANSWERED, reserved_usd=Decimal("0.2000"),
        at=AT, paid_at=AT, cost_usd=Decimal("0.0581"), usage=Usage(input_tokens=3), reply={"text": "no", "content": []},
    )
    served = methods()
    for answered in (call, replace(call, usage=None, reply=None, cost_usd=None, state=CallState.LOST)):
        assert decode(served["reserve_call"].answer, encode(ModelCall, answered)) == answered
    assert decode(served["predict"].answer, encode(type(prediction()), prediction())) == prediction()
    asked = served["reserve_call"].arguments.model_construct(asked=ASKED, now=AT)
    assert decode(served["reserve_call"].arguments, encode(served["reserve_call"].arguments, asked)).asked == ASKED
    assert {name: served[name].reads for name in ("spending", "model_calls", "predictions", "reserve_call", "settle_call")} == {
        "spending": True, "model_calls": True, "predictions": True, "reserve_call": False, "settle_call": False,
    }
