"""A compiled core is put in place whole and proven, or what stood before stands. Nothing is compiled here."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from compiled import __main__, tree
from compiled.proof import difference
from compiled.tree import CannotCompile, make, missing, place, rewrite
from shell.compiled import FOLDER, find_tree


@pytest.fixture
def planted(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose compiler does nothing."""
    for name in ("shell", "compiled"):
        shutil.copytree(project / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(project / "pyproject.toml", tmp_path)
    monkeypatch.setattr(tree, "compile_tree", lambda made: None)
    return tmp_path


def standing(root: Path) -> set[str]:
    return {path.name for path in root.glob(".compiled*")}


def test_a_proven_core_is_put_in_place_and_replaces_the_one_before(planted: Path) -> None:
    looked: list[Path] = []
    make(planted, looked.append)
    assert find_tree(planted).path == planted / FOLDER
    assert looked[0] != planted / FOLDER
    assert not looked[0].exists()
    (planted / FOLDER / "old").touch()
    make(planted, looked.append)
    assert find_tree(planted).path is not None
    assert not (planted / FOLDER / "old").exists()
    assert standing(planted) == {FOLDER}


def test_a_core_that_differs_is_not_put_in_place_and_the_one_before_stays(planted: Path) -> None:
    make(planted, lambda made: None)
    (planted / FOLDER / "old").touch()

    def differs(made: Path) -> None:
        raise CannotCompile("fill 3 differs")

    with pytest.raises(CannotCompile, match="fill 3 differs"):
        make(planted, differs)
    assert (planted / FOLDER / "old").exists()
    assert standing(planted) == {FOLDER}


def test_sources_that_change_while_it_is_made_are_noticed(planted: Path) -> None:
    def edit(made: Path) -> None:
        (planted / "shell" / "engine.py").write_text("x = 1\n")

    with pytest.raises(CannotCompile, match="changed meanwhile"):
        make(planted, edit)
    assert standing(planted) == set()


def test_what_a_killed_build_left_goes_with_the_next(planted: Path) -> None:
    (planted / f"{FOLDER}-abc" / "tree").mkdir(parents=True)
    make(planted, lambda made: None)
    assert standing(planted) == {FOLDER}


def test_the_old_core_comes_back_where_the_new_one_cannot_be_placed(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "old").touch()
    (tmp_path / "new").mkdir()
    with pytest.raises(OSError, match="No such file"):
        place(tmp_path / "new" / "tree", tmp_path / FOLDER)
    assert (tmp_path / FOLDER / "old").exists()


def test_a_module_that_has_changed_is_named(planted: Path) -> None:
    path = planted / "shell" / "money.py"
    path.write_text(path.read_text().replace("_new = object.__new__", "_made = object.__new__"))
    with pytest.raises(CannotCompile, match=r"shell/money.py: this is there 0 times, not once: '_new = object.__new__'"):
        rewrite(planted)
    (planted / "shell" / "seat.py").unlink()
    path.write_text("")
    with pytest.raises(CannotCompile, match="compiled/modules.py must follow"):
        rewrite(planted)


def test_what_is_missing_for_compiling_is_told_and_ends_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CC", "no-such-compiler -O2")
    assert "there is no C compiler (no-such-compiler): install one" in missing()
    assert __main__.main(["--anew"]) == 2
    assert "no-such-compiler" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("compiled", "told"),
    [
        ({"a": ["1", "2"]}, ""),
        ({"a": ["1", "3"]}, "a: fact 2 is 2 plain and 3 compiled"),
        ({"a": ["1"]}, "a: 2 facts plain and 1 compiled"),
        ({"b": ["1", "2"]}, "the runs are a plain and b compiled"),
    ],
)
def test_the_first_difference_of_two_proofs_is_told(compiled: dict[str, list[str]], told: str) -> None:
    assert difference({"a": ["1", "2"]}, compiled) == told
