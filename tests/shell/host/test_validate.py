"""Replies as hostile bytes: only the exact schema passes, everything else is a bad_reply with a printable sentence."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.contract import Action, Intent, OrderType, Signal
from shell.errors import StrategyFault
from shell.host.validate import decode_fault, decode_signals, decode_started, decode_state
from tests.shell.host.walls import COMPLETE

SYMBOLS = frozenset({"BTC/USD", "ETH/USD"})
GOOD: dict[str, Any] = {
    "symbol": "BTC/USD",
    "action": "BUY",
    "size_pct": 0.1,
    "order_type": "LIMIT",
    "limit_price": 100.0,
    "stop_loss": None,
    "take_profit": 120,
    "intent": "DAY",
    "confidence": 1,
    "reasoning": "trend is up, volume rising: 3 > 2 – naïve",
    "tag": "ema",
}


def body(*rows: dict[str, Any]) -> bytes:
    return json.dumps([list(row.values()) for row in rows]).encode()


def refusal(payload: bytes) -> str:
    with pytest.raises(StrategyFault) as caught:
        decode_signals(payload, SYMBOLS)
    assert caught.value.kind == "bad_reply"
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_a_good_row_becomes_a_signal_of_exact_types() -> None:
    (signal,) = decode_signals(body(GOOD), SYMBOLS)
    assert signal == Signal(
        "BTC/USD", Action.BUY, 0.1, OrderType.LIMIT, 100.0, None, 120.0, Intent.DAY, 1.0, GOOD["reasoning"], "ema"
    )
    assert type(signal.take_profit) is type(signal.confidence) is float
    assert decode_signals(b"[]", SYMBOLS) == []


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("symbol", "DOGE/USD", "symbol is 'DOGE/USD'; use one of BTC/USD, ETH/USD"),
        ("symbol", None, "symbol is None"),
        ("symbol", ["BTC/USD"], "symbol is a list"),
        ("action", "buy", "action is 'buy'; use one of BUY, SELL, CLOSE, MODIFY"),
        ("action", 1, "action is a whole number"),
        ("order_type", "STOP", "use one of MARKET, LIMIT"),
        ("intent", {}, "intent is a dict; use one of DAY, SWING, POSITION"),
        ("size_pct", 1.0000001, "a fraction from 0 to 1"),
        ("size_pct", -0.1, "a fraction from 0 to 1"),
        ("size_pct", True, "size_pct is a truth value; a finite number is needed"),
        ("size_pct", "0.1", "a finite number is needed"),
        ("size_pct", None, "size_pct is None"),
        ("size_pct", float("nan"), "size_pct is nan"),
        ("confidence", float("inf"), "confidence is inf"),
        ("confidence", 2, "a fraction from 0 to 1"),
        ("confidence", 10**400, "confidence is a whole number; a finite number is needed"),
        ("limit_price", 0, "a price above 0"),
        ("stop_loss", -5.0, "a price above 0"),
        ("stop_loss", float("-inf"), "a finite number"),
        ("take_profit", False, "a truth value"),
        ("reasoning", "a\nb", "cannot be printed"),
        ("reasoning", "a\u202eb", "cannot be printed"),
        ("reasoning", "\ud800", "cannot be printed"),
        ("reasoning", "x" * 501, "501 characters; at most 500"),
        ("reasoning", None, "a text is needed"),
        ("tag", "x" * 51, "51 characters; at most 50"),
        ("tag", 3, "a text is needed"),
    ],
)
def test_each_field_is_strict(field: str, value: object, says: str) -> None:
    sentence = refusal(body(GOOD | {"symbol": "ETH/USD"}, GOOD | {field: value}))
    assert sentence.startswith("signal 2")
    assert says in sentence


def test_shape_and_number_of_signals_are_limited() -> None:
    assert "another form" in refusal(json.dumps([list(GOOD.values())[:-1]]).encode())
    assert "another form" in refusal(json.dumps([GOOD]).encode())
    assert "a list of signals" in refusal(b'{"signals": []}')
    assert "51 signals; at most 50" in refusal(body(*[GOOD] * 51))
    assert len(decode_signals(body(GOOD, GOOD), SYMBOLS)) == 2
    assert len(decode_signals(body(GOOD, GOOD | {"action": "MODIFY"}), SYMBOLS)) == 2


@pytest.mark.parametrize(
    "payload", [b"", b"[", b"\xff\xfe", b"[[[" * 50_000, b"[" + b"9" * 5000 + b"]", b"null", b"nonsense", b'"[]"']
)
def test_bytes_that_are_no_json_are_refused(payload: bytes) -> None:
    refusal(payload)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_a_fault(payload: bytes) -> None:
    for decode in (lambda data: decode_signals(data, SYMBOLS), decode_state, decode_started, decode_fault):
        with contextlib.suppress(StrategyFault):
            decode(payload)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=12) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=30,
)


@given(json_values)
def test_no_json_raises_anything_but_a_fault(value: object) -> None:
    payload = json.dumps(value).encode()
    for decode in (lambda data: decode_signals(data, SYMBOLS), decode_state, decode_started, decode_fault):
        with contextlib.suppress(StrategyFault):
            decode(payload)


def test_state_is_finite_shallow_small_printable_json() -> None:
    good = {"a": [1, 2.5, None, True, {"b": "text"}], "c": 10**30}
    assert decode_state(json.dumps(good).encode()) == good
    deep: Any = 1
    for _ in range(20):
        deep = [deep]
    for bad, says in [
        ([1], "returned a list; a dict is needed"),
        ({"x": float("nan")}, "not finite"),
        ({"x": [[float("inf")]]}, "not finite"),
        ({"x": deep}, "deeper than 20"),
        ({"x": "a\x00b"}, "cannot be printed"),
        ({"a\u202eb": 1}, "cannot be printed"),
        ({"x": "y" * 65_536}, "at most 65536"),
    ]:
        with pytest.raises(StrategyFault, match=says):
            decode_state(json.dumps(bad).encode())


@pytest.mark.parametrize("interval", [0, 1441, -5, 2.0, True, "5", None, [5]])
def test_the_scan_interval_is_a_whole_number_of_minutes_in_a_day(interval: object) -> None:
    with pytest.raises(StrategyFault, match="a whole number from 1 to 1440 is needed"):
        decode_started(json.dumps({"interval": interval, "isolation": COMPLETE}).encode())


def test_a_report_of_the_wall_in_another_form_is_refused() -> None:
    def answer(isolation: object) -> bytes:
        return json.dumps({"interval": 1440, "isolation": isolation}).encode()

    assert decode_started(answer(COMPLETE)) == (1440, COMPLETE)
    for bad in (None, {}, {**COMPLETE, "note": "trust me"}, {**COMPLETE, "seccomp": 1}, {**COMPLETE, "landlock_abi": True}):
        with pytest.raises(StrategyFault, match="tells of the wall in another form"):
            decode_started(answer(bad))


def test_a_childs_report_of_a_fault_is_made_harmless() -> None:
    report = {"kind": "error", "message": "bad\x1b[31m <x object at 0x7f12ab34cd56>" + "y" * 1000, "line": 12}
    fault = decode_fault(json.dumps(report).encode())
    assert (fault.kind, fault.line) == ("error", 12)
    assert str(fault).startswith("line 12: bad [31m <x object at 0x…>yyy")
    assert str(fault).isprintable()
    assert len(str(fault)) <= 310
    assert decode_fault(b'{"kind": "error", "message": 5, "line": true}').line is None
    with pytest.raises(StrategyFault, match="another form"):
        decode_fault(b'{"kind": "timeout", "message": "x"}')
