"""The simulator proves the client, so it may not be made of it: what it imports of the product is a short list."""

from __future__ import annotations

import ast
from pathlib import Path

ALLOWED = ("shell.exchange.simulator", "shell.market", "shell.money", "shell.clock", "shell.errors")


def foreign_imports(folder: Path) -> list[str]:
    found = []
    for path in sorted(folder.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{path.name}: {name}" for name in names if name.split(".")[0] == "shell" and not name.startswith(ALLOWED)]
    return found


def test_the_simulator_shares_no_code_with_the_client(project: Path) -> None:
    assert foreign_imports(project / "shell" / "exchange" / "simulator") == []


def test_a_planted_import_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("from shell.exchange.kraken.rest import sign\nimport shell.orders\n")
    assert len(foreign_imports(tmp_path)) == 2
