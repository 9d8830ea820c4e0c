"""Wall 1: an allow-list over the syntax tree, with a line and a sentence that a model or a person can act on.

It is for good messages; the boundary is the process (D7). Ordinary numeric code passes untouched.
"""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator
from dataclasses import dataclass

from shell.errors import StrategyRejected
from shell.host import allowed
from shell.host.loader import skill_file
from shell.host.port import StrategySource
from shell.host.scopes import Scopes
from shell.host.shape import check_shape
from shell.syntax import parse_source

SOURCE_CHARS_MAX = 200_000
FINDINGS_MAX = 50


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One reason to refuse a strategy: where, a stable code, and what to do instead."""

    file: str
    line: int
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.file} line {self.line}: {self.message}"


def check_policy(source: StrategySource) -> list[Finding]:
    """Everything that keeps `source` from running, by file and line; empty if it may run."""
    findings: list[Finding] = []
    trees: dict[str, ast.Module] = {}
    texts = {source.origin: source.code, **{skill_file(name): text for name, text in sorted(source.skills.items())}}
    for name in sorted(source.skills):
        if not name.isidentifier() or name.startswith("_"):
            findings.append(Finding(skill_file(name), 1, "SKILL_NAME", "a skill's name is a plain identifier such as trend"))
    for file, text in texts.items():
        tree = _parse(file, text, findings)
        if tree is not None:
            trees[file] = tree
            findings += _walked(file, tree, frozenset(source.skills))
    if source.origin in trees:
        skills = [tree for file, tree in trees.items() if file != source.origin]
        found = check_shape(trees[source.origin], skills)
        findings += [Finding(source.origin, line, "CONTRACT", message) for line, message in found]
    return list(dict.fromkeys(findings))[:FINDINGS_MAX]


def require_policy(source: StrategySource) -> None:
    """Raises StrategyRejected with every finding unless `source` passes the policy."""
    findings = check_policy(source)
    if findings:
        more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
        raise StrategyRejected(f"{findings[0]}{more}", [str(finding) for finding in findings])


def _parse(file: str, text: str, findings: list[Finding]) -> ast.Module | None:
    if len(text) > SOURCE_CHARS_MAX:
        findings.append(Finding(file, 1, "SIZE", f"{len(text)} characters; at most {SOURCE_CHARS_MAX} are allowed"))
        return None
    try:
        return parse_source(text, file)
    except SyntaxError as error:
        findings.append(Finding(file, error.lineno or 1, "SYNTAX", f"this is not valid Python: {error.msg}"))
    except (ValueError, RecursionError, MemoryError):
        findings.append(Finding(file, 1, "SYNTAX", "this is not Python: null characters, lone surrogates or too deep nesting"))
    return None


def _walked(file: str, tree: ast.Module, skills: frozenset[str]) -> list[Finding]:
    try:
        return sorted(_Walk(file, tree, skills).findings())
    except RecursionError:
        return [Finding(file, 1, "SYNTAX", "an expression is nested too deeply")]


class _Walk:
    """One pass over one file's tree, without recursion, knowing each node's parent and every imported name."""

    def __init__(self, file: str, tree: ast.Module, skills: frozenset[str]) -> None:
        self._file, self._tree, self._skills = file, tree, skills
        self._parents = {child: parent for parent in ast.walk(tree) for child in ast.iter_child_nodes(parent)}
        self._modules: dict[str, str] = {}
        self._objects: dict[str, str] = {}
        self._scopes = Scopes(tree, self._parents)

    def findings(self) -> Iterator[Finding]:
        nodes = list(ast.walk(self._tree))
        for node in nodes:
            if isinstance(node, ast.Import | ast.ImportFrom):
                for message in self._import(node):
                    yield Finding(self._file, node.lineno, "IMPORT", message)
        for node in nodes:
            for code, message in self._check(node):
                yield Finding(self._file, getattr(node, "lineno", 1), code, message)

    def _check(self, node: ast.AST) -> Iterator[tuple[str, str]]:
        match node:
            case ast.Name():
                yield from self._name(node)
            case ast.Attribute():
                yield from self._attribute(node)
            case ast.Call():
                yield from self._call(node)
            case ast.ClassDef():
                yield from _class(node)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                if allowed.is_dunder(node.name) and node.name not in allowed.DUNDER_METHODS:
                    yield "DUNDER", f"the method {node.name} may not be defined"
            case ast.MatchClass():
                for name in node.kwd_attrs:
                    yield from _attribute_name(name, on_self=False)
            case ast.ExceptHandler() if node.name:
                yield from self._bound(node, node.name)
            case ast.arg():
                yield from self._bound(node, node.arg)
            case _:
                pass

    # --- imports ------------------------------------------------------------------------------------------------------

    def _import(self, node: ast.Import | ast.ImportFrom) -> Iterator[str]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from self._import_module(alias)
            return
        module = node.module or ""
        if node.level:
            yield "relative imports are not allowed; write `from strategy.skills.NAME import ...`"
            return
        for alias in node.names:
            yield from self._import_member(module, alias)

    def _import_module(self, alias: ast.alias) -> Iterator[str]:
        name = alias.name
        refused = self._refused_module(name)
        if refused is not None:
            yield refused
        elif alias.asname is not None:
            self._modules[alias.asname] = name
        else:
            self._modules[name.split(".")[0]] = name.split(".")[0]

    def _import_member(self, module: str, alias: ast.alias) -> Iterator[str]:
        bound, full = alias.asname or alias.name, f"{module}.{alias.name}"
        if alias.name == "*":
            yield f"`from {module} import *` is not allowed; name what you use"
        elif module in allowed.PACKAGES or full in allowed.MODULES:
            refused = self._refused_module(full)
            if refused is not None:
                yield refused
            else:
                self._modules[bound] = full
        elif module == "__future__":
            return
        else:
            refused = self._refused_module(module)
            if refused is None and module in allowed.MODULES:
                refused = allowed.refused_member(module, alias.name)
            if refused is not None:
                yield refused
            else:
                self._objects[bound] = full

    def _refused_module(self, name: str) -> str | None:
        if name in allowed.MODULES:
            return None
        if name.startswith("strategy.skills."):
            skill = name.removeprefix("strategy.skills.")
            if skill in self._skills:
                return None
            known = f"those that exist: {', '.join(sorted(self._skills))}" if self._skills else "this version has no skills"
            return f"there is no skill {skill!r}; {known}"
        if name.startswith("shell"):
            return f"{name} belongs to the shell; only shell.contract and shell.indicators may be imported"
        return f"the module {name} may not be imported; {allowed.advice_on(name)}"

    # --- names and attributes -----------------------------------------------------------------------------------------

    def _name(self, node: ast.Name) -> Iterator[tuple[str, str]]:
        name = node.id
        if not isinstance(node.ctx, ast.Load):
            yield from self._bound(node, name)
        elif name in allowed.BUILTINS_DENIED and not self._scopes.local(node, name):
            yield "NAME", f"{name} may not be used: {_why_denied(name)}"
        elif allowed.is_dunder(name) and name not in allowed.BUILTINS | allowed.DUNDER_VARIABLES:
            yield "DUNDER", f"{name} may not be used"
        elif name in ("getattr", "setattr", "hasattr") and not self._is_called(node):
            yield "NAME", f"{name} may only be called directly, with the attribute's name written out"
        elif name in self._modules and not isinstance(self._parents.get(node), ast.Attribute):
            yield "NAME", f"the module {name} may only be used as {name}.something; it cannot be passed on or replaced"

    def _bound(self, node: ast.AST, name: str) -> Iterator[tuple[str, str]]:
        if allowed.is_dunder(name) and name not in allowed.DUNDER_VARIABLES:
            yield "DUNDER", f"{name} may not be assigned"
        elif name in allowed.BUILTINS_DENIED and not self._scopes.local(node, name):
            yield "NAME", f"{name} may not be used as a name here; choose another"

    def _attribute(self, node: ast.Attribute) -> Iterator[tuple[str, str]]:
        on_self = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
        module = self._module_of(node.value)
        if module is not None:
            yield from self._module_member(node, module)
            return
        yield from _attribute_name(node.attr, on_self=on_self)
        if allowed.is_dunder(node.attr) and not on_self and not isinstance(node.ctx, ast.Load):
            yield "DUNDER", f".{node.attr} may not be replaced: classes stay as they were written"
        if node.attr in allowed.CLOCK_READS and not on_self and self._reads_clock(node):
            yield "CLOCK", f".{node.attr} reads the machine's clock; use analyze's `timestamp`"
        if node.attr in ("format", "format_map"):
            yield from self._format(node)

    def _module_member(self, node: ast.Attribute, module: str) -> Iterator[tuple[str, str]]:
        if not isinstance(node.ctx, ast.Load):
            yield "ATTRIBUTE", f"{module}.{node.attr} may not be replaced"
            return
        full = f"{module}.{node.attr}"
        if module.startswith("strategy.skills."):
            yield from _attribute_name(node.attr, on_self=False)
            return
        if module in allowed.PACKAGES:
            refused = None if full in allowed.PACKAGES else self._refused_module(full)
            if refused is not None:
                yield "IMPORT", refused
            return
        refused = allowed.refused_member(module, node.attr)
        if refused is not None:
            yield "ATTRIBUTE", refused
        elif allowed.submodule(module, node.attr) and not isinstance(self._parents.get(node), ast.Attribute):
            yield "NAME", f"the module {module}.{node.attr} may only be used with a member named behind it"

    def _module_of(self, node: ast.expr) -> str | None:
        """The module an expression such as `np.random` names, None if it names none."""
        if isinstance(node, ast.Name):
            return self._modules.get(node.id)
        if isinstance(node, ast.Attribute):
            outer = self._module_of(node.value)
            if outer is None:
                return None
            inner = f"{outer}.{node.attr}"
            if outer in allowed.PACKAGES:
                known = inner in allowed.PACKAGES or inner in allowed.SHELL_MODULES or inner.startswith("strategy.skills.")
                return inner if known else None
            return allowed.submodule(outer, node.attr) if outer in allowed.MODULES else None
        return None

    def _reads_clock(self, node: ast.Attribute) -> bool:
        return self._is_called(node) or self._full_name(node.value).startswith("datetime.")

    def _full_name(self, node: ast.expr) -> str:
        if isinstance(node, ast.Name):
            return self._objects.get(node.id, "")
        if isinstance(node, ast.Attribute):
            module = self._module_of(node.value)
            return f"{module}.{node.attr}" if module else ""
        return ""

    def _format(self, node: ast.Attribute) -> Iterator[tuple[str, str]]:
        base = node.value
        if not isinstance(base, ast.Constant) or not isinstance(base.value, str) or node.attr == "format_map":
            yield "FORMAT", f".{node.attr} on a text that is not written out may read any attribute; use an f-string"
            return
        try:
            fields = [field or "" for _, field, _, _ in string.Formatter().parse(base.value)]
        except ValueError:
            return
        if any("_" in field.replace("[", ".").partition(".")[2] for field in fields):
            yield "FORMAT", "a format field that names a private attribute is not allowed; use an f-string"

    # --- calls --------------------------------------------------------------------------------------------------------

    def _call(self, node: ast.Call) -> Iterator[tuple[str, str]]:
        if isinstance(node.func, ast.Name) and node.func.id in ("getattr", "setattr", "hasattr"):
            yield from _named_attribute(node, node.func.id)
        if isinstance(node.func, ast.Name) and node.func.id == "type" and (len(node.args) != 1 or node.keywords):
            yield "NAME", "type() with three arguments makes a class; write a class statement"
        full = self._full_name(node.func)
        if full in allowed.SEEDED:
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            if not given or (isinstance(given[0], ast.Constant) and given[0].value is None):
                yield (
                    "RANDOM",
                    f"{full} needs a seed, such as {full.rpartition('.')[2]}(7): every run must give the same answer",
                )
        if full.startswith("numpy.") and any(map(_names_the_present, ast.walk(node))):
            yield "CLOCK", f'"now" and "today" in {full} read the machine\'s clock; use analyze\'s `timestamp`'
        if _draws_unseeded(node):
            yield "RANDOM", f".{ast.unparse(node.func).rpartition('.')[2]} of polars needs a seed, such as seed=7"

    def _is_called(self, node: ast.expr) -> bool:
        parent = self._parents.get(node)
        return isinstance(parent, ast.Call) and parent.func is node


def _names_the_present(node: ast.AST) -> bool:
    """numpy reads these words, in any case, as the present moment."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.strip().lower() in ("now", "today")


def _draws_unseeded(node: ast.Call) -> bool:
    """A sample or shuffle of polars without a seed. Those of `random` and numpy are told apart by what they are given: a
    population, which polars draws from without being given it."""
    if not isinstance(node.func, ast.Attribute) or any(keyword.arg in ("seed", "k", None) for keyword in node.keywords):
        return False
    given = len(node.args)
    match node.func.attr:
        case "shuffle":
            return given == 0
        case "sample":
            return given < 2
        case _:
            return False


def _attribute_name(name: str, *, on_self: bool) -> Iterator[tuple[str, str]]:
    if allowed.is_dunder(name) and name not in allowed.DUNDER_ATTRIBUTES:
        yield "DUNDER", f".{name} may not be used"
    elif allowed.reads_frames(name):
        yield "ATTRIBUTE", f".{name} reads the interpreter's frames and may not be used"
    elif on_self or name in allowed.NAMEDTUPLE_ATTRIBUTES or allowed.is_dunder(name):
        return
    elif name.startswith("_"):
        yield "ATTRIBUTE", f".{name} is private; names with an underscore are allowed on self only"
    elif allowed.reaches_outside(name):
        yield (
            "ATTRIBUTE",
            f".{name} is not allowed: a strategy computes and touches nothing else (rename it if it is yours)",
        )


def _named_attribute(node: ast.Call, function: str) -> Iterator[tuple[str, str]]:
    target = node.args[1] if len(node.args) > 1 else None
    if not isinstance(target, ast.Constant) or not isinstance(target.value, str):
        yield "NAME", f"{function} needs the attribute's name written out; use a dict for names made at run time"
        return
    on_self = isinstance(node.args[0], ast.Name) and node.args[0].id == "self"
    yield from _attribute_name(target.value, on_self=on_self)


def _class(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    if node.keywords:
        yield "NAME", f"class {node.name} has a metaclass or other keyword; leave it out"
    if any(isinstance(base, ast.Name) and base.id == "type" for base in node.bases):
        yield "NAME", f"class {node.name} derives from type; metaclasses are not allowed"


def _why_denied(name: str) -> str:
    match name:
        case "eval" | "exec" | "compile" | "__import__":
            return "code made at run time cannot be reviewed"
        case "open" | "input" | "breakpoint" | "help":
            return "a strategy has no files and no terminal"
        case "id" | "hash":
            return "its value changes from run to run"
        case "globals" | "locals" | "vars" | "dir" | "delattr" | "memoryview" | "__builtins__":
            return "keep values in attributes of self or in a dict"
        case _:
            return "it has no place in a strategy"
