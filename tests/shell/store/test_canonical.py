"""One value, one text."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.money import QuoteAmount
from shell.orders import Side
from shell.store.canonical import canonical

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_reading_a_text_back_and_writing_it_again_gives_the_same_text(value):
    text = canonical(value)
    assert text.isascii()
    assert canonical(json.loads(text)) == text


@given(st.dictionaries(st.text(), st.integers()))
def test_the_order_of_keys_does_not_matter(mapping):
    assert canonical(mapping) == canonical(dict(reversed(mapping.items())))


class Colour(Enum):
    RED = "red"


@dataclass
class Point:
    x: float
    label: str


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("1E+3"), '"1000"'),
        (QuoteAmount("10.50"), '"10.5"'),
        (datetime(2023, 3, 1, 0, 5, tzinfo=UTC), '"2023-03-01T00:05:00Z"'),
        (date(2023, 3, 1), '"2023-03-01"'),
        (Side.BUY, '"buy"'),
        (Colour.RED, '"red"'),
        (MappingProxyType({"b": 1, "a": (2,)}), '{"a":[2],"b":1}'),
        ({3, 1, 2}, "[1,2,3]"),
        (Point(0.1, "p"), '{"label":"p","x":0.1}'),
        (np.float64(0.5), "0.5"),
        (np.array([1, 2]), "[1,2]"),
        ({"a": float("nan"), "b": [float("-inf")]}, '{"a":"nan","b":["-inf"]}'),
        ({"point": Point(float("inf"), "p")}, '{"point":{"label":"p","x":"inf"}}'),
    ],
)
def test_values_of_the_shell_have_a_json_form(value, text):
    assert canonical(value) == text


def test_what_has_no_json_form_is_refused():
    with pytest.raises(TypeError, match="a object has no JSON form"):
        canonical({"x": object()})
