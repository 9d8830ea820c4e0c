"""The hostile modules as a list: read from their text, because they may not be imported where they could do harm."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

from shell.host.port import StrategySource
from tests.hostile.prizes import Prize

FOLDER = Path(__file__).parent
MODULES = FOLDER / "modules"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """One function of a hostile module, as its decorator describes it.

    `alone`: in a process of its own, because it changes the process for what follows; `spoils`: only without walls.
    `asks`: what the host is asked for, "analyze" or (after it) "state". `seconds`: the deadline of a call. `pause`: seconds
    between its scans. `lacks`: why it may fail even without walls. `thorough`: a variant of another attack, which only
    `make faults` tries.
    """

    module: str
    name: str
    prize: Prize
    steps: int = 1
    loose: bool = False
    alone: bool = False
    spoils: bool = False
    asks: str = "analyze"
    seconds: float = 3.0
    pause: float = 0.0
    lacks: str = ""
    thorough: bool = False

    def __str__(self) -> str:
        return f"{self.module}-{self.name}"


def source_of(module: str) -> StrategySource:
    """A hostile module as the strategy that a host is given."""
    kit = (FOLDER / "kit.py").read_text(encoding="utf-8")
    return StrategySource(code=(MODULES / f"{module}.py").read_text(encoding="utf-8"), skills={"kit": kit})


def attacks() -> list[Attack]:
    """Every attack of every module, in the order of the files."""
    return [attack for path in sorted(MODULES.glob("*.py")) for attack in _read(path)]


def _read(path: Path) -> list[Attack]:
    found = []
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Name) and mark.func.id == "attack":
                    facts = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in mark.keywords}
                    prize = Prize(ast.literal_eval(mark.args[0]))
                    found.append(Attack(module=path.stem, name=node.name, prize=prize, **facts))
    return found
