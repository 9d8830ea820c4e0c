"""One step away in each declared parameter, within its range; and placebos, which fluctuate and gain nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.backtest.neighbourhood import BOUNDS, one_step_neighbours
from shell.backtest.parameters import declared_parameters
from shell.backtest.placebo import placebos
from shell.errors import BadInput
from shell.host.port import StrategySource

CODE = 'PARAMETERS = {"fast": (5, 50, 1, 12), "part": (0.1, 0.3, 0.1, 0.3), "still": (1, 1, 1, 1)}\n'


def beside(code: str) -> list[dict[str, float]]:
    """What one step away is called, but for the bounds."""
    found = [dict(each.values) for each in one_step_neighbours(StrategySource(code=code))]
    return [values for values in found if BOUNDS not in values]


def test_one_step_to_either_side_where_the_range_holds_it() -> None:
    assert beside(CODE) == [{"fast": 11}, {"fast": 13}, {"part": 0.2}]
    assert one_step_neighbours(StrategySource(code="x = 1\n")) == ()


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("(1, 100, 1, 50)", [47, 53]),
        ("(0.0, 2.0, 0.0001, 0.4)", [0.38, 0.42]),
        ("(-5.0, 5.0, 0.001, 0.0)", [-0.25, 0.25]),
        # A range that holds no step hides a number that was fitted to the last digit.
        ("(0.3999, 0.4001, 0.0001, 0.4)", [0.38, 0.42]),
        ("(24, 24, 1, 24)", [22, 26]),
        ("(1, 1, 1, 1)", []),
    ],
)
def test_a_tiny_step_or_a_narrow_range_is_no_way_past(declared: str, expected: list[float]) -> None:
    assert [values["n"] for values in beside(f'PARAMETERS = {{"n": {declared}}}\n')] == pytest.approx(expected)


@given(st.integers(0, 20), st.integers(1, 7), st.integers(0, 20))
def test_neighbours_are_declared_values_one_step_off(low: int, step: int, offset: int) -> None:
    value = low + offset
    code = f'PARAMETERS = {{"n": ({low}, {low + 20}, {step}, {value})}}\n'
    for each in one_step_neighbours(StrategySource(code=code)):
        (moved,) = declared_parameters(each.source.code)
        if BOUNDS in each.values:
            assert (moved.value, moved.low, moved.high, moved.step) == (value, low - step, low + 20 + step, step + 1)
            continue
        assert abs(moved.value - value) == max(step, math.ceil(0.05 * value) if value else 1)
        assert low <= moved.value <= low + 20


def test_placebos_have_the_fluctuations_and_only_luck_for_a_gain() -> None:
    returns = np.random.default_rng(1).standard_normal(84) / 100 + 0.01
    made = placebos(returns, 400, block=5.0, seed=2)
    centred = returns - returns.mean()
    assert made.shape == (84, 400)
    assert set(made.ravel()) <= set(centred)
    assert float(made.mean()) == pytest.approx(0.0, abs=2e-4)
    assert float(made.std()) == pytest.approx(float(returns.std()), rel=0.02)
    assert (made == placebos(returns, 400, block=5.0, seed=2)).all()
    assert not (made == placebos(returns, 400, block=5.0, seed=3)).all()


def test_placebos_keep_days_together_as_long_as_their_blocks() -> None:
    returns = np.arange(100.0)
    made = placebos(returns, 300, block=5.0, seed=1)
    steps = np.diff(made, axis=0)
    assert float(np.isclose(np.mod(steps, 100), 1).mean()) == pytest.approx(0.8, abs=0.02)


def test_no_placebos_are_asked_of_nothing() -> None:
    assert placebos(np.zeros(5), 0, block=1, seed=1).shape == (5, 0)
    for count, block, returns in ((-1, 5.0, np.zeros(5)), (2, 0.5, np.zeros(5)), (2, 5.0, np.zeros(1))):
        with pytest.raises(BadInput):
            placebos(returns, count, block=block, seed=1)
