"""Amounts do not mix, stay exact, and are never made of a float."""

from __future__ import annotations

import pickle
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.money import BaseQty, Price, QuoteAmount, decimal_of, percent, plain, quantise

KINDS = (QuoteAmount, BaseQty, Price)
values = st.integers(-(10**40), 10**40).map(lambda units: Decimal(units).scaleb(-12))
steps = st.sampled_from([Decimal(text) for text in ("1", "0.5", "0.01", "0.00003", "1e-8", "7")])


@pytest.mark.parametrize(("value", "expected"), [(0.1, "0.1"), (1e-8, "1E-8"), (3, "3"), ("2.50", "2.50")])
def test_a_float_becomes_the_decimal_a_person_would_write(value, expected):
    assert decimal_of(value) == Decimal(expected)


def test_a_numpy_float_is_a_float():
    assert decimal_of(np.float64(0.1)) == Decimal("0.1")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "-Infinity", "much", "", None, [], (1, 2)])
def test_what_is_no_finite_number_is_refused(value):
    with pytest.raises(ValueError, match="is not a"):
        decimal_of(value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "sNaN"])
def test_no_amount_is_infinite_or_not_a_number(kind, value):
    with pytest.raises(ValueError, match="money is finite"):
        kind(value)


@pytest.mark.parametrize("kind", KINDS)
def test_no_amount_is_made_of_a_float(kind):
    with pytest.raises(TypeError, match="never a float"):
        kind(0.1)


@pytest.mark.parametrize("operation", ["__add__", "__sub__", "__lt__", "__le__", "__gt__", "__ge__"])
def test_kinds_do_not_mix(operation):
    for one in KINDS:
        for other in KINDS:
            if one is not other:
                with pytest.raises(TypeError, match="do not mix"):
                    getattr(one(1), operation)(other(1))
                assert one(1) != other(1)


def test_amounts_are_immutable_and_survive_pickling():
    amount = QuoteAmount("1.50")
    with pytest.raises(AttributeError, match="immutable"):
        amount.value = Decimal(2)  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(amount)) == amount


def test_equal_amounts_hash_alike_however_they_are_written():
    assert {QuoteAmount("1.50"), QuoteAmount("1.5"), BaseQty("1.5")} == {QuoteAmount("1.5"), BaseQty("1.50")}


@given(values, values)
def test_addition_and_subtraction_are_exact_and_undo_each_other(one, other):
    # 28 digits before the point and 12 behind it: the default decimal context would round at 28 in all.
    total = QuoteAmount(one) + QuoteAmount(other)
    assert total - QuoteAmount(other) == QuoteAmount(one)
    assert QuoteAmount(one) - QuoteAmount(one) == QuoteAmount(0)
    assert QuoteAmount(0) - QuoteAmount(one) == -QuoteAmount(one)


def test_negation_keeps_every_digit():
    # Negation by the default context rounded this to 28 digits.
    digits = "1234567890123456789.012345678901"
    assert str(-QuoteAmount(digits)) == f"-{digits}"


@given(st.integers(1, 10**17), st.integers(1, 10**17))
def test_quantity_times_price_is_exact(qty, price):
    cost = BaseQty(Decimal(qty).scaleb(-8)).times(Price(Decimal(price).scaleb(-10)))
    assert Fraction(cost.value) == Fraction(qty * price, 10**18)


@given(st.integers(0, 10**24).map(lambda units: Decimal(units).scaleb(-12)), steps)
def test_quantising_lands_on_the_grid_within_one_step(value, step):
    down, up = quantise(value, step, ROUND_DOWN), quantise(value, step, ROUND_UP)
    assert down % step == 0
    assert up % step == 0
    assert down <= value <= up
    assert up - down in (0, step)


@pytest.mark.parametrize(
    ("cost", "qty", "average"),
    [("300", "3", "100"), ("1", "3", "0.333333333333333333"), ("0.00000001", "3", "0.00000000333333333333333333")],
)
def test_an_average_keeps_18_significant_digits_however_cheap_the_coin(cost, qty, average):
    assert Price.average(QuoteAmount(cost), BaseQty(qty)) == Price(average)


@pytest.mark.parametrize(
    ("number", "text"), [("1E-8", "0.00000001"), ("1E+2", "100"), ("1.500", "1.5"), ("-0.0", "0"), ("120", "120")]
)
def test_plain_notation_has_no_exponent_and_no_idle_zeros(number, text):
    assert plain(Decimal(number)) == text
    assert str(QuoteAmount(number)) == text


@pytest.mark.parametrize(
    ("fraction", "text"), [("0.0312", "3.12 %"), ("0.1", "10 %"), ("0.000049", "0 %"), ("2", "200 %")]
)
def test_a_fraction_is_shown_in_percent(fraction, text):
    assert percent(Decimal(fraction)) == text


def test_a_ratio_is_a_plain_number():
    assert QuoteAmount(1).ratio(QuoteAmount(8)) == Decimal("0.125")
    assert float(QuoteAmount("0.5")) == 0.5
    assert bool(QuoteAmount(0)) is False
