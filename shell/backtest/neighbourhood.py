"""One step away: the settings next to a strategy's own in its declared parameters.

A real edge does not hang on one number. Where the settings beside the chosen one lose what it earns, the number was fitted.
"""

from __future__ import annotations

from shell.backtest.parameters import DECIMALS, Number, Parameter, declared_parameters


def one_step_neighbours(code: str) -> tuple[dict[str, Number], ...]:
    """For every declared parameter its value one step lower and one step higher, where the declared range holds it; each
    names only what differs. None for code that declares no parameters, or none that can vary."""
    return tuple(
        {parameter.name: value} for parameter in declared_parameters(code) for value in _beside(parameter)
    )


def _beside(parameter: Parameter) -> tuple[Number, ...]:
    near = [_exact(parameter, parameter.value + step) for step in (-parameter.step, parameter.step)]
    return tuple(value for value in near if parameter.low <= value <= parameter.high and value != parameter.value)


def _exact(parameter: Parameter, value: Number) -> Number:
    return round(value) if parameter.whole else round(float(value), DECIMALS)
