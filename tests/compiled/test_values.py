"""The rewritten text of a value class means what the written one did, and what would change its meaning is refused.

Method: both texts are executed by Python itself. A frozen class's constructor sets its attributes directly, which only the
compiler allows, so for these tests the assignments are made the way `dataclass` makes them.
"""

from __future__ import annotations

import copy
import dataclasses
import pickle
import re
import sys
from types import ModuleType
from typing import Any

import pytest

from compiled.values import CannotRewrite, replaced, rewritten

HEAD = "from __future__ import annotations\n\nfrom dataclasses import dataclass, field\nfrom typing import ClassVar, NamedTuple\n\n"

POINT = HEAD + '''
@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Somewhere."""

    x: int
    y: float = 0.5
    seen: list[int] = field(default_factory=list)
    told: dict[str, int] = field(default_factory=lambda: {"a": 1})
    sum: float = field(init=False, compare=False)
    kind: ClassVar[str] = "point"

    def __post_init__(self) -> None:
        object.__setattr__(self, "sum", self.x + self.y)

    def far(self) -> bool:
        return self.x > 10
'''


def executed(text: str, name: str) -> ModuleType:
    """A module of that text, importable by `name`, so that its classes can be pickled."""
    module = ModuleType(name)
    sys.modules[name] = module
    direct = re.sub(r"^(        )self\.(\w+) = (.*)$", r"\1object.__setattr__(self, '\2', \3)", text, flags=re.MULTILINE)
    exec(compile(direct, name, "exec"), vars(module))
    return module


@pytest.fixture
def both() -> tuple[Any, Any]:
    """The class as written and as rewritten."""
    return executed(POINT, "written_point").Point, executed(rewritten(POINT), "rewritten_point").Point


def test_equality_repr_defaults_and_methods_stay(both: tuple[Any, Any]) -> None:
    written, made = both
    for arguments in ({"x": 1}, {"x": 11, "y": 2.0}, {"x": 1, "seen": [3], "told": {}}):
        one, other = written(**arguments), made(**arguments)
        assert repr(one) == repr(other)
        assert dataclasses.astuple(one) == dataclasses.astuple(other)
        assert (one.sum, one.far(), one.kind) == (other.sum, other.far(), other.kind)
        assert other == made(**arguments)
        assert other != made(**arguments | {"y": 99.0})
    assert [each.name for each in dataclasses.fields(made)] == [each.name for each in dataclasses.fields(written)]


def test_arguments_stay_keyword_only_and_needed(both: tuple[Any, Any]) -> None:
    for made in both:
        with pytest.raises(TypeError):
            made(1)
        with pytest.raises(TypeError):
            made()
        with pytest.raises(TypeError):
            made(x=1, sum=2)


def test_factories_make_a_new_value_each_time(both: tuple[Any, Any]) -> None:
    for made in both:
        first, second = made(x=1), made(x=1)
        assert first.seen == second.seen == []
        assert first.seen is not second.seen
        assert first.told is not second.told


def test_it_stays_frozen_and_can_be_replaced_copied_and_sent(both: tuple[Any, Any]) -> None:
    for made in both:
        point = made(x=1, seen=[7])
        with pytest.raises(dataclasses.FrozenInstanceError):
            point.x = 2
        assert dataclasses.replace(point, y=4.0).sum == 5.0
        assert pickle.loads(pickle.dumps(point)) == point
        assert copy.copy(point).seen is point.seen
        assert copy.deepcopy(point).seen is not point.seen


def test_a_mutable_class_without_keywords_stays_so() -> None:
    text = HEAD + "@dataclass(slots=True)\nclass A:\n    x: int\n    y: int = 2\n"
    made = executed(rewritten(text), "rewritten_a").A
    value = made(1)
    value.x = 5
    assert (value.x, value.y) == (5, 2)
    assert made(5) == value
    assert "__slots__" not in vars(made)


def test_a_chosen_named_tuple_becomes_a_frozen_value_and_others_stay() -> None:
    text = HEAD + "class A(NamedTuple):\n    x: int\n    y: int = 2\n\n\nclass B(NamedTuple):\n    x: int\n"
    module = executed(rewritten(text, tuples=frozenset({"A"})), "rewritten_tuples")
    assert repr(module.A(1)) == "A(x=1, y=2)"
    assert module.A(1) == module.A(1, 2)
    assert hash(module.A(1)) == hash(module.A(1))
    assert not isinstance(module.A(1), tuple)
    assert module.A(1)._replace(x=5) == module.A(5)
    assert isinstance(module.B(1), tuple)


def test_slots_go_and_a_class_left_outside_is_marked() -> None:
    text = HEAD + 'class A:\n    __slots__ = ("x",)\n\n\nclass B(list):\n    """Ours."""\n\n    __slots__ = ()\n'
    out = rewritten(text, outside=frozenset({"B"}))
    assert out.count("__slots__") == 1
    assert "@mypyc_attr(native_class=False)\nclass B(list):" in out
    assert "from mypy_extensions import mypyc_attr" in out


def test_a_class_that_others_inherit_is_opened_to_them() -> None:
    out = rewritten(HEAD + 'class A:\n    __slots__ = ("x",)\n', inherited=frozenset({"A"}))
    assert "@mypyc_attr(allow_interpreted_subclasses=True)\nclass A:" in out
    assert "__slots__" not in out


def test_loose_parameters_take_anything() -> None:
    out = rewritten(HEAD + "def f(a: int, *b: str, c: float = 1.0) -> int:\n    return a\n", loose=frozenset({"a", "b"}))
    assert "def f(a: _Any, *b: _Any, c: float = 1.0) -> int:" in out
    with pytest.raises(CannotRewrite, match="there is no parameter d"):
        rewritten(HEAD, loose=frozenset({"d"}))


def test_texts_beyond_ascii_are_cut_where_they_should_be() -> None:
    text = HEAD + '@dataclass(frozen=True)\nclass A:\n    x: str = "é → 5 €"  # ü\n    y: str = "ß"\n'
    made = executed(rewritten(text), "rewritten_umlauts").A()
    assert (made.x, made.y) == ("é → 5 €", "ß")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("@dataclass(order=True)\nclass A:\n    x: int\n", "no rule for dataclass"),
        ("@dataclass\nclass A(B):\n    x: int\n", "derives from a class"),
        ("@dataclass\nclass A:\n    x: int\n    def __init__(self): ...\n", "a constructor of its own"),
        ("@dataclass\nclass A:\n    x: int = field(repr=False)\n", "only default_factory"),
        ("@dataclass\nclass A:\n    x: list[int] | None = field(default_factory=list)\n", "never None"),
        ("@dataclass\nclass A:\n    pass\n", "has no fields"),
    ],
)
def test_what_would_change_its_meaning_is_refused(body: str, told: str) -> None:
    with pytest.raises(CannotRewrite, match=told):
        rewritten(HEAD + body)


def test_classes_that_are_named_and_not_there_are_told() -> None:
    with pytest.raises(CannotRewrite, match="there is no class Gone"):
        rewritten(HEAD, tuples=frozenset({"Gone"}))
    with pytest.raises(CannotRewrite, match="is no named tuple"):
        rewritten(HEAD + "class A:\n    x: int\n", tuples=frozenset({"A"}))


def test_a_replacement_must_be_there_exactly_once() -> None:
    assert replaced("a = 1\nb = 2\n", [("a = 1", "a = 3", "")]) == "a = 3\nb = 2\n"
    for text in ("b = 2\n", "a = 1\na = 1\n"):
        with pytest.raises(CannotRewrite, match="not once"):
            replaced(text, [("a = 1", "a = 3", "")])
