"""What is told to the compiler as a constant: names of one value that is no type; and the text means the same to Python."""

from __future__ import annotations

import ast

import pytest

from compiled.constants import constants
from compiled.values import rewritten
from tests.compiled.test_values import HEAD, executed


def named(text: str) -> list[str]:
    return [ast.unparse(each.target if isinstance(each, ast.AnnAssign) else each.targets[0]) for each in constants(ast.parse(text))]


@pytest.mark.parametrize(
    "line",
    [
        "LIMIT = 5", "SPAN = timedelta(days=1)", "_epoch = datetime(1970, 1, 1)", "_add = CONTEXT.add", "NAMES = ('a', 'b')",
        "DAYS = 2 * 24", "_known: dict[int, str] = {}", "NEGATIVE = -1", "_MADE = [0]", "TEXT = f'{1}'",
    ],
)
def test_a_name_of_one_value_is_a_constant(line: str) -> None:
    assert len(named(line)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "T = TypeVar('T')", "N = NewType('N', int)", "ALIAS = dict[str, int]", "NUMBER = int | None", "OTHER = Something",
        "Made = f(1)", "found = 1", "__all__ = ['a']", "A = B = 1", "A: Final = 1", "A: int",
        "A = 1\nA = 2", "A = 1\nif x:\n    A = 2", "A = 1\ndef f():\n    global A\n    A = 2",
        "A = 1\nfor A in range(3):\n    pass", "A = 1\nA += 1", "A, B = 1, 2", "def f():\n    A = 1",
    ],
)
def test_a_type_or_a_name_that_is_bound_again_is_none(text: str) -> None:
    assert named(text) == []


def test_a_local_of_the_same_name_makes_no_difference() -> None:
    assert named("A = 1\ndef f():\n    A = 2\n    return A\n") == ["A"]


def test_the_text_with_them_gives_the_same_values() -> None:
    text = HEAD + 'LIMIT = 5\n_known: dict[str, int] = {"a": LIMIT}\n\n\ndef f() -> int:\n    return LIMIT + _known["a"]\n'
    made = rewritten(text)
    assert "LIMIT: _Final = 5" in made
    assert "_known: _Final[dict[str, int]] = {" in made
    module = executed(made, "rewritten_constants")
    assert (module.f(), module.LIMIT) == (10, 5)
