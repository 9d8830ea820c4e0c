"""The compiled core: where it lies, and whether it is that of these sources.

A compiled core is a copy of `shell` whose hot modules are machine code (`make compiled`). Backtests that a person asks for
run on it; the live shell, paper trading and the nightly cycle run these sources.
"""

from __future__ import annotations

import hashlib
import json
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import NamedTuple

FOLDER = ".compiled"
# Beside the copy's `shell`: what it was made of. Written last, so a copy without it is none.
STAMP = "compiled-core.json"
PLAIN, COMPILED = "plain", "compiled"
# What goes in: the shell, and what rewrites and compiles it. Not what proves it: a better proof makes no other copy.
_MADE_OF = ("shell/**/*.py", *(f"compiled/{name}.py" for name in ("extension", "modules", "tree", "values")))
_ROOT = Path(__file__).resolve().parents[1]


class Tree(NamedTuple):
    """The compiled copy to put first on sys.path; without a `path`, `reason` says in a sentence why there is none to use."""

    path: Path | None
    reason: str = ""


def core() -> str:
    """Which core this process runs."""
    return COMPILED if (_ROOT / STAMP).is_file() else PLAIN


def source_root() -> Path:
    """The folder of the sources, whichever core runs: a compiled copy lies in a folder of its own there."""
    return _ROOT.parent if core() == COMPILED else _ROOT


def find_tree(root: Path | None = None) -> Tree:
    """The compiled copy of the sources in `root` (default: these)."""
    base = root or source_root()
    folder = base / FOLDER
    try:
        told = json.loads((folder / STAMP).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Tree(None, "there is no compiled core")
    except (OSError, ValueError) as error:
        return Tree(None, f"the compiled core's stamp cannot be read ({error})")
    if not isinstance(told, dict) or told.get("python") != python_tag():
        return Tree(None, "the compiled core was made for another Python")
    if told.get("sources") != sources_hash(base):
        return Tree(None, "the compiled core was made of other sources")
    return Tree(folder)


def stamp(root: Path) -> str:
    """The text of the stamp of a copy that was made of the sources in `root`, by this Python."""
    return json.dumps({"sources": sources_hash(root), "python": python_tag()}) + "\n"


def sources_hash(root: Path) -> str:
    """The identity of everything that a compiled copy of `root` is made of."""
    digest = hashlib.sha256()
    for pattern in _MADE_OF:
        for path in sorted(root.glob(pattern)):
            digest.update(f"\0{path.relative_to(root).as_posix()}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def python_tag() -> str:
    """What compiled modules depend on: the version, and the interface and machine they are linked for."""
    return f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}{EXTENSION_SUFFIXES[0]}"
