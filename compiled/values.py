"""Value classes as a compiler wants them: text in, text out. Pure.

mypyc makes a class fast whose constructor it can see and whose attributes it lays out itself. So a dataclass gets the
`__init__` written out that `dataclass` would have made, `__slots__` go, and chosen named tuples become frozen dataclasses.
What such a text cannot say with the same meaning is refused.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence, Set

from compiled.constants import constants

_DATACLASS_KEEPS, _DATACLASS_DROPS = {"frozen"}, {"slots", "kw_only"}
_MYPYC_ATTR = "from mypy_extensions import mypyc_attr"
# A compiled object does not know by itself how it is copied or sent: it says so, and this makes it anew.
_ANY = "from typing import Any as _Any"
_FINAL = "from typing import Final as _Final"
_REBUILT = """

def _rebuilt(kind: _Any, values: dict[str, object]) -> object:
    return kind(**values)
"""
_EMPTY = {"list": "[]", "dict": "{}", "set": "set()"}


class CannotRewrite(ValueError):
    """The text has a class that could not be written out with the same meaning."""


def replaced(text: str, replacements: Sequence[tuple[str, str, str]]) -> str:
    """`text` with each (old, new, why) made. Raises CannotRewrite unless each old text is there exactly once."""
    for old, new, _ in replacements:
        count = text.count(old)
        if count != 1:
            raise CannotRewrite(f"this is there {count} times, not once: {old.strip()!r}")
        text = text.replace(old, new)
    return text


def rewritten(
    text: str, tuples: Set[str] = frozenset(), outside: Set[str] = frozenset(), inherited: Set[str] = frozenset(),
    loose: Set[str] = frozenset(),
) -> str:
    """`text` with its value classes written out, `tuples` as dataclasses, `outside` left to Python, `inherited` open to heirs,
    and parameters named in `loose` held to no annotation.

    Raises CannotRewrite for a class whose meaning would change, and where one is named that is not there.
    """
    tree, edits = ast.parse(text), _Edits(text)
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    absent = (tuples | outside | inherited) - {node.name for node in classes}
    if absent:
        raise CannotRewrite(f"there is no class {', '.join(sorted(absent))}")
    imports, written = _loosen(tree, edits, loose) | _finish(tree, edits), False
    for node in classes:
        if node.name in outside:
            edits.insert(edits.line_of(node), "@mypyc_attr(native_class=False)\n")
            imports.add(_MYPYC_ATTR)
            continue
        if node.name in inherited:
            edits.insert(edits.line_of(node), "@mypyc_attr(allow_interpreted_subclasses=True)\n")
            imports.add(_MYPYC_ATTR)
        for statement in node.body:
            if _is_slots(statement):
                edits.replace(statement, "pass" if len(node.body) == 1 else "")
        decorator = _dataclass_of(node)
        if decorator is not None:
            if node.name in inherited:
                raise CannotRewrite(f"{node.name} is inherited: its heirs' constructors build on its defaults")
            options = _options(node, decorator)
            kept = [f"{name}=True" for name, value in options.items() if value and name in _DATACLASS_KEEPS]
            edits.replace(decorator, f"dataclass({', '.join(['init=False', *kept])})")
            _write_out(node, edits, kw_only=options.get("kw_only", False))
            written = True
        elif node.name in tuples:
            if [ast.unparse(base) for base in node.bases] != ["NamedTuple"]:
                raise CannotRewrite(f"{node.name} is no named tuple")
            edits.replace(node.bases[0], "")
            edits.insert(edits.line_of(node), "@dataclass(init=False, frozen=True)\n")
            _write_out(node, edits, kw_only=False, named_tuple=True)
            imports.add("from dataclasses import dataclass")
            written = True
    if written:
        imports.add(_ANY)
    if imports:
        edits.insert(edits.end_of(_future(tree)), "".join(f"\n{line}" for line in sorted(imports)))
    return edits.done() + (_REBUILT if written else "")


def _loosen(tree: ast.Module, edits: _Edits, loose: Set[str]) -> set[str]:
    """Take the annotations of those parameters away; the import that this needs."""
    parameters = [node for node in ast.walk(tree) if isinstance(node, ast.arg) and node.arg in loose and node.annotation]
    absent = loose - {node.arg for node in parameters}
    if absent:
        raise CannotRewrite(f"there is no parameter {', '.join(sorted(absent))}")
    for node in parameters:
        assert node.annotation is not None
        edits.replace(node.annotation, "_Any")
    return {_ANY} if parameters else set()


def _finish(tree: ast.Module, edits: _Edits) -> set[str]:
    """Say of the module's constants that they are; the import that this needs."""
    found = constants(tree)
    for statement in found:
        if isinstance(statement, ast.Assign):
            edits.insert(edits.end_of(statement.targets[0]), ": _Final")
        else:
            edits.insert(edits.start_of(statement.annotation), "_Final[")
            edits.insert(edits.end_of(statement.annotation), "]")
    return {_FINAL} if found else set()


class _Edits:
    """Changes of places in a text, by bytes as the syntax tree counts them, made all at once at the end."""

    def __init__(self, text: str) -> None:
        self._text = text.encode()
        self._made: list[tuple[int, int, int, bytes]] = []
        self._starts = [0]
        for line in self._text.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def start_of(self, node: ast.expr | ast.stmt) -> int:
        return self._starts[node.lineno - 1] + node.col_offset

    def end_of(self, node: ast.expr | ast.stmt) -> int:
        assert node.end_lineno is not None, "a parsed node has an end"
        assert node.end_col_offset is not None, "a parsed node has an end"
        return self._starts[node.end_lineno - 1] + node.end_col_offset

    def line_of(self, node: ast.ClassDef) -> int:
        """Where the class begins, its decorators included."""
        return self._starts[min([node.lineno, *(each.lineno for each in node.decorator_list)]) - 1]

    def replace(self, node: ast.expr | ast.stmt, new: str) -> None:
        self.cut(self.start_of(node), self.end_of(node), new)

    def insert(self, at: int, new: str) -> None:
        self.cut(at, at, new)

    def cut(self, start: int, end: int, new: str) -> None:
        self._made.append((start, end, len(self._made), new.encode()))

    def done(self) -> str:
        out = self._text
        for start, end, _, new in sorted(self._made, reverse=True):
            out = out[:start] + new + out[end:]
        return out.decode()


def _write_out(node: ast.ClassDef, edits: _Edits, *, kw_only: bool, named_tuple: bool = False) -> None:
    """An `__init__` of the fields, and the `__reduce__` that goes with it."""
    if any(ast.unparse(base) != "NamedTuple" for base in node.bases):
        raise CannotRewrite(f"{node.name} derives from a class: its constructor would lack the fields of that")
    methods = {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
    if methods & {"__init__", "__new__", "__reduce__"}:
        raise CannotRewrite(f"{node.name} has a constructor of its own")
    fields = [
        each for each in node.body
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
        and "ClassVar" not in ast.unparse(each.annotation)
    ]
    if not fields:
        raise CannotRewrite(f"{node.name} has no fields")
    parameters, lines, names = [], [], []
    for each in fields:
        parameter, assigned = _field(node.name, each, edits)
        if parameter:
            parameters.append(parameter)
            lines.append(assigned)
            assert isinstance(each.target, ast.Name)
            names.append(each.target.id)
    if "__post_init__" in methods:
        lines.append("self.__post_init__()")
    star = ["*"] if kw_only and parameters else []
    given = ", ".join(f'"{name}": self.{name}' for name in names)
    edits.insert(edits.end_of(fields[-1]), "".join((
        f"\n\n    def __init__({', '.join(['self', *star, *parameters])}) -> None:\n",
        *(f"        {line}\n" for line in lines or ["pass"]),
        "\n    def __reduce__(self) -> tuple[object, ...]:\n",
        f"        return _rebuilt, ({node.name}, {{{given}}})\n",
        # What a named tuple can and its users use.
        *([
            f"\n    def _replace(self, **changes: _Any) -> {node.name}:\n"
            f"        values: dict[str, _Any] = {{{given}}}\n        values.update(changes)\n"
            f"        return {node.name}(**values)\n",
        ] if named_tuple else []),
    )))


def _field(owner: str, field: ast.AnnAssign, edits: _Edits) -> tuple[str, str]:
    """The field's parameter and the line that keeps it; both empty for one that `__post_init__` sets."""
    assert isinstance(field.target, ast.Name)
    name, annotation, value = field.target.id, ast.unparse(field.annotation), field.value
    if value is None:
        return f"{name}: {annotation}", f"self.{name} = {name}"
    if not (isinstance(value, ast.Call) and ast.unparse(value.func) == "field"):
        edits.cut(edits.end_of(field.annotation), edits.end_of(field), "")
        return f"{name}: {annotation} = {ast.unparse(value)}", f"self.{name} = {name}"
    options = {each.arg: each.value for each in value.keywords}
    if ast.unparse(options.get("init", ast.Constant(True))) == "False" and not set(options) - {"init", "compare", "repr"}:
        # What it leaves out of comparisons stays said; nothing else gives it a value before `__post_init__`.
        return "", ""
    if set(options) != {"default_factory"} or "None" in annotation:
        allowed = "only default_factory, for what is never None, or init=False"
        raise CannotRewrite(f"{owner}.{name} = {ast.unparse(value)}: {allowed}")
    edits.cut(edits.end_of(field.annotation), edits.end_of(field), "")
    factory = ast.unparse(options["default_factory"])
    made = _EMPTY.get(factory, f"({factory})()")
    return f"{name}: {annotation} | None = None", f"self.{name} = {made} if {name} is None else {name}"


def _dataclass_of(node: ast.ClassDef) -> ast.expr | None:
    for decorator in node.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if isinstance(called, ast.Name) and called.id == "dataclass":
            return decorator
    return None


def _options(node: ast.ClassDef, decorator: ast.expr) -> dict[str, bool]:
    found = {}
    for each in decorator.keywords if isinstance(decorator, ast.Call) else []:
        if each.arg not in _DATACLASS_KEEPS | _DATACLASS_DROPS or not isinstance(each.value, ast.Constant):
            raise CannotRewrite(f"{node.name}: no rule for dataclass({ast.unparse(each)})")
        found[each.arg] = bool(each.value.value)
    return found


def _is_slots(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Assign) and any(
        isinstance(target, ast.Name) and target.id == "__slots__" for target in statement.targets
    )


def _future(tree: ast.Module) -> ast.stmt:
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
            return statement
    raise CannotRewrite("it does not begin with `from __future__ import annotations`")
