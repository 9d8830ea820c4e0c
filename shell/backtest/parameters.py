"""The parameters a strategy declares, read from its source and written back into it, nothing else touched.

Convention: a module-level literal `PARAMETERS = {"fast": (5, 50, 1, 12), ...}` of (low, high, step, value). A tweak
changes only the fourth numbers, in place, so that the rest of the file stays as its author wrote it, to the byte.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass

from shell.syntax import parse_source

Number = int | float
DECIMALS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One declared parameter: it may take low, low + step, ... up to high."""

    name: str
    low: Number
    high: Number
    step: Number
    value: Number

    @property
    def whole(self) -> bool:
        """True when only whole numbers are allowed."""
        return all(isinstance(number, int) for number in (self.low, self.high, self.step))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a value stands in the source: a line (from 0) and its byte columns."""

    line: int
    begin: int
    end: int


def declared_parameters(code: str) -> tuple[Parameter, ...]:
    """The parameters declared in `code`, in order; none when it declares none, or not as the convention says."""
    return tuple(parameter for parameter, _ in _declarations(code))


def with_values(code: str, values: Mapping[str, Number]) -> str:
    """`code` with the values of the named parameters replaced. Raises KeyError for a name that is not declared."""
    places = {parameter.name: (parameter, place) for parameter, place in _declarations(code)}
    lines = code.splitlines(keepends=True)
    chosen = sorted(
        ((places[name][1], spelled(value, places[name][0].whole)) for name, value in values.items()),
        key=lambda pair: (pair[0].line, pair[0].begin), reverse=True,
    )
    for place, text in chosen:
        raw = lines[place.line].encode()
        lines[place.line] = (raw[: place.begin] + text.encode() + raw[place.end :]).decode()
    return "".join(lines)


def spelled(value: Number, whole: bool) -> str:
    """`value` as source text: no 0.30000000000000004 from adding steps up."""
    return str(round(value)) if whole else repr(round(float(value), DECIMALS))


def _declarations(code: str) -> list[tuple[Parameter, _Place]]:
    literal = _parameters_literal(code)
    if literal is None:
        return []
    found = []
    for key, spec in zip(literal.keys, literal.values, strict=True):
        if not (isinstance(key, ast.Constant) and isinstance(key.value, str)):
            continue
        if not (isinstance(spec, ast.Tuple) and len(spec.elts) == 4):
            continue
        numbers = [_number(element) for element in spec.elts]
        low, high, step, value = numbers
        if low is None or high is None or step is None or value is None or step <= 0 or high < low:
            continue
        node = spec.elts[3]
        if node.end_lineno != node.lineno or node.end_col_offset is None:
            continue
        place = _Place(line=node.lineno - 1, begin=node.col_offset, end=node.end_col_offset)
        found.append((Parameter(name=key.value, low=low, high=high, step=step, value=value), place))
    return found


def _parameters_literal(code: str) -> ast.Dict | None:
    for statement in parse_source(code).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="PARAMETERS")], value=ast.Dict() as literal):
                return literal
            case ast.AnnAssign(target=ast.Name(id="PARAMETERS"), value=ast.Dict() as literal):
                return literal
            case _:
                continue
    return None


def _number(node: ast.expr) -> Number | None:
    match node:
        case ast.Constant(value=bool()):
            return None
        case ast.Constant(value=int() | float() as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case _:
            return None
