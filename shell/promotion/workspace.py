"""The strategy workspace on disk: the active version, the archive, the skills, the document. Only the shell writes it (D11).

    active/strategy.py            the running version          active/skills/NAME.py   the skills it was promoted with, if any
    archive/strategy_vNNN.py      every version ever active    archive/strategy_vNNN.skills/NAME.py
    skills/NAME.py                the library candidates may import
    strategy_document.md          what is believed, what was tried, what is next

The database says which version is active; these files follow it and are mended from it (see `Workspace.place`).
"""

from __future__ import annotations

import ast
import os
import shutil
from pathlib import Path

from shell.document.notes import WORDS_MAX
from shell.errors import BadInput, DataError
from shell.host.port import StrategySource
from shell.syntax import parse_source

SKILLS_PACKAGE = "strategy.skills"


class Workspace:
    """One workspace folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def active_file(self) -> Path:
        return self.folder / "active" / "strategy.py"

    @property
    def document_file(self) -> Path:
        return self.folder / "strategy_document.md"

    def copy_from(self, template: Path) -> None:
        """Fill an empty workspace from another one. Raises DataError when the template holds no strategy."""
        if not (template / "active" / "strategy.py").is_file():
            raise DataError(f"{template} holds no active/strategy.py to start from")
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in ("active", "archive", "skills"):
            if (template / name).is_dir() and not (self.folder / name).exists():
                shutil.copytree(template / name, self.folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        if (template / "strategy_document.md").is_file() and not self.document_file.exists():
            shutil.copyfile(template / "strategy_document.md", self.document_file)

    def active(self) -> StrategySource:
        """The source that active/ holds, with the skills it imports."""
        return self.read(self.active_file, self.folder / "active" / "skills")

    def archived(self, version: str) -> StrategySource:
        """A version from the archive. Raises DataError when it is not there."""
        return self.read(
            self.folder / "archive" / f"strategy_{version}.py", self.folder / "archive" / f"strategy_{version}.skills"
        )

    def read(self, file: Path, own_skills: Path | None = None) -> StrategySource:
        """A strategy file with every skill it imports, its own before the library's.

        Raises DataError when the file cannot be read; a skill that does not exist is left to the policy to report.
        """
        code = _read_text(file)
        skills: dict[str, str] = {}
        wanted = _skills_imported(code)
        while wanted:
            name = wanted.pop()
            if name in skills:
                continue
            for folder in (own_skills, file.parent / "skills", self.folder / "skills"):
                if folder is not None and (folder / f"{name}.py").is_file():
                    skills[name] = _read_text(folder / f"{name}.py")
                    wanted |= _skills_imported(skills[name]) - skills.keys()
                    break
        return StrategySource(code=code, skills=dict(sorted(skills.items())), origin=file.name)

    def library(self) -> dict[str, str]:
        """All skills candidates may import."""
        folder = self.folder / "skills"
        names = sorted(path for path in folder.glob("*.py") if path.stem != "__init__") if folder.is_dir() else []
        return {path.stem: _read_text(path) for path in names}

    def place(self, version: str, source: StrategySource) -> None:
        """Make `source` the active directory and keep it in the archive. Both steps may be repeated after a crash."""
        archive = self.folder / "archive"
        archive.mkdir(parents=True, exist_ok=True)
        _write_atomically(archive / f"strategy_{version}.py", source.code)
        if source.skills:
            kept = archive / f"strategy_{version}.skills"
            kept.mkdir(exist_ok=True)
            for name, text in source.skills.items():
                _write_atomically(kept / f"{name}.py", text)
        staged = self.folder / f".staged-{version}"
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir()
        _write_atomically(staged / "strategy.py", source.code)
        if source.skills:
            (staged / "skills").mkdir()
            for name, text in source.skills.items():
                _write_atomically(staged / "skills" / f"{name}.py", text)
        active, leaving = self.folder / "active", self.folder / ".leaving"
        shutil.rmtree(leaving, ignore_errors=True)
        if active.exists():
            os.rename(active, leaving)
        os.rename(staged, active)
        shutil.rmtree(leaving, ignore_errors=True)

    def document(self) -> str:
        return _read_text(self.document_file) if self.document_file.is_file() else ""

    def write_document(self, text: str) -> None:
        """Replace the document. Raises BadInput, and keeps the old one, when it is too long or not printable."""
        words = len(text.split())
        if words >= WORDS_MAX:
            raise BadInput(f"the strategy document would have {words} words; it must stay under {WORDS_MAX}")
        if any(not (character.isprintable() or character in "\n\t") for character in text):
            raise BadInput("the strategy document may hold printable characters only")
        _write_atomically(self.document_file, text)


def _skills_imported(code: str) -> set[str]:
    try:
        tree = parse_source(code)
    except SyntaxError:
        return set()
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == SKILLS_PACKAGE:
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(SKILLS_PACKAGE + "."):
            names.add(node.module.removeprefix(SKILLS_PACKAGE + ".").split(".")[0])
        elif isinstance(node, ast.Import):
            names |= {
                alias.name.removeprefix(SKILLS_PACKAGE + ".").split(".")[0]
                for alias in node.names if alias.name.startswith(SKILLS_PACKAGE + ".")
            }
    return names


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise DataError(f"{file} cannot be read: {reason}") from None


def _write_atomically(file: Path, text: str) -> None:
    staged = file.with_name(f".{file.name}.staged")
    with staged.open("w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    os.replace(staged, file)
