"""The compiled copy of `shell`: copied, rewritten, compiled, and put in place only when it is whole and proven."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path

from compiled.extension import GROUP
from compiled.modules import INHERITED, LOOSE, MODULES, OUTSIDE, REPLACEMENTS, TUPLES
from compiled.values import CannotRewrite, replaced, rewritten
from shell.compiled import FOLDER, STAMP, stamp

LOG = "build.log"
LOG_LINES_TOLD = 25
_COMPILER = Path(__file__).with_name("extension.py")
# Left by the compiler, needed by nobody.
_LEFTOVERS = ("build", ".mypy_cache", "pyproject.toml")
_UNFINISHED = f"{FOLDER}-"


class CannotCompile(Exception):
    """No compiled core was made, and why."""


def missing() -> str:
    """What this machine lacks for compiling, and how to get it, in a sentence; empty when nothing is missing."""
    if any(importlib.util.find_spec(name) is None for name in ("mypyc", "setuptools")):
        return "mypy's compiler is not installed: make environment installs it"
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    if shutil.which(compiler) is None:
        return f"there is no C compiler ({compiler}): install one (on Debian, the package gcc), or name one with CC=..."
    header = Path(sysconfig.get_path("include")) / "Python.h"
    if not header.is_file():
        return f"Python's headers are not installed ({header}): on Debian, the package python3-dev has them"
    return ""


def make(root: Path, prove: Callable[[Path], None], tell: Callable[[str], None] = lambda line: None) -> Path:
    """Make the compiled copy of the sources in `root`, let `prove` look at it, and put it at its place.

    `prove` raises CannotCompile if it finds a difference; then, as after any other error, what stood before stands.
    """
    for left in root.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(left)
    unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=root))
    unfinished.chmod(0o755)
    try:
        tree = unfinished / "tree"
        told = stamp(root)
        tell("copying and rewriting")
        copy(root, tree)
        rewrite(tree)
        tell(f"compiling {len(MODULES)} modules")
        compile_tree(tree)
        tell("proving it against the sources")
        prove(tree)
        if stamp(root) != told:
            raise CannotCompile("the sources changed meanwhile: make it again")
        (tree / STAMP).write_text(told, encoding="utf-8")
        place(tree, root / FOLDER)
    finally:
        shutil.rmtree(unfinished)
    return root / FOLDER


def copy(root: Path, tree: Path) -> None:
    """The sources of `root` into `tree`, with the settings that mypy reads."""
    shutil.copytree(root / "shell", tree / "shell", ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    shutil.copy(root / "pyproject.toml", tree)


def rewrite(tree: Path) -> None:
    """Give every listed module the text that is compiled. Raises CannotCompile naming the module that has changed."""
    for name in MODULES:
        path = tree / name
        try:
            path.write_text(compilable(name, path.read_text(encoding="utf-8")), encoding="utf-8")
        except FileNotFoundError:
            raise CannotCompile(f"there is no {name}: compiled/modules.py must follow") from None
        except CannotRewrite as error:
            raise CannotCompile(f"{name}: {error}; compiled/modules.py must follow") from None


def compilable(name: str, text: str) -> str:
    """The text of module `name` as it is compiled. Raises CannotRewrite."""
    text = replaced(text, REPLACEMENTS.get(name, ()))
    none: frozenset[str] = frozenset()
    return rewritten(text, *(each.get(name, none) for each in (TUPLES, OUTSIDE, INHERITED, LOOSE)))


def compile_tree(tree: Path) -> None:
    """Compile the rewritten modules where they lie. Raises CannotCompile with the compiler's last words."""
    log = tree / LOG
    with log.open("w", encoding="utf-8") as out:
        done = subprocess.run(
            [sys.executable, "-P", str(_COMPILER), *MODULES], cwd=tree, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            check=False,
        )
    if done.returncode:
        last_words = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES_TOLD:]
        raise CannotCompile("\n".join(["the compiler refused:", *last_words]))
    # A strategy's process may read `shell` and nothing beside it, so the group's library lies in there. It is imported
    # by a name without a package, which the link serves: the walls judge a file by where it really lies.
    for library in tree.glob(f"{GROUP}__mypyc*"):
        library.rename(tree / "shell" / library.name)
        library.symlink_to(Path("shell") / library.name)
    for name in (*_LEFTOVERS, LOG):
        path = tree / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def place(tree: Path, target: Path) -> None:
    """Put `tree` at `target`. What stood there goes when the new one stands, and comes back if that cannot be."""
    old = tree.with_name("old")
    had = target.exists()
    if had:
        target.rename(old)
    try:
        tree.rename(target)
    except OSError:
        if had:
            old.rename(target)
        raise
