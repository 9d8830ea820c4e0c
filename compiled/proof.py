"""Whether a compiled tree gives the books of the plain sources, to the last bit: the same runs in two processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from compiled.modules import MODULES
from compiled.tree import CannotCompile

# As where strategies and jobs are run: -P keeps the working directory off sys.path, roots come as arguments.
_BOOT = "import sys; sys.path[:0] = sys.argv[1:]; from compiled.runs import main; main()"
_LAST_WORDS = 3_000
_SHOWN = 300

Runs = Mapping[str, Sequence[str]]


def prove(tree: Path) -> None:
    """Raises CannotCompile unless the plain sources and `tree` agree in every run, and each is what it claims to be."""
    root = Path(__file__).resolve().parents[1]
    plain, compiled = runs_in(root), runs_in(tree, root)
    for facts, expected in ((plain, 0), (compiled, len(MODULES))):
        if len(facts["compiled"]) != expected:
            raise CannotCompile(f"{len(facts['compiled'])} modules were compiled where {expected} should have been")
    told = difference(plain["runs"], compiled["runs"])
    if told:
        raise CannotCompile(told)


def runs_in(*roots: Path) -> dict[str, Any]:
    """What the runs came to in a process whose packages come from `roots`, the first of them first."""
    command = [sys.executable, "-P", "-c", _BOOT, *map(str, roots)]
    environ = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONHOME"}}
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=environ)
    if done.returncode:
        raise CannotCompile(f"the runs did not end with {roots[0]}:\n{done.stderr[-_LAST_WORDS:]}")
    facts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return facts


def difference(plain: Runs, compiled: Runs) -> str:
    """The first thing in which two sets of runs differ, as a sentence; empty when they agree."""
    if list(plain) != list(compiled):
        return f"the runs are {', '.join(plain)} plain and {', '.join(compiled)} compiled"
    for name, ours in plain.items():
        theirs = compiled[name]
        for number, (one, other) in enumerate(zip(ours, theirs, strict=False), 1):
            if one != other:
                return f"{name}: fact {number} is {one[:_SHOWN]} plain and {other[:_SHOWN]} compiled"
        if len(ours) != len(theirs):
            return f"{name}: {len(ours)} facts plain and {len(theirs)} compiled"
    return ""
