"""Which core a command runs on: the plain sources, or their compiled copy, for which the process replaces itself.

Only commands that a person asks for alone, and whose results are recorded nowhere, may run compiled. The live shell, paper
trading, the nightly cycle and the gate's evidence run the sources that are read and tested.
"""

from __future__ import annotations

import os
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from shell.compiled import COMPILED, PLAIN, core, find_tree, source_root
from shell.errors import UsageError


class Core(str, Enum):
    """What may be asked for."""

    AUTO = "auto"
    PLAIN = "plain"
    COMPILED = "compiled"


CoreOption = Annotated[
    Core, typer.Option("--core", help="auto: compiled where `make compiled` was run on these sources. Changes no result.")
]

# The process that has replaced itself already, so that one whose path did not take does it no second time.
_DONE = "BRAIN_CORE_PROCESS"
_BOOTSTRAP = (
    "import sys; sys.path[:0] = sys.argv[1:3]; sys.argv[:] = sys.argv[3:]; "
    "from deployments.cli.main import app; app()"
)


def on_core(command: str, wanted: Core, *, cluster: str = "") -> str:
    """The name of the core that `command` goes on with. Called before anything else: on the way to the compiled core this
    process begins anew and does not return. Raises UsageError where that was asked for and cannot be."""
    if core() == COMPILED:
        return COMPILED
    if wanted is Core.PLAIN:
        return PLAIN
    reason = _against(command, cluster)
    if not reason:
        tree = find_tree()
        if tree.path is not None:
            _begin_anew(tree.path)
        reason = f"{tree.reason}: make compiled makes one of these sources"
    if wanted is Core.COMPILED:
        raise UsageError(f"--core compiled: {reason}")
    return PLAIN


def _against(command: str, cluster: str) -> str:
    """Why the compiled core is not even looked for; empty where it is."""
    if cluster:
        return "a cluster's workers run the plain sources"
    if sys.argv[1:2] != [command]:
        return f"only a process that was started as brain {command} may replace itself"
    if os.environ.get(_DONE) == str(os.getpid()):
        return "this process replaced itself and still runs the plain sources"
    return ""


def _begin_anew(tree: Path) -> NoReturn:
    """The same command again in this process, with `tree` first on sys.path and everything else from the sources."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    arguments = [sys.executable, "-P", "-c", _BOOTSTRAP, str(tree), str(source_root()), *sys.argv]
    os.execve(sys.executable, arguments, {**os.environ, _DONE: str(os.getpid())})
