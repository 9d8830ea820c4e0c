"""The list of what is compiled fits the tree as it is: a check that costs a second, so that `make compiled` seldom surprises."""

from __future__ import annotations

import ast
from collections.abc import Collection
from pathlib import Path

import pytest

from compiled.modules import INHERITED, MODULES, OUTSIDE, REPLACEMENTS, TUPLES
from compiled.tree import compilable
from tests.test_imports import trees

PACKAGES = ("shell", "tasks", "flows", "deployments")
# Classes that stay Python's own when compiled: these may be derived from anywhere.
OPEN_BASES = {"Enum", "IntEnum", "StrEnum", "Protocol", "NamedTuple", "TypedDict"}


def sealed_classes(root: Path, modules: Collection[str], outside: dict[str, frozenset[str]]) -> set[tuple[str, str]]:
    """(module, class) of every class that nothing interpreted may derive from."""
    found = set()
    for path, module, tree in trees(root, "shell"):
        for node in ast.walk(tree):
            if path in modules and isinstance(node, ast.ClassDef) and node.name not in outside.get(path, ()):
                bases = {ast.unparse(base) for base in node.bases}
                if not bases & OPEN_BASES:
                    found.add((module, node.name))
    return found


def forbidden_heirs(root: Path, modules: Collection[str], outside: dict[str, frozenset[str]]) -> list[str]:
    """Classes of interpreted modules that derive from a compiled one: Python refuses them when they are imported."""
    sealed, found = sealed_classes(root, modules, outside), []
    for path, _, tree in trees(root, *PACKAGES):
        if path in modules:
            continue
        names = {
            alias.asname or alias.name: (node.module, alias.name)
            for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module for alias in node.names
        }
        for node in ast.walk(tree):
            for base in node.bases if isinstance(node, ast.ClassDef) else []:
                owner, _, attribute = ast.unparse(base).partition("[")[0].rpartition(".")
                at = names.get(owner, ("", ""))
                target = (".".join(filter(None, (*at,))) or owner, attribute) if owner else names.get(attribute)
                if target in sealed:
                    found.append(f"{path}:{node.lineno} {node.name} derives from {attribute}, which is compiled")
    return found


def test_every_listed_module_is_there_once(project: Path) -> None:
    assert len(set(MODULES)) == len(MODULES)
    assert [name for name in MODULES if not (project / name).is_file()] == []
    assert (set(TUPLES) | set(OUTSIDE) | set(INHERITED) | set(REPLACEMENTS)) <= set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_its_text_can_be_rewritten_and_parses(name: str, project: Path) -> None:
    text = compilable(name, (project / name).read_text(encoding="utf-8"))
    compile(text, name, "exec")
    slotted = [each for each in ast.walk(ast.parse(text)) if isinstance(each, ast.ClassDef) and "__slots__" in ast.unparse(each)]
    assert {each.name for each in slotted} <= OUTSIDE.get(name, frozenset())


def test_every_replacement_has_a_reason() -> None:
    assert [each.old for made in REPLACEMENTS.values() for each in made if len(each.why) < 10] == []


def test_nothing_interpreted_derives_from_a_compiled_class(project: Path) -> None:
    assert forbidden_heirs(project, MODULES, {**OUTSIDE, **INHERITED}) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("from shell.money import Price\n\n\nclass A(Price): ...\n", ["shell/other.py:4 A derives from Price, which is compiled"]),
        ("from shell import money\n\n\nclass A(money.Price): ...\n", ["shell/other.py:4 A derives from Price, which is compiled"]),
        ("from shell.money import Open\n\n\nclass A(Open): ...\n", []),
        ("from shell.money import Free\n\n\nclass A(Free): ...\n", []),
        ("from shell.elsewhere import Price\n\n\nclass A(Price): ...\n", []),
    ],
)
def test_a_planted_heir_is_found(text: str, told: list[str], tmp_path: Path) -> None:
    (tmp_path / "shell").mkdir()
    (tmp_path / "shell" / "money.py").write_text("class Price: ...\nclass Open(Protocol): ...\nclass Free(list): ...\n")
    (tmp_path / "shell" / "other.py").write_text(text)
    assert forbidden_heirs(tmp_path, {"shell/money.py"}, {"shell/money.py": frozenset({"Free"})}) == told
