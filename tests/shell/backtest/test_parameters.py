import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.backtest.parameters import declared_parameters, with_values

CODE = '''"""Größe → äußerst."""  # bytes and characters differ on this line
PARAMETERS = {
    "fast": (5, 50, 1, 12),  # a remark stays
    "größe": (0.01, 0.1, 0.005, 0.05), "below": (-3.0, -1.0, 0.5, -2.0),
}
VALUE = {name: spec[3] for name, spec in PARAMETERS.items()}
'''


def test_declared_parameters_come_in_order_with_their_kind() -> None:
    fast, size, below = declared_parameters(CODE)
    assert (fast.name, fast.low, fast.high, fast.step, fast.value, fast.whole) == ("fast", 5, 50, 1, 12, True)
    assert (size.name, size.whole, below.value) == ("größe", False, -2.0)


def test_only_the_named_values_change() -> None:
    changed = with_values(CODE, {"größe": 0.1 + 0.2, "below": -1.5, "fast": 9})
    assert changed == CODE.replace(", 12)", ", 9)").replace("0.05),", "0.3),").replace("-2.0)", "-1.5)")
    assert with_values(CODE, {}) == CODE


@pytest.mark.parametrize(
    "code",
    ["", "x = 1\n", "PARAMETERS = dict(fast=(1, 2, 1, 1))\n", 'PARAMETERS = {"a": (1, 2, 1), "b": (1, 2, 0, 1)}\n',
     'PARAMETERS = {"a": (True, 2, 1, 1), 3: (1, 2, 1, 1), "c": (2, 1, 1, 1)}\n'],
)
def test_what_does_not_follow_the_convention_declares_nothing(code: str) -> None:
    assert declared_parameters(code) == ()


def test_an_undeclared_name_is_an_error() -> None:
    with pytest.raises(KeyError):
        with_values(CODE, {"slow": 3})


@given(fast=st.integers(5, 50), size=st.floats(0.01, 0.1), below=st.floats(-3, -1))
def test_what_is_written_is_read_back(fast: int, size: float, below: float) -> None:
    found = {each.name: each.value for each in declared_parameters(
        with_values(CODE, {"fast": fast, "größe": size, "below": below})
    )}
    assert found["fast"] == fast
    assert found["größe"] == pytest.approx(size, abs=1e-9)
    assert found["below"] == pytest.approx(below, abs=1e-9)
