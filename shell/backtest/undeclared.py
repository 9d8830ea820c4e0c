"""Numbers in a strategy's text that are no declared parameters: each is a parameter all the same, and may have been fitted.

Counted and moved are constants that a rule could hang on: a bare number, a sum or product of numbers taken as one, a text that
is a number, a bound of a slice, a lag (`closes[-5]`). Left out is what shapes code rather than a rule: counts up to two, one
half, percent, units of time, places in a tuple, the scan interval, which takes few values. In a table (a literal of more than
`TABLE_MIN` constants) everything counts, and so does every number in a text of several: neither can be moved one by one, so
what stands there is told by its count alone.

A wall this is not. Whoever builds 0.37 out of ones and twos gets past it; the other checks of the gate do not ask how.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from shell.backtest.parameters import Edit, Number, Place, declared_places, edited
from shell.host.port import StrategySource
from shell.syntax import parse_source

# Percent, and units of time in one another, with what loops and tuples are made of.
STRUCTURAL = frozenset({0, 1, 2, 0.5, 60, 100, 1000, 1440, 3600, 86_400, 3_600_000, 86_400_000})
# The dimensionless least amount by which a number is moved, of its own size.
MOVE_MIN = 0.05
# Constants of a literal from which on it is a table.
TABLE_MIN = 5
# Numbers in one text from which on it is a table as well.
TEXT_NUMBERS_MIN = 3
INDEX_MAX = 9
_NUMBER_IN_TEXT = re.compile(r"\d+(?:\.\d+)?")
_OPERATIONS: Mapping[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//"}
# No fitted number is larger; folding stops short of what would take time.
_LARGEST = 1e15


@dataclass(frozen=True, slots=True, kw_only=True)
class Undeclared:
    """One number. `file` is "" for the strategy itself, else the skill's name; `place` is None for what cannot be moved."""

    file: str
    line: int
    value: Number
    place: Place | None = None
    quoted: bool = False

    @property
    def name(self) -> str:
        """Where it stands, for people: unlike any parameter's name."""
        where = f"{self.file}.py line {self.line}" if self.file else f"line {self.line}"
        return f"{where}, column {self.place.begin + 1 if self.place else 0}: {self.value:g}"


def undeclared_numbers(source: StrategySource) -> tuple[Undeclared, ...]:
    """Every undeclared number of the strategy and its skills, in the order of the text. None for what does not parse."""
    found: list[Undeclared] = []
    for file, text in (("", source.code), *sorted(source.skills.items())):
        try:
            tree = parse_source(text)
        except (SyntaxError, ValueError, RecursionError):
            continue
        # A library's own declarations declare nothing: parameters are the strategy's.
        declared = declared_places(text) if not file else frozenset()
        found += sorted(_Finder(file, text, declared).found(tree), key=lambda each: (each.line, each.place or (0, 0, 0)))
    return tuple(found)


def moved(source: StrategySource, number: Undeclared) -> tuple[tuple[Number, StrategySource], ...]:
    """The strategy with this number a little lower and a little higher; nothing for one that cannot be moved."""
    if number.place is None:
        return ()
    step = step_of(number.value)
    changed = []
    for exact in (number.value - step, number.value + step):
        value = exact if isinstance(exact, int) else float(f"{exact:.12g}")
        text = repr(value)
        edit = Edit(place=number.place, text=repr(text) if number.quoted else f"({text})" if value < 0 else text)
        if number.file:
            skills = {**source.skills, number.file: edited(source.skills[number.file], [edit])}
            changed.append((value, replace(source, skills=skills)))
        else:
            changed.append((value, replace(source, code=edited(source.code, [edit]))))
    return tuple(changed)


def step_of(value: Number, scale: float = 0.0) -> Number:
    """The least move of a number of this size: `MOVE_MIN` of it, whole and at least 1 for a whole one. `scale` stands in for
    the size of a zero."""
    least = MOVE_MIN * (abs(value) or scale)
    return max(1, math.ceil(least)) if isinstance(value, int) else least or MOVE_MIN


class _Finder:
    """Walks one file."""

    def __init__(self, file: str, text: str, declared: frozenset[tuple[int, int]]) -> None:
        self._file = file
        self._declared = declared
        self._docstrings: set[int] = set()

    def found(self, tree: ast.Module) -> Iterator[Undeclared]:
        for node in ast.walk(tree):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
                self._docstrings.add(id(node.value))
        yield from self._walk(tree, table=False)

    def _walk(self, node: ast.AST, *, table: bool) -> Iterator[Undeclared]:
        declared = isinstance(node, ast.Tuple) and (node.lineno, node.col_offset) in self._declared
        if isinstance(node, ast.JoinedStr) or declared:
            # Text for people; and a declared parameter's own numbers.
            return
        if isinstance(node, ast.expr):
            value = folded(node)
            if value is not None:
                yield from self._number(node, value, table=table)
                return
        match node:
            case ast.Constant():
                yield from self._text(node)
            case ast.Assign(targets=[ast.Name(id="scan_interval_minutes")]) | ast.AnnAssign(
                target=ast.Name(id="scan_interval_minutes")
            ):
                return
            case ast.Subscript(slice=index) if _is_place(index):
                yield from self._walk(node.value, table=table)
            case ast.Tuple() | ast.List() | ast.Set() | ast.Dict():
                big = _constants(node) >= TABLE_MIN
                for child in ast.iter_child_nodes(node):
                    yield from self._walk(child, table=table or big)
            case _:
                for child in ast.iter_child_nodes(node):
                    yield from self._walk(child, table=table)

    def _number(self, node: ast.expr, value: Number, *, table: bool) -> Iterator[Undeclared]:
        if table:
            yield Undeclared(file=self._file, line=node.lineno, value=value)
        elif abs(value) not in STRUCTURAL and node.end_lineno == node.lineno and node.end_col_offset is not None:
            place = Place(line=node.lineno - 1, begin=node.col_offset, end=node.end_col_offset)
            yield Undeclared(file=self._file, line=node.lineno, value=value, place=place)

    def _text(self, node: ast.Constant) -> Iterator[Undeclared]:
        if isinstance(node.value, bytes):
            yield from (Undeclared(file=self._file, line=node.lineno, value=byte) for byte in node.value)
        elif isinstance(node.value, str) and id(node) not in self._docstrings:
            whole = _as_number(node.value)
            if whole is not None and node.end_lineno == node.lineno and node.end_col_offset is not None:
                place = Place(line=node.lineno - 1, begin=node.col_offset, end=node.end_col_offset)
                yield Undeclared(file=self._file, line=node.lineno, value=whole, place=place, quoted=True)
            elif len(numbers := _NUMBER_IN_TEXT.findall(node.value)) >= TEXT_NUMBERS_MIN:
                yield from (Undeclared(file=self._file, line=node.lineno, value=float(each)) for each in numbers)


def folded(node: ast.expr) -> Number | None:
    """The value of an expression of numbers alone, such as `7 * 24`; None for any other."""
    match node:
        case ast.Constant(value=bool()):
            return None
        case ast.Constant(value=int() | float() as value):
            return value if math.isfinite(value) and abs(value) < _LARGEST else None
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
            inner = folded(operand)
            return None if inner is None else -inner if isinstance(sign, ast.USub) else inner
        case ast.BinOp(left=left, op=operation, right=right) if type(operation) in _OPERATIONS:
            one, other = folded(left), folded(right)
            return None if one is None or other is None else _computed(one, _OPERATIONS[type(operation)], other)
        case _:
            return None


def _computed(one: Number, operation: str, other: Number) -> Number | None:
    if operation in ("/", "//") and other == 0:
        return None
    match operation:
        case "+":
            value = one + other
        case "-":
            value = one - other
        case "*":
            value = one * other
        case "/":
            value = one / other
        case _:
            value = one // other
    return value if math.isfinite(value) and abs(value) < _LARGEST else None


def _is_place(index: ast.expr) -> bool:
    """A place in a tuple or a list, counted from either end: no lag, since the newest alone is counted from the back."""
    value = folded(index)
    return isinstance(value, int) and -1 <= value <= INDEX_MAX


def _constants(node: ast.AST) -> int:
    """How many constants other than texts a literal holds, however deep."""
    return sum(isinstance(each, ast.Constant) and not isinstance(each.value, str) for each in ast.walk(node))


def _as_number(text: str) -> Number | None:
    try:
        value = float(text)
    except ValueError:
        return None
    if not math.isfinite(value) or abs(value) >= _LARGEST:
        return None
    return int(value) if text.strip().lstrip("+-").isdigit() else value
