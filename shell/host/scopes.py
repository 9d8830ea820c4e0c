"""Which names are local variables of a function: there `open` means a candle's open, not the builtin."""

from __future__ import annotations

import ast
from collections.abc import Mapping

_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_OTHER_SCOPES = (ast.ClassDef, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class Scopes:
    """The names each function of a tree binds. Python resolves such a name locally, assigned yet or not."""

    def __init__(self, tree: ast.Module, parents: Mapping[ast.AST, ast.AST]) -> None:
        self._parents = parents
        self._bound: dict[ast.AST, set[str]] = {}
        declared: list[tuple[ast.AST, str]] = []
        for node in ast.walk(tree):
            match node:
                case ast.Name(id=name, ctx=ast.Store()):
                    self._bind(self._owner(node), name)
                case ast.arg(arg=name):
                    self._bind(self._function_of(node), name)
                case ast.ExceptHandler(name=str(name)):
                    self._bind(self._owner(node), name)
                case ast.Global(names=names):
                    owner = self._owner(node)
                    declared += [(owner, name) for name in names if owner is not None]
                case _:
                    pass
        for owner, name in declared:
            self._bound.get(owner, set()).discard(name)

    def local(self, node: ast.AST, name: str) -> bool:
        """True if `name`, used or bound at `node`, is a local variable of a function around it."""
        if isinstance(node, ast.arg):
            return True
        child, parent = node, self._parents.get(node)
        while parent is not None:
            if _inside(child, parent) and name in self._bound.get(parent, ()):
                return True
            child, parent = parent, self._parents.get(parent)
        return False

    def _owner(self, node: ast.AST) -> ast.AST | None:
        """The function whose local a name bound at `node` is; None in a module, a class or a comprehension."""
        child, parent = node, self._parents.get(node)
        while parent is not None and not isinstance(parent, _OTHER_SCOPES):
            if _inside(child, parent):
                return parent
            child, parent = parent, self._parents.get(parent)
        return None

    def _function_of(self, node: ast.AST) -> ast.AST | None:
        parent = self._parents.get(node)
        while parent is not None and not isinstance(parent, _Function):
            parent = self._parents.get(parent)
        return parent

    def _bind(self, owner: ast.AST | None, name: str) -> None:
        if owner is not None:
            self._bound.setdefault(owner, set()).add(name)


def _inside(child: ast.AST, parent: ast.AST) -> bool:
    """True if `child` is part of a function's body, not of its decorators, defaults or annotations."""
    if isinstance(parent, ast.Lambda):
        return child is parent.body
    return isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef) and child in parent.body
