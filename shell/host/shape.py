"""Does a file define what the host will call? Read from the syntax tree, before anything runs."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

CLASS = "Strategy"
# What the host passes to each method, `self` left out.
CALLS: dict[str, tuple[str, ...]] = {
    "initialize": ("risk_limits", "symbols"),
    "analyze": ("markets", "portfolio", "timestamp"),
    "on_fill": ("symbol", "action", "qty", "price", "intent"),
    "on_position_closed": ("symbol", "pnl", "pnl_pct"),
    "get_state": (),
    "load_state": ("state",),
}
_INHERITED_MAX = 20

Method = ast.FunctionDef | ast.AsyncFunctionDef


def check_shape(tree: ast.Module, skills: Sequence[ast.Module]) -> list[tuple[int, str]]:
    """(line, sentence) for each way in which the class `Strategy` is absent or cannot be called."""
    own = _classes(tree)
    strategy = own.get(CLASS)
    if strategy is None:
        return [(1, f"no class {CLASS} at the top level; define one with {', '.join(CALLS)}")]
    known = {name: node for skill in skills for name, node in _classes(skill).items()} | own
    methods = _methods(strategy, known)
    missing = [name for name in CALLS if name not in methods]
    found = [(strategy.lineno, f"class {CLASS} lacks {_listed(missing)}")] if missing else []
    for name, arguments in CALLS.items():
        if name in methods:
            found += [(methods[name].lineno, sentence) for sentence in _misfits(methods[name], name, arguments)]
    init = methods.get("__init__")
    if init is not None and not _accepts(init, 0):
        found.append((init.lineno, f"{CLASS}.__init__ is called without arguments; give each one a default"))
    return found


def _classes(tree: ast.Module) -> dict[str, ast.ClassDef]:
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def _methods(strategy: ast.ClassDef, known: dict[str, ast.ClassDef]) -> dict[str, Method]:
    """The methods of a class and of those of its bases whose text is at hand; the nearest definition wins."""
    methods: dict[str, Method] = {}
    waiting, seen = [strategy], 0
    while waiting and seen < _INHERITED_MAX:
        node, seen = waiting.pop(0), seen + 1
        for item in node.body:
            if isinstance(item, Method):
                methods.setdefault(item.name, item)
        for base in node.bases:
            name = base.attr if isinstance(base, ast.Attribute) else base.id if isinstance(base, ast.Name) else ""
            if name in known:
                waiting.append(known[name])
    return methods


def _misfits(method: Method, name: str, arguments: tuple[str, ...]) -> Iterator[str]:
    if isinstance(method, ast.AsyncFunctionDef):
        yield f"{name} is async; write a plain def"
    elif not method.decorator_list and not _accepts(method, len(arguments)):
        yield f"{name} is called with ({', '.join(('self', *arguments))}); let it take these"


def _accepts(method: Method, count: int) -> bool:
    given, parameters = count + 1, method.args
    positional = len(parameters.posonlyargs) + len(parameters.args)
    required = positional - len(parameters.defaults)
    if any(default is None for default in parameters.kw_defaults):
        return False
    return required <= given and (given <= positional or parameters.vararg is not None)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
