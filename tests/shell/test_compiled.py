"""A compiled core is used only where it is that of these sources and of this Python."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from shell import compiled
from shell.compiled import FOLDER, PLAIN, STAMP, find_tree, stamp
from shell.program import program_identity


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A project of three files, with a copy that says it was made of them."""
    for name in ("shell/a.py", "shell/deep/b.py", "compiled/modules.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"# {name}\n")
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / STAMP).write_text(stamp(tmp_path))
    return tmp_path


def test_a_core_of_these_sources_is_found(planted: Path) -> None:
    assert find_tree(planted) == (planted / FOLDER, "")


@pytest.mark.parametrize("name", ["shell/a.py", "shell/deep/b.py", "compiled/modules.py", "shell/new.py"])
def test_a_core_of_other_sources_is_not_used(name: str, planted: Path) -> None:
    (planted / name).write_text("x = 1\n")
    assert find_tree(planted) == (None, "the compiled core was made of other sources")


def test_a_core_of_another_python_is_not_used(planted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "python_tag", lambda: "3.99.0.other")
    assert find_tree(planted) == (None, "the compiled core was made for another Python")


def test_no_core_and_a_half_written_one_are_told_apart(planted: Path) -> None:
    (planted / FOLDER / STAMP).write_text('{"sources":')
    assert "cannot be read" in find_tree(planted).reason
    (planted / FOLDER / STAMP).write_text("[]")
    assert find_tree(planted).path is None
    (planted / FOLDER / STAMP).unlink()
    assert find_tree(planted) == (None, "there is no compiled core")


def test_what_is_not_source_changes_nothing(planted: Path) -> None:
    (planted / "shell" / "notes.md").write_text("words")
    (planted / "tests").mkdir()
    (planted / "tests" / "test_a.py").write_text("x = 1\n")
    assert find_tree(planted).path is not None


def test_these_tests_run_plain_and_a_copy_knows_its_sources(project: Path, tmp_path: Path) -> None:
    if compiled.core() != PLAIN:
        pytest.skip("run against the compiled core")
    assert compiled.source_root() == project
    copy = tmp_path / FOLDER
    shutil.copytree(project / "shell", copy / "shell", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(project / "shell", tmp_path / "shell", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(project / "tasks", tmp_path / "tasks", ignore=shutil.ignore_patterns("__pycache__"))
    (copy / STAMP).write_text("{}")
    asked = (
        "import json, sys; sys.path.insert(0, sys.argv[1]); from shell import compiled, home, program; "
        "from pathlib import Path; "
        "print(json.dumps([compiled.core(), str(compiled.source_root()), program.program_identity()['code'],"
        " str(home.find_project(Path('/')))]))"
    )
    told = json.loads(subprocess.run(
        [sys.executable, "-P", "-c", asked, str(copy)], capture_output=True, text=True, check=True, cwd="/",
    ).stdout)
    # The copy's text may differ; the identity is that of the sources, and so is the project.
    assert told == ["compiled", str(tmp_path), program_identity()["code"], str(tmp_path)]
