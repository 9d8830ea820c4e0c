import pytest

from shell.host.port import StrategySource
from shell.trials.candidate import ChangeClass
from shell.trials.change import classify_change, same_program
from tests.tasks.sources import rule

BASE = '''"""Doc."""
import math
PARAMETERS = {"fast": (5, 50, 1, 12)}
class Strategy:
    def analyze(self, markets, portfolio, timestamp):
        """What it does."""
        return [] if math.pi > 3 else [1]
'''
SKILL = {"trend": "def slope(a, b):\n    return a - b\n"}


@pytest.mark.parametrize(
    ("code", "skills", "expected"),
    [
        (BASE.replace("12", "13"), SKILL, ChangeClass.TWEAK),
        (BASE.replace("> 3", "> -3.5"), SKILL, ChangeClass.TWEAK),
        (BASE.replace("Doc.", "Another text.") + "# remark\n", SKILL, ChangeClass.TWEAK),
        (BASE, {"trend": SKILL["trend"].replace("a - b", "2 * (a - b)")}, ChangeClass.RESTRUCTURE),
        (BASE.replace("> 3", "< 3"), SKILL, ChangeClass.RESTRUCTURE),
        (BASE.replace('"fast"', '"slow"'), SKILL, ChangeClass.RESTRUCTURE),
        (BASE.replace("> 3", "> True"), SKILL, ChangeClass.RESTRUCTURE),
        (BASE.replace("import math", "import statistics as math"), SKILL, ChangeClass.OVERHAUL),
        (BASE + "    def extra(self):\n        return 1\n", SKILL, ChangeClass.OVERHAUL),
        (BASE.replace("portfolio, ", ""), SKILL, ChangeClass.OVERHAUL),
        (BASE, {**SKILL, "more": "x = 1\n"}, ChangeClass.OVERHAUL),
        (BASE, {}, ChangeClass.OVERHAUL),
    ],
)
def test_the_class_follows_from_the_difference(code: str, skills: dict[str, str], expected: ChangeClass) -> None:
    before, after = StrategySource(code=BASE, skills=SKILL), StrategySource(code=code, skills=skills)
    assert classify_change(before, after) is expected
    assert classify_change(after, before) is expected


def test_layout_and_comments_are_no_change() -> None:
    again = StrategySource(code=BASE.replace("return []", "return  []") + "\n# done\n", skills=SKILL)
    before = StrategySource(code=BASE, skills=SKILL)
    assert same_program(before, again)
    assert not same_program(before, StrategySource(code=BASE.replace("12", "13"), skills=SKILL))


def test_rules_of_the_grammar_with_other_terms_are_more_than_a_tweak() -> None:
    assert classify_change(rule(), rule(fast=10)) is ChangeClass.TWEAK
    assert classify_change(rule(), rule(term_2="breakout", channel=24)) is ChangeClass.OVERHAUL
