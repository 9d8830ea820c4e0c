"""docs/reliability.md promises tests: each one that it names exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def missing(text: str, root: Path) -> list[str]:
    """The tests that `text` names and that are not there."""
    found = []
    for path, name in NAMED.findall(text):
        file = root / path
        tree = ast.parse(file.read_text(encoding="utf-8")) if file.is_file() else ast.Module([], [])
        if not any(isinstance(node, ast.FunctionDef) and node.name == name for node in tree.body):
            found.append(f"{path}::{name}")
    return found


def test_every_test_that_the_reliability_table_names_exists() -> None:
    text = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    assert len(NAMED.findall(text)) >= 15
    assert missing(text, ROOT) == []


def test_every_hazard_names_a_test() -> None:
    text = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    rows = [line for line in text.partition("## Hazards")[2].partition("\n## ")[0].splitlines() if line.startswith("| ")]
    assert [row for row in rows[1:] if not NAMED.search(row)] == []


def test_a_name_that_is_not_there_is_found(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").write_text("def test_here(): pass\n", encoding="utf-8")
    named = "`tests/test_a.py::test_here` `tests/test_a.py::test_gone` `tests/test_b.py::test_here`"
    assert missing(named, tmp_path) == ["tests/test_a.py::test_gone", "tests/test_b.py::test_here"]
