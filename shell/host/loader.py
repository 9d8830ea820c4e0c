"""Strategy code as modules in memory: the child never opens a strategy file, the text came over the wire."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

PACKAGE = "strategy"
SKILLS = "strategy.skills"
MODULE = "strategy.active.strategy"
CLASS = "Strategy"


def skill_file(name: str) -> str:
    """The file name that messages show for a skill."""
    return f"strategy/skills/{name}.py"


class SkillImporter:
    """Finds `strategy.skills.NAME` among the given texts and nowhere else. A finder and loader by its methods alone: the base
    classes for that bring a dozen modules along, at every start of a process."""

    def __init__(self, skills: Mapping[str, str]) -> None:
        self._skills = {f"{SKILLS}.{name}": (skill_file(name), text) for name, text in skills.items()}

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname in self._skills else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        """None: an ordinary module."""

    def exec_module(self, module: ModuleType) -> None:
        file, text = self._skills[module.__name__]
        _execute(text, file, module)


def load_strategy(code: str, skills: Mapping[str, str], origin: str) -> object:
    """Run the strategy's module and make its `Strategy`. Raises what its code raises, ImportError without the class."""
    for name in (PACKAGE, SKILLS, "strategy.active"):
        package = ModuleType(name)
        package.__path__ = []
        sys.modules[name] = package
    sys.modules[PACKAGE].__dict__["skills"] = sys.modules[SKILLS]
    sys.meta_path.insert(0, SkillImporter(skills))
    module = ModuleType(MODULE)
    # Dataclasses and typing look their module up by name.
    sys.modules[MODULE] = module
    _execute(code, origin, module)
    made = module.__dict__.get(CLASS)
    if made is None:
        raise ImportError(f"{origin} defines no class {CLASS}")
    strategy: object = made()
    return strategy


def _execute(text: str, file: str, module: ModuleType) -> None:
    # Registered so that tracebacks show source lines without a file to open.
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    exec(compile(text, file, "exec", dont_inherit=True), module.__dict__)
