"""A quickly built value is the frozen dataclass it is declared as: only the way it is built differs."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, fields, make_dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.frozen import altered, quickly_built
from shell.orders import ApprovedOrder, Fill, OrderIntent
from shell.portfolio.ledger import Ledger, Position, TradeClosed


def _plain(name: str) -> type:
    return make_dataclass(
        name, [("a", int), ("b", str), ("c", float, 0.5), ("d", list, field(default_factory=list))], frozen=True, slots=True,
    )


Plain = _plain("Value")
Value = quickly_built(_plain("Value"))
Value.__module__ = __name__


@quickly_built
@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One that looks at what it is given."""

    number: int

    def __post_init__(self) -> None:
        if self.number < 0:
            raise ValueError("below zero")


@given(st.integers(), st.text(), st.floats(allow_nan=False), st.lists(st.integers()))
def test_it_equals_shows_hashes_and_copies_as_the_dataclass_does(a: int, b: str, c: float, d: list[int]) -> None:
    value, plain = Value(a, b, c, d), Plain(a, b, c, d)
    assert repr(value) == repr(plain)
    assert value == Value(a, b, c=c, d=list(d))
    assert value != Value(a + 1, b, c, d)
    assert [getattr(value, each.name) for each in fields(value)] == [a, b, c, d]
    assert pickle.loads(pickle.dumps(value)) == value
    assert copy.deepcopy(value) == value
    assert type(value) is type(pickle.loads(pickle.dumps(value))) is Value
    assert altered(value, b="other", d=[1]) == replace(value, b="other", d=[1]) == Value(a, "other", c, [1])
    assert value.b == b
    frozen = Checked(number=abs(a))
    assert hash(frozen) == hash(Checked(number=abs(a)))


def test_defaults_are_made_anew_for_each_value() -> None:
    first, second = Value(1, "b"), Value(1, "b")
    assert (first.c, first.d) == (0.5, [])
    assert first.d is not second.d


@pytest.mark.parametrize("kind", [Value, Plain])
def test_what_the_dataclass_refuses_is_refused(kind: type) -> None:
    for wrong in (lambda: kind(), lambda: kind(1), lambda: kind(1, "b", e=2), lambda: kind(1, "b", 0.5, [], 3)):
        with pytest.raises(TypeError):
            wrong()
    value = kind(1, "b")
    for name in ("a", "e", "__class__"):
        with pytest.raises((FrozenInstanceError, TypeError)):
            setattr(value, name, 1)
    with pytest.raises(FrozenInstanceError):
        del value.a
    with pytest.raises(TypeError):
        altered(value, e=1)


def test_what_it_checks_when_built_is_checked_always() -> None:
    assert altered(Checked(number=1), number=2) == Checked(number=2)
    for wrong in (lambda: Checked(number=-1), lambda: altered(Checked(number=1), number=-1)):
        with pytest.raises(ValueError, match="below zero"):
            wrong()


def test_what_it_works_out_itself_is_worked_out() -> None:
    @quickly_built
    @dataclass(frozen=True, slots=True)
    class Sum:
        a: int
        total: int = field(init=False)
        b: int = 1

        def __post_init__(self) -> None:
            object.__setattr__(self, "total", self.a + self.b)

    assert [Sum(2).total, Sum(2, 5).total, altered(Sum(2), b=3).total, replace(Sum(2), b=3).total] == [3, 7, 5, 5]
    with pytest.raises(TypeError):
        Sum(a=1, total=3)


def test_nobody_approves_an_order_without_the_seal() -> None:
    with pytest.raises(TypeError, match="only shell.risk"):
        ApprovedOrder(intent=None, reserved=None, seal=object())


def test_the_types_of_the_hot_path_are_frozen() -> None:
    for kind in (OrderIntent, Fill, Position, Ledger, TradeClosed):
        value = object.__new__(kind)
        with pytest.raises(FrozenInstanceError):
            setattr(value, fields(kind)[0].name, None)


def test_only_frozen_slotted_classes_of_their_own_are_taken() -> None:
    for wrong in (
        make_dataclass("Open", [("a", int)], slots=True),
        make_dataclass("Roomy", [("a", int)], frozen=True),
        make_dataclass("Made", [("a", int), ("b", int, field(init=False, default=1))], frozen=True, slots=True),
        make_dataclass("Derived", [("b", int)], bases=(_plain("Base"),), frozen=True, slots=True),
        int,
    ):
        with pytest.raises(TypeError):
            quickly_built(wrong)
    with pytest.raises(TypeError, match="derived"):
        type("Below", (Value,), {})
