"""One step away: a strategy with one of its numbers a little lower, and a little higher.

A real edge does not hang on one number. Where what stands beside the chosen one loses what it earns, the number was fitted,
whether it is declared as a parameter or not. A declared step may be too small to show anything, and a declared range too narrow
to hold a step: a number is moved by `MOVE_MIN` of its size at least, and out of a range that holds no such move at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shell.backtest.parameters import DECIMALS, Number, Parameter, declared_parameters, with_bounds_moved
from shell.backtest.search import with_settings
from shell.backtest.undeclared import STRUCTURAL, moved, step_of, undeclared_numbers
from shell.host.port import StrategySource

# Low, high and step of every parameter at once. No honest strategy reads them, and for such a one this is the same run.
BOUNDS = "bounds and steps of PARAMETERS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """One neighbour: `values` names the number and what it is there, the only difference of `source`."""

    values: Mapping[str, Number]
    source: StrategySource


def one_step_neighbours(source: StrategySource) -> tuple[Beside, ...]:
    """Every neighbour of a strategy: of its declared parameters, of their bounds, of its undeclared numbers. Declared steps are
    taken where they are large enough, and within the range where that holds a step."""
    return (*_declared(source), *_bounds(source), *_undeclared(source))


def _declared(source: StrategySource) -> Iterator[Beside]:
    for parameter in declared_parameters(source.code):
        for value in _values_beside(parameter):
            values = {parameter.name: value}
            yield Beside(values=values, source=with_settings(source, values))


def _bounds(source: StrategySource) -> Iterator[Beside]:
    if declared_parameters(source.code):
        changed = StrategySource(
            code=with_bounds_moved(source.code), skills=source.skills, origin=source.origin
        )
        yield Beside(values={BOUNDS: 1}, source=changed)


def _undeclared(source: StrategySource) -> Iterator[Beside]:
    for number in undeclared_numbers(source):
        for value, changed in moved(source, number):
            yield Beside(values={number.name: value}, source=changed)


def _values_beside(parameter: Parameter) -> tuple[Number, ...]:
    value = parameter.value
    least = step_of(round(value) if parameter.whole else float(value), max(abs(parameter.low), abs(parameter.high)))
    step = max(parameter.step, least)
    near = [_exact(parameter, value + by) for by in (-step, step)]
    within = tuple(each for each in near if parameter.low <= each <= parameter.high and each != value)
    if within:
        return within
    # The range holds no step at all: a number that may not be another one is a number in the code by another name.
    return () if abs(value) in STRUCTURAL else tuple(near)


def _exact(parameter: Parameter, value: Number) -> Number:
    return round(value) if parameter.whole else round(float(value), DECIMALS)
