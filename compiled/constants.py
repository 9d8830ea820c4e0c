"""The constants of a module: names that it gives one value, once. Told that they are final, a compiler looks nothing up."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator

# Calls whose value is a type, or a part of one, which mypy must go on seeing as such.
_KINDS = frozenset({"TypeVar", "ParamSpec", "NewType", "NamedTuple", "namedtuple", "cast"})


def constants(tree: ast.Module) -> list[ast.Assign | ast.AnnAssign]:
    """The statements at the top of a module that name a constant: in capitals, or private in small letters, of a value that is
    no type. A name that is bound a second time, anywhere in the module, is none."""
    bound = Counter(_bound(tree))
    return [
        statement for statement in tree.body
        if isinstance(statement, ast.Assign | ast.AnnAssign) and (name := _name_of(statement)) and bound[name] == 1
        and (name.isupper() or (name.startswith("_") and name.islower())) and not name.startswith("__")
        and _is_value(statement.value)
    ]


def _name_of(statement: ast.Assign | ast.AnnAssign) -> str:
    """The one name that is given a value; empty for all else, and for what says already that it is final."""
    if isinstance(statement, ast.AnnAssign):
        if "Final" in ast.unparse(statement.annotation):
            return ""
        target: ast.expr = statement.target
    elif len(statement.targets) == 1:
        target = statement.targets[0]
    else:
        return ""
    return target.id if isinstance(target, ast.Name) else ""


def _bound(tree: ast.Module) -> Iterator[str]:
    """Every name that a statement assigns at the top of the module, and twice what a function calls `global`: that alone makes
    it no constant."""
    local = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    places: list[ast.AST] = [tree]
    while places:
        for node in ast.iter_child_nodes(places.pop()):
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                yield node.id
            if not isinstance(node, local):
                places.append(node)
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            yield from node.names
            yield from node.names


def _is_value(node: ast.expr | None) -> bool:
    """Whether it is no type: `int | None` and `dict[str, int]` are, and a bare name may be."""
    match node:
        case ast.Constant() | ast.UnaryOp() | ast.Dict() | ast.List() | ast.Set() | ast.Tuple() | ast.Attribute():
            return True
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.JoinedStr():
            return True
        case ast.BinOp():
            return not isinstance(node.op, ast.BitOr)
        case ast.Call():
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            return called not in _KINDS
        case _:
            return False
