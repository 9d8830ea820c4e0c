"""The class of a change, read from the difference of two versions' syntax trees (comments and layout do not count)."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from shell.host.port import StrategySource
from shell.syntax import parse_source
from shell.trials.candidate import ChangeClass


def classify_change(parent: StrategySource, child: StrategySource) -> ChangeClass:
    """Tweak: only numbers differ. Restructure: other logic in the same shape. Overhaul: anything else.

    The shape is the classes with their methods, the functions with their arguments, the imports and the skills there
    are. A declared parameter's bounds are numbers, too; another name among them is logic. Raises SyntaxError for a
    source that does not parse.
    """
    before, after = _trees(parent), _trees(child)
    if before.keys() == after.keys():
        if all(_without_numbers(before[name]) == _without_numbers(after[name]) for name in before):
            return ChangeClass.TWEAK
        if all(_shape(before[name]) == _shape(after[name]) for name in before):
            return ChangeClass.RESTRUCTURE
    return ChangeClass.OVERHAUL


def change_shown(parent: StrategySource, child: StrategySource) -> ChangeClass:
    """`classify_change`, with the heaviest class for what does not parse."""
    try:
        return classify_change(parent, child)
    except SyntaxError:
        return ChangeClass.OVERHAUL


def same_program(parent: StrategySource, child: StrategySource) -> bool:
    """True when the two do the same, comments and layout aside."""
    before, after = _trees(parent), _trees(child)
    return before.keys() == after.keys() and all(
        ast.dump(_without_docstrings(before[name])) == ast.dump(_without_docstrings(after[name])) for name in before
    )


def _trees(source: StrategySource) -> Mapping[str, ast.Module]:
    files = {"": source.code, **source.skills}
    return {name: parse_source(text) for name, text in files.items()}


class _NumbersRemoved(ast.NodeTransformer):
    """Every int and float becomes 0, and -1 the same as 1: a tweak may change a sign."""

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            return node
        return ast.Constant(value=0)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        operand = self.visit(node.operand)
        if isinstance(node.op, ast.USub) and isinstance(operand, ast.Constant):
            return operand
        return ast.UnaryOp(op=node.op, operand=operand)


class _DocstringsRemoved(ast.NodeTransformer):
    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        return None if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str) else node


def _without_docstrings(tree: ast.Module) -> ast.Module:
    bare = _DocstringsRemoved().visit(parse_source(ast.unparse(tree)))
    assert isinstance(bare, ast.Module), "removing statements leaves a module"
    return bare


def _without_numbers(tree: ast.Module) -> str:
    return ast.dump(_NumbersRemoved().visit(_without_docstrings(tree)))


def _shape(tree: ast.Module) -> list[str]:
    lines = []
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(name=name, bases=bases):
                members = sorted(
                    f"{part.name}({ast.unparse(part.args)})" for part in node.body
                    if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)
                )
                lines.append(f"class {name}({', '.join(map(ast.unparse, bases))}): {', '.join(members)}")
            case ast.Import() | ast.ImportFrom():
                lines.append(ast.unparse(node))
            case _:
                continue
    functions = sorted(
        f"def {node.name}({ast.unparse(node.args)})" for node in tree.body if isinstance(node, ast.FunctionDef)
    )
    return [*sorted(lines), *functions]
