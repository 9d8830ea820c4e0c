"""What honest strategies return is understood; what has no form on the wire is said plainly."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.contract import SIGNALS_MAX, Action, Intent, OrderType, Signal
from shell.errors import StrategyFault
from shell.host.answers import AnswerError, encode_fault, encode_signals, encode_started, encode_state
from shell.host.validate import decode_signals, decode_state, usual_signals


class Mood(Enum):
    UP = "up"


class Text(str):
    """A text of a strategy's own."""


def test_numpy_numbers_texts_for_enums_and_line_breaks_are_taken() -> None:
    row = Signal("A/B", "BUY", np.float32(0.25), "LIMIT", np.int64(7), reasoning="up\n  now")  # type: ignore[arg-type]
    (signal,) = decode_signals(encode_signals((row,)), {"A/B"})
    assert (signal.action, signal.size_pct, signal.limit_price, signal.reasoning) == (Action.BUY, 0.25, 7.0, "up now")


@pytest.mark.parametrize(
    ("result", "says"),
    [
        (None, "analyze returned None; return a list of Signal"),
        ({"A/B": 1}, "analyze returned a dict"),
        (iter([]), "analyze returned a list_iterator"),
        ([("A/B", "BUY")], "item 1 of analyze's list is a tuple"),
        ([Signal("A/B", Action.BUY, stop_loss=pl.Series([1.0]))], "signal 1: stop_loss is a Series"),  # type: ignore[arg-type]
        ([Signal("A/B", Action.BUY, stop_loss=np.array([1.0]))], "signal 1: stop_loss is a ndarray"),  # type: ignore[arg-type]
        ([Signal("A/B", Action.BUY)] * (SIGNALS_MAX + 1), "51 signals; at most 50"),
    ],
)
def test_what_is_no_list_of_signals_is_named(result: object, says: str) -> None:
    with pytest.raises(AnswerError, match=says):
        encode_signals(result)


def test_state_of_numpy_values_enums_and_tuples_is_taken() -> None:
    state = {"a": np.float64(0.1), "b": (np.int64(3), Mood.UP, Action.BUY), "c": {"d": np.bool_(True), "e": None}}
    assert decode_state(encode_state(state)) == {"a": 0.1, "b": [3, "up", "BUY"], "c": {"d": True, "e": None}}


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ([], "get_state returned a list; return a dict"),
        ({"seen": {1, 2}}, r"state\['seen'\] is a set"),
        ({1: "x"}, "state has a key of type a int"),
        ({"a": [{"b": datetime(2024, 1, 1, tzinfo=UTC)}]}, r"state\['a'\]\[0\]\['b'\] is a datetime"),
        ({"a": object()}, "is a object"),
    ],
)
def test_state_that_json_cannot_hold_is_named_with_its_place(state: object, says: str) -> None:
    with pytest.raises(AnswerError, match=says):
        encode_state(state)


def test_state_that_contains_itself_is_refused() -> None:
    state: dict[str, object] = {}
    state["self"] = state
    with pytest.raises(AnswerError, match="nested deeper than 20"):
        encode_state(state)


def test_a_scan_interval_that_is_a_method_gets_advice() -> None:
    with pytest.raises(AnswerError, match="put @property above it"):
        encode_started(lambda: 5, {})


def test_an_exception_never_runs_its_own_code() -> None:
    class Hostile(Exception):
        __module__ = "builtins"

        @property
        def args(self) -> tuple[object, ...]:  # type: ignore[override]
            raise AssertionError

        def __str__(self) -> str:
            raise AssertionError

    report = json.loads(encode_fault(Hostile("kept"), {"strategy.py"}, "strategy.py"))
    assert report == {"kind": "error", "message": "Hostile: kept", "line": None}


# What a strategy may put into a field: what it should, and what it should not.
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just(Mood.UP), st.just(np.float64(0.5)),
    st.just(Text("BUY")), st.just(10**400), st.lists(st.integers(), max_size=1),
)
SIGNALS = st.builds(
    Signal, st.one_of(st.just("A/B"), ODD), st.one_of(st.sampled_from(Action), ODD), st.one_of(st.floats(0, 1), ODD),
    st.one_of(st.sampled_from(OrderType), ODD), *[st.one_of(st.none(), st.floats(0.1, 1e9), ODD)] * 3,
    st.one_of(st.sampled_from(Intent), ODD), st.one_of(st.floats(0, 1), ODD), st.one_of(st.text(max_size=5), ODD),
    st.one_of(st.just("tag"), ODD),
)


USUAL = Signal("A/B", Action.BUY)


@given(st.one_of(st.lists(st.one_of(SIGNALS, st.just(USUAL)), max_size=2), st.just((USUAL,))))
def test_what_stays_in_one_process_is_read_as_what_crosses_a_wall(result: object) -> None:
    def told(make: Callable[[], object]) -> object:
        try:
            return repr(make())
        except (AnswerError, StrategyFault) as fault:
            return str(fault)

    def near() -> object:
        signals = usual_signals(result, {"A/B"})
        return decode_signals(encode_signals(result), {"A/B"}) if signals is None else signals

    assert told(near) == told(lambda: decode_signals(encode_signals(result), {"A/B"}))


def test_usual_signals_stay_what_they_are_and_their_list_does_not() -> None:
    usual = [Signal("A/B", Action.BUY, 0.1, stop_loss=1.5), Signal("A/B", Action.CLOSE)]
    taken = usual_signals(usual, {"A/B"})
    assert taken is not None
    assert taken is not usual
    assert [id(each) for each in taken] == [id(each) for each in usual]
    assert usual_signals([*usual, Signal("A/B", Action.BUY, np.float64(0.1))], {"A/B"}) is None
    assert usual_signals([*usual, Signal("C/D", Action.BUY)], {"A/B"}) is None
