"""Numbers that are no declared parameters: found wherever a rule could hang on them, moved, and told by their count."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.backtest.undeclared import TABLE_MIN, moved, undeclared_numbers
from shell.config import GateConfig
from shell.host.port import StrategySource
from shell.promotion.workspace import Workspace
from tests.tasks.sources import rule


def values(code: str, **skills: str) -> list[float]:
    return [each.value for each in undeclared_numbers(StrategySource(code=code, skills=skills))]


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("x = 0.37\n", [0.37]),
        ("x = -0.37\n", [-0.37]),
        ("x = 7 * 24 + 1\n", [169]),
        ("x = y > 3 and z < 41.5\n", [3, 41.5]),
        ("def f(n=14):\n    return n\n", [14]),
        ("x = closes[-20:]\n", [-20]),
        ("x = closes[-5]\n", [-5]),
        ("x = closes[-1] / spec[3]\n", []),
        ("x = (a + b) / 2 * 100 + 0.5 - 1\n", []),
        ("x = hour * 3600 + 60\n", []),
        ('x = float("0.37")\n', [0.37]),
        ('x = "1h"\n"2.5 is said here"\n', []),
        ('def f():\n    """Of 3, 4 and 5."""\n', []),
        ('x = f"{y:.3f} of 17"\n', []),
        ("class Strategy:\n    scan_interval_minutes = 15\n    other = 15\n", [15]),
        ('PARAMETERS = {"fast": (5, 50, 3, 12)}\n', []),
        ('PARAMETERS = {"fast": (5, 50, 3, 12), "odd": (3, 4), "bad": (5, 50, -3, 12)}\n', [3, 4, 5, 50, -3, 12]),
        ("x = [1, 0, 1, 1, 0, 1]\n", [1, 0, 1, 1, 0, 1]),
        ("x = {1: 0, 2: 1, 7: 1}\n", [1, 0, 2, 1, 7, 1]),
        ('x = "17,19,23,41"\n', [17, 19, 23, 41]),
        ('x = b"\\x07\\x09"\n', [7, 9]),
        ("x = True\nx = None\nx = 1e300\n", []),
        ("x = 1 / 0\n", []),
        ("x = (\n", []),
    ],
)
def test_what_a_rule_could_hang_on_counts(code: str, found: list[float]) -> None:
    assert sorted(values(code)) == sorted(found)


def test_skills_count_as_well_and_say_where() -> None:
    source = StrategySource(code="x = 3\n", skills={"trend": "\ny = 0.7\n"})
    assert [each.name for each in undeclared_numbers(source)] == ["line 1, column 5: 3", "trend.py line 2, column 5: 0.7"]
    low, high = moved(source, undeclared_numbers(source)[1])
    assert (low[0], high[0]) == (0.665, 0.735)
    assert (low[1].code, low[1].skills["trend"], high[1].skills["trend"]) == ("x = 3\n", "\ny = 0.665\n", "\ny = 0.735\n")


@pytest.mark.parametrize(
    ("code", "beside"),
    [
        ("x = 41 # ö\n", ["x = 38 # ö\n", "x = 44 # ö\n"]),
        ("x = 7 * 24\n", ["x = 159\n", "x = 177\n"]),
        ("x = y ** -4.0\n", ["x = y ** (-4.2)\n", "x = y ** (-3.8)\n"]),
        ('ö = "0.4"\n', ["ö = '0.38'\n", "ö = '0.42'\n"]),
        ("x = [3, 4, 5, 6, 7]\n", []),
    ],
)
def test_a_number_is_moved_in_its_place_and_a_table_is_not(code: str, beside: list[str]) -> None:
    source = StrategySource(code=code)
    assert [changed.code for number in undeclared_numbers(source) for _, changed in moved(source, number)] == beside


@given(st.one_of(st.integers(3, 10**9), st.floats(1e-6, 1e9).filter(lambda value: value not in (0.5, 1.0, 2.0))), st.booleans())
def test_a_moved_number_is_off_by_its_step_and_the_rest_stays(value: float, negative: bool) -> None:
    written = -value if negative else value
    source = StrategySource(code=f"a = 'x'; b = f({written!r}, c)\n")
    for number in undeclared_numbers(source):
        for told, changed in moved(source, number):
            call = ast.parse(changed.code).body[1]
            assert isinstance(call, ast.Assign) and isinstance(call.value, ast.Call)
            assert ast.literal_eval(call.value.args[0]) == told
            assert abs(told - written) == pytest.approx(max(0.05 * value, 1 if isinstance(value, int) else 0), rel=0.3)


def test_honest_strategies_stay_below_what_is_allowed(project: Path) -> None:
    active = Workspace(project / "strategy").active()
    for source in (active, rule(), rule(term_1="breakout", exit="trail", channel=48, trail_ranges=4.0)):
        assert 0 < len(undeclared_numbers(source)) <= GateConfig().undeclared_numbers_max / 2


def test_a_table_of_good_days_is_above_it() -> None:
    days = ", ".join(str(day) for day in range(3, 90, 4))
    assert len(values(f"GOOD_DAYS = ({days})\n")) > max(GateConfig().undeclared_numbers_max, TABLE_MIN)
