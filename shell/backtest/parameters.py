"""The parameters a strategy declares, read from its source and written back into it, nothing else touched.

Convention: a module-level literal `PARAMETERS = {"fast": (5, 50, 1, 12), ...}` of (low, high, step, value). A tweak
changes only the fourth numbers, in place, so that the rest of the file stays as its author wrote it, to the byte.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

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


class Place(NamedTuple):
    """Where something stands in a source: a line (from 0) and its byte columns."""

    line: int
    begin: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A piece of source and the text to put there instead."""

    place: Place
    text: str


def declared_parameters(code: str) -> tuple[Parameter, ...]:
    """The parameters declared in `code`, in order; none when it declares none, or not as the convention says."""
    return tuple(parameter for parameter, _ in _declarations(code))


def with_values(code: str, values: Mapping[str, Number]) -> str:
    """`code` with the values of the named parameters replaced. Raises KeyError for a name that is not declared."""
    specs = {parameter.name: (parameter, spec) for parameter, spec in _declarations(code)}
    chosen = ((*specs[name], value) for name, value in values.items())
    return edited(
        code, [Edit(place=_place(spec.elts[3]), text=spelled(value, known.whole)) for known, spec, value in chosen]
    )


def with_bounds_moved(code: str) -> str:
    """`code` with other bounds and steps, and the same values: each range a step wider on either side, each step one more for a
    whole number, and a twentieth more for any other."""
    edits = []
    for parameter, spec in _declarations(code):
        step = parameter.step
        wider = (parameter.low - step, parameter.high + step, step + 1 if parameter.whole else step * 1.05)
        edits += [
            Edit(place=_place(node), text=spelled(value, parameter.whole))
            for node, value in zip(spec.elts[:3], wider, strict=True)
        ]
    return edited(code, edits)


def declared_places(code: str) -> frozenset[tuple[int, int]]:
    """Line (from 1) and byte column of every declared parameter's tuple."""
    return frozenset((spec.lineno, spec.col_offset) for _, spec in _declarations(code))


def edited(code: str, edits: Sequence[Edit]) -> str:
    """`code` with every edit made, none of which may overlap another."""
    lines = code.splitlines(keepends=True)
    for edit in sorted(edits, key=lambda each: each.place, reverse=True):
        line, begin, end = edit.place
        raw = lines[line].encode()
        lines[line] = (raw[:begin] + edit.text.encode() + raw[end:]).decode()
    return "".join(lines)


def spelled(value: Number, whole: bool) -> str:
    """`value` as source text: no 0.30000000000000004 from adding steps up."""
    return str(round(value)) if whole else repr(round(float(value), DECIMALS))


def _declarations(code: str) -> list[tuple[Parameter, ast.Tuple]]:
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
        if any(element.end_lineno != element.lineno for element in spec.elts):
            continue
        found.append((Parameter(name=key.value, low=low, high=high, step=step, value=value), spec))
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


def _place(node: ast.expr) -> Place:
    assert node.end_col_offset is not None, "parsed from text, so it has an end"
    return Place(line=node.lineno - 1, begin=node.col_offset, end=node.end_col_offset)


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
