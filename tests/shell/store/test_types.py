"""What goes into a column comes out equal, or is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from shell.money import BaseQty, Price, QuoteAmount
from shell.store.types import AmountText, DecimalText, JsonText, PlainText, StateText, UtcText, utc_moment, utc_text

DIALECT = sqlite.dialect()
decimals = st.decimals(allow_nan=False, allow_infinity=False, places=None)


def through(kind, value):
    return kind.process_result_value(kind.process_bind_param(value, DIALECT), DIALECT)


@given(decimals)
def test_a_decimal_comes_back_equal_and_is_written_without_an_exponent(number):
    written = DecimalText().process_bind_param(number, DIALECT)
    assert "E" not in written
    assert "e" not in written
    assert through(DecimalText(), number) == number


@pytest.mark.parametrize("kind", [QuoteAmount, BaseQty, Price])
@given(number=decimals)
def test_money_comes_back_as_the_same_kind_and_amount(kind, number):
    assert through(AmountText(kind), kind(number)) == kind(number)


def test_money_of_another_kind_is_refused():
    with pytest.raises(TypeError, match="Price does not belong in a column of BaseQty"):
        AmountText(BaseQty).process_bind_param(Price(1), DIALECT)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_a_decimal_that_is_not_finite_is_refused(number):
    with pytest.raises(ValueError, match="not a finite number"):
        DecimalText().process_bind_param(Decimal(number), DIALECT)


moments = st.timedeltas(timedelta(0), timedelta(days=80_000)).map(lambda age: datetime(1970, 1, 1, tzinfo=UTC) + age)


@given(moments, st.integers(-14 * 60, 14 * 60))
def test_an_aware_time_comes_back_as_the_same_instant_in_utc(moment, offset):
    aware = moment.astimezone(timezone(timedelta(minutes=offset)))
    back = through(UtcText(), aware)
    assert back == aware
    assert back.tzinfo is UTC


@given(moments, moments)
def test_the_order_of_time_texts_is_the_order_of_times(one, other):
    assert (utc_text(one) < utc_text(other)) == (one < other)
    assert utc_moment(utc_text(one)) == one


def test_a_naive_time_is_refused():
    with pytest.raises(ValueError, match="without a zone"):
        UtcText().process_bind_param(datetime(2023, 3, 1), DIALECT)


@given(st.text())
@example("a\0b")
@example("é\ud800\0")
def test_any_text_can_be_encoded_and_plain_text_is_kept_as_it_is(text):
    written = PlainText().process_bind_param(text, DIALECT)
    written.encode("utf-8")
    assert "\0" not in written
    if "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text):
        assert written == text


@given(st.text(alphabet=st.characters(categories=["Cs", "Cc", "Lu"])))
def test_lone_surrogates_and_nuls_never_reach_the_driver(text):
    assert "\0" not in PlainText().process_bind_param(text, DIALECT).encode("utf-8").decode("utf-8")


def test_a_strategys_state_keeps_the_order_of_its_keys_and_its_floats():
    state = {"b": 0.1, "a": [1, {"z": None, "y": "ü"}], "inf": float("inf")}
    back = through(StateText(), state)
    assert back == state
    assert list(back) == ["b", "a", "inf"]


def test_json_has_one_form_whatever_the_order_of_keys():
    write = JsonText().process_bind_param
    assert write({"b": 1, "a": 2}, DIALECT) == write({"a": 2, "b": 1}, DIALECT) == '{"a":2,"b":1}'


@pytest.mark.parametrize("kind", [DecimalText(), AmountText(Price), UtcText(), JsonText(), StateText()])
def test_an_absent_value_stays_absent(kind):
    assert through(kind, None) is None
