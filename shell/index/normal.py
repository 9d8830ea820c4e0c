"""A program without what does not matter: comments, docstrings, layout, the names it gives its own things. Pure.

Two programs with the same normal form do the same; a renamed variable is no new idea.
"""

from __future__ import annotations

import ast
import hashlib
import io
import tokenize
from collections import Counter
from collections.abc import Iterable

from shell.host.port import StrategySource
from shell.syntax import parse_source

# What the contract fixes: renaming these would change what a program is.
CONTRACT = frozenset({
    "Strategy", "initialize", "analyze", "on_fill", "on_position_closed", "get_state", "load_state", "scan_interval_minutes",
    "PARAMETERS", "self",
})
# Numbers are compared to so many significant digits: 48 and 48.2 hours are one idea, 48 and 40 are two.
DIGITS = 2


def normal_form(source: StrategySource) -> str:
    """The program's text without comments, docstrings, annotations and what is never read, its own names numbered in order
    of appearance and its numbers rounded.

    Skills follow the strategy in the order of their names. Raises SyntaxError for a source that does not parse.
    """
    return "\n".join(ast.unparse(_Renamed(_own_names(tree)).visit(tree)) for tree in _trees(source))


def normal_hash(source: StrategySource) -> str:
    """Sha256 of the normal form, 16 hex digits."""
    return hashlib.sha256(normal_form(source).encode()).hexdigest()[:16]


def ingredients(source: StrategySource) -> Counter[str]:
    """What a program is made of, whatever the order: every comparison as a whole, every other operator, what it calls and
    reads from outside, its texts, its numbers rounded. A comparison the other way round is another ingredient."""
    found: Counter[str] = Counter()
    for tree in _trees(source):
        own = _own_names(tree)
        for node in ast.walk(tree):
            match node:
                case ast.Compare():
                    found[ast.unparse(node)] += 1
                case ast.BinOp(op=op) | ast.UnaryOp(op=op) | ast.BoolOp(op=op) | ast.AugAssign(op=op):
                    found[type(op).__name__] += 1
                case ast.Name(id=name) if name not in own:
                    found[name] += 1
                case ast.Attribute(attr=name) if name not in own:
                    found["." + name] += 1
                case ast.Constant(value=value):
                    found[repr(value)] += 1
                case _:
                    continue
    return found


def shingles(source: StrategySource, size: int = 3) -> Counter[tuple[str, ...]]:
    """How often each run of `size` tokens occurs, the program's own names all being one."""
    words: list[str] = []
    for tree in _trees(source):
        own = dict.fromkeys(_own_names(tree), "n")
        words += _tokens(ast.unparse(_Renamed(own).visit(tree)))
    return Counter(tuple(words[place:place + size]) for place in range(max(1, len(words) - size + 1)))


def _tokens(text: str) -> Iterable[str]:
    skipped = {tokenize.NEWLINE, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER, tokenize.COMMENT}
    return [token.string for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type not in skipped]


def _trees(source: StrategySource) -> list[ast.Module]:
    """Each file's tree, bare."""
    found = []
    for text in (source.code, *(source.skills[name] for name in sorted(source.skills))):
        tree = _Bare().visit(parse_source(text))
        assert isinstance(tree, ast.Module), "removing statements leaves a module"
        found.append(ast.fix_missing_locations(_Unread(_read(tree)).visit(tree)))
    return found


def _read(tree: ast.Module) -> frozenset[str]:
    """Names and attributes that are read anywhere, or may be."""
    read = [node for node in ast.walk(tree) if not isinstance(getattr(node, "ctx", None), ast.Store)]
    names = {node.id for node in read if isinstance(node, ast.Name)}
    return frozenset(names | {node.attr for node in read if isinstance(node, ast.Attribute)} | CONTRACT)


class _Unread(ast.NodeTransformer):
    """Without assignments of constants to a plain name that nothing reads."""

    def __init__(self, read: frozenset[str]) -> None:
        self._read = read

    def visit_Assign(self, node: ast.Assign) -> ast.Assign | None:
        plain = [target.id for target in node.targets if isinstance(target, ast.Name)]
        dead = len(plain) == len(node.targets) and not self._read & set(plain)
        return None if dead and isinstance(node.value, ast.Constant) else node


class _Bare(ast.NodeTransformer):
    """Without docstrings, bare constants and annotations; imports in order of their names, numbers rounded."""

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            return node
        return ast.Constant(value=float(f"{node.value:.{DIGITS}g}"))

    def visit_Module(self, node: ast.Module) -> ast.Module:
        self.generic_visit(node)
        imports = [each for each in node.body if isinstance(each, ast.Import | ast.ImportFrom)]
        rest = [each for each in node.body if not isinstance(each, ast.Import | ast.ImportFrom)]
        node.body = [*sorted(imports, key=ast.unparse), *rest]
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        self.generic_visit(node)
        return None if isinstance(node.value, ast.Constant) else node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.ImportFrom | None:
        if node.module == "__future__":
            return None
        node.names = sorted(node.names, key=lambda alias: alias.name)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt | None:
        self.generic_visit(node)
        if node.value is None:
            return None
        return ast.Assign(targets=[node.target], value=node.value)

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        node.returns = None
        node.body = node.body or [ast.Pass()]
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        self.generic_visit(node)
        node.body = node.body or [ast.Pass()]
        return node


def _own_names(tree: ast.Module) -> dict[str, str]:
    """Names the program gives itself, in order of appearance, each with its number; attributes of self among them."""
    own: dict[str, str] = {}

    def note(name: str) -> None:
        if name not in CONTRACT and not (name.startswith("__") and name.endswith("__")) and name not in own:
            own[name] = f"n{len(own)}"

    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                note(name)
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()):
                note(name)
            case ast.Attribute(attr=name, ctx=ast.Store(), value=ast.Name(id="self")):
                note(name)
            case _:
                continue
    return own


class _Renamed(ast.NodeTransformer):
    """With the program's own names numbered. A keyword of a call keeps its name: it belongs to what is called."""

    def __init__(self, own: dict[str, str]) -> None:
        self._own = own

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(id=self._own.get(node.id, node.id), ctx=node.ctx)

    def visit_arg(self, node: ast.arg) -> ast.arg:
        return ast.arg(arg=self._own.get(node.arg, node.arg))

    def visit_Attribute(self, node: ast.Attribute) -> ast.Attribute:
        self.generic_visit(node)
        of_self = isinstance(node.value, ast.Name) and node.value.id == "self"
        return ast.Attribute(value=node.value, attr=self._own.get(node.attr, node.attr) if of_self else node.attr, ctx=node.ctx)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        node.name = self._own.get(node.name, node.name)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        self.generic_visit(node)
        node.name = self._own.get(node.name, node.name)
        return node
