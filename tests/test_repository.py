"""What must be true of the whole repository: no address in the lock, no swallowed error, no loose end, no giant."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

PRODUCT = ("shell", "tasks", "flows", "deployments", "strategy")
FILE_LINES_MAX = 450
GENERATED = {".git", ".venv", ".compiled", "data", "reports", "build", "node_modules"}
TEXT = {".py", ".md", ".toml", ".yaml", ".yml", ".html", ".css", ".js", ".example", ".lock", ".txt", ""}

# Where everything may be caught and kept, and why. Tidying up and raising again is allowed everywhere.
CATCHES_EVERYTHING = {
    "shell/host/session.py": "the wall: whatever a strategy raises becomes a reply",
    "shell/host/serving.py": "the same, for the steps of a replay",
    "shell/loop.py": "the loop's outermost edge: counted, shown, and the next part goes on",
    "shell/beside.py": "a companion's start: counted and shown by the loop, which trades on without it",
    "shell/calls.py": "a question's own exception is its asker's, never the trading thread's",
    "shell/telegram/companion.py": "the bot's thread begins afresh, and one failed answer is one answer's; counted, in health",
    "shell/page/feed.py": "a view that cannot be made is counted and told in the page's health; the page goes on",
    "shell/host/inline.py": "the same, where the strategy and the engine share a locked process",
}

LOOSE_ENDS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|\bcoming soon\b|\bplaceholder\b", re.IGNORECASE)
MACHINE = re.compile(r"(?<![\w.])/(work|root|home/\w+|Users/\w+|opt/\w+)/|\.\./shar[e]d|py[p]i\.org|python[h]osted")
# Files whose subject these words are.
MAY_SAY = {"tests/test_repository.py", "LICENSE"}


def product_files(root: Path) -> Iterator[Path]:
    for package in PRODUCT:
        yield from sorted((root / package).rglob("*.py"))


def text_files(root: Path) -> Iterator[Path]:
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        hidden = any(part.endswith("_cache") or part in {"__pycache__", ".hypothesis"} for part in parts)
        if path.is_file() and parts[0] not in GENERATED and not hidden and path.suffix in TEXT:
            yield path


def broad_handlers(root: Path) -> list[str]:
    """Handlers of everything (bare, or of Exception or BaseException) that do not end by raising it again."""
    found = []
    for path in product_files(root):
        name = path.relative_to(root).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler) and not raises_again(node):
                kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
                if any(kind is None or getattr(kind, "id", "") in {"Exception", "BaseException"} for kind in kinds):
                    found.append(f"{name}:{node.lineno}")
    return found


def raises_again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def lines_matching(root: Path, pattern: re.Pattern[str]) -> list[str]:
    found = []
    for path in text_files(root):
        name = path.relative_to(root).as_posix()
        if name not in MAY_SAY:
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                if pattern.search(line):
                    found.append(f"{name}:{number}: {line.strip()[:120]}")
    return found


def test_the_lock_names_no_address_and_pins_everything_by_hash(project: Path) -> None:
    lock = (project / "requirements.lock").read_text()
    assert re.findall(r"://|@|--(?:extra-)?index|--find-links|\bfile:", lock) == []
    pinned = re.split(r"\n(?=\S)", lock.strip())
    assert all(re.match(r"[\w.-]+(\[[\w, ]+\])?==\S+", entry) and "--hash=sha256:" in entry for entry in pinned)


def test_the_lock_holds_what_the_project_asks_for(project: Path) -> None:
    asked = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    locked = set(re.findall(r"^([\w.-]+)", (project / "requirements.lock").read_text(), re.MULTILINE))
    names = (re.match(r"[\w.-]+", line) for line in (*asked["dependencies"], *asked["optional-dependencies"]["dev"]))
    assert {name[0] for name in names if name} <= locked


def test_nothing_but_the_listed_places_catches_everything(project: Path) -> None:
    assert {place.split(":")[0] for place in broad_handlers(project)} == set(CATCHES_EVERYTHING)


def test_no_product_file_is_a_giant(project: Path) -> None:
    long = {str(path): len(path.read_text().splitlines()) for path in product_files(project)}
    assert {path: lines for path, lines in long.items() if lines > FILE_LINES_MAX} == {}


def test_nothing_is_left_for_later(project: Path) -> None:
    assert lines_matching(project, LOOSE_ENDS) == []


def test_nothing_tells_of_one_machine_or_registry(project: Path) -> None:
    assert lines_matching(project, MACHINE) == []


def test_the_licence_is_complete(project: Path) -> None:
    licence = (project / "LICENSE").read_text()
    for part in ("GNU AFFERO GENERAL PUBLIC LICENSE", "13. Remote Network Interaction", "17. Interpretation of"):
        assert part in licence


@pytest.mark.parametrize("text", ["except Exception:", "except (ValueError, BaseException) as e:", "except:"])
def test_a_planted_broad_handler_is_found(text: str, tmp_path: Path) -> None:
    (tmp_path / "shell").mkdir()
    (tmp_path / "shell" / "a.py").write_text(f"try:\n    pass\n{text}\n    pass\n")
    (tmp_path / "shell" / "b.py").write_text(f"try:\n    pass\n{text}\n    close()\n    raise\n")
    assert broad_handlers(tmp_path) == ["shell/a.py:3"]


def test_planted_words_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("fine\n# TODO later\nsee /root/x\n")
    assert lines_matching(tmp_path, LOOSE_ENDS) == ["a.md:2: # TODO later"]
    assert lines_matching(tmp_path, MACHINE) == ["a.md:3: see /root/x"]
