"""Whether a strategy will touch a polars frame: most do not, and without polars their process starts in half the time.

A forecast, made from the text. It need not be right: a process that was started without polars ends at once, in a way that no
code in it can stop, when anything in it asks for polars after all (`shell.host.frameless`), and the run is begun anew with it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from shell.host.loader import SKILLS
from shell.host.port import StrategySource
from shell.syntax import parse_source

FRAMES = frozenset({"candles_5m", "candles_1h", "candles_1d"})
LIBRARY = "polars"
# How a process ends that was started without polars and was asked for it (sysexits.h: EX_TEMPFAIL).
FRAMES_WANTED = 75


class FramesWanted(Exception):
    """A strategy asked for polars in a process that has none. What that process said until then is to be forgotten, and the
    strategy asked from the beginning in one that has it."""


def touches_frames(source: StrategySource) -> bool:
    """True if the strategy, or a skill that it may import, names polars or a frame of the contract; or cannot be read."""
    try:
        return any(map(_names_frames, _reachable(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True


def _reachable(source: StrategySource) -> Iterator[ast.Module]:
    """The trees of the strategy and of every skill whose name occurs in an import of one of them."""
    waiting, seen = [source.code], set[str]()
    while waiting:
        tree = parse_source(waiting.pop())
        yield tree
        found = _imported(tree, source.skills) - seen
        seen |= found
        waiting += [source.skills[name] for name in sorted(found)]


def _imported(tree: ast.Module, skills: Mapping[str, str]) -> set[str]:
    words: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names]
            if isinstance(node, ast.ImportFrom) and node.module:
                names.append(node.module)
            words.update(word.removeprefix(f"{SKILLS}.") for word in names)
    return words & set(skills)


def _names_frames(tree: ast.Module) -> bool:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                if any(_of_library(alias.name) for alias in names):
                    return True
            case ast.ImportFrom(module=str(module)):
                if _of_library(module):
                    return True
            case ast.Attribute(attr=name) | ast.keyword(arg=str(name)) | ast.Constant(value=str(name)):
                if name in FRAMES:
                    return True
            case ast.MatchClass(kwd_attrs=named):
                if not FRAMES.isdisjoint(named):
                    return True
            case _:
                pass
    return False


def _of_library(module: str) -> bool:
    return module.split(".")[0] == LIBRARY
