"""Imports point one way: deployments -> flows -> tasks -> shell, and inside the shell down a ladder.

The checks read syntax trees, so that an import inside a function counts as well. Each is also run on a planted tree
that breaks it, because a check that finds nothing proves nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

# Lowest first. A module stands on the rung of the longest name that covers it, and imports from its own rung or below.
LADDER: tuple[tuple[str, ...], ...] = (
    (
        *("errors", "contract", "money", "clock", "duration", "undumpable", "syntax", "program", "children", "compiled"),
        *("notices.kinds", "notices.link_watch", "notices.notice"),
    ),
    ("config", "secrets", "home", "log", "live_mode", "settings_value", "settings_check", "settings_file", "main_book", "config_ai",
     "config_book", "capital_notes"),
    ("market.bars", "market.columns", "market.frames", "market.tape", "market.pair", "market.history", "orders", "indicators", "host.port",
     "execution.client_id"),
    ("trials.candidate", "trials.segments", "answers", "exchange.gateway", "document", "model_calls", "model_costs", "predictions"),
    ("market",),
    ("portfolio",),
    ("risk",),
    ("exchange", "execution"),
    ("host",),
    ("store",),
    ("engine_config", "seat", "step_log", "live_value", "live_status"),
    ("engine",),
    ("venue",),
    ("book_setup", "measured_halts", "exchange.reconciler", "capital"),
    ("backtest",),
    ("truth",),
    ("index.normal", "index.novelty"),
    ("gate", "trials", "report", "book_figures", "index", "document.history"),
    ("promotion",),
    ("staged_capital",),
    ("document.keeper", "parity"),
    ("slots", "bar_keeper", "start_up", "notices"),
    ("versions",),
    ("service", "desk", "by_hand"),
    ("calls",),
    ("companion",),
    ("beside", "control", "telegram", "page", "loop", "watchdog"),
)
PACKAGES = {"deployments": 3, "flows": 2, "tasks": 1, "shell": 0}
ORCHESTRATION = {"prefect", "prefect_dask"}

STRATEGY_MAY_IMPORT = {"__future__", "numpy", "polars", "shell.contract", "shell.indicators", "strategy.skills"} | {
    *("math", "statistics", "decimal", "dataclasses", "collections", "enum", "typing", "types", "functools"),
    *("itertools", "operator", "copy", "string", "re", "bisect", "heapq", "abc", "datetime", "random"),
}

CLOCK_READS = {
    "time": {"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "localtime", "gmtime"},
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
}
MAY_READ_THE_CLOCK = {"shell/clock.py"}


def trees(root: Path, *packages: str) -> Iterator[tuple[str, str, ast.Module]]:
    """(path, dotted module, tree) of every file of `packages`."""
    for package in packages:
        for path in sorted((root / package).rglob("*.py")):
            relative = path.relative_to(root)
            module = ".".join(relative.with_suffix("").parts).removesuffix(".__init__")
            yield relative.as_posix(), module, ast.parse(path.read_text(encoding="utf-8"), str(relative))


def imported(module: str, tree: ast.Module, known: frozenset[str] = frozenset()) -> Iterator[tuple[int, str]]:
    """(line, module) of every import; `from package import module` names the module where that is `known`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = module.split(".")[: -node.level] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield node.lineno, inner if inner in known else base


def upward_edges(root: Path) -> list[str]:
    """Imports that climb from one package to one above it, and orchestration below `tasks`."""
    found = []
    for path, module, tree in trees(root, *PACKAGES):
        package = module.split(".")[0]
        for line, target in imported(module, tree):
            top = target.split(".")[0]
            if PACKAGES.get(top, -1) > PACKAGES[package] or (package == "shell" and top in ORCHESTRATION):
                found.append(f"{path}:{line} imports {target}")
    return found


def rung(module: str) -> int | None:
    """The rung of a shell module; None if it has no place on the ladder."""
    name = module.removeprefix("shell.")
    rungs = ((entry, at) for at, row in enumerate(LADDER) for entry in row)
    covering = [(len(entry), at) for entry, at in rungs if f"{name}.".startswith(f"{entry}.")]
    return max(covering)[1] if covering else None


def ladder_breaches(root: Path) -> list[str]:
    """Shell modules without a rung, and imports that climb."""
    found = []
    modules = list(trees(root, "shell"))
    known = frozenset(module for _, module, _ in modules)
    packages = {module for path, module, _ in modules if path.endswith("__init__.py")}
    for path, module, tree in modules:
        own = rung(module)
        if own is None and module not in packages:
            found.append(f"{path} has no rung on the ladder: give it one")
        for line, target in imported(module, tree, known):
            if target.startswith("shell.") and target not in packages:
                other = rung(target)
                if own is not None and other is not None and other > own:
                    found.append(f"{path}:{line} imports {target} from {other - own} rungs above")
    return found


def cycle(root: Path) -> list[str]:
    """One import cycle between modules, if there is any."""
    modules = list(trees(root, *PACKAGES, "strategy"))
    known = frozenset(module for _, module, _ in modules)
    graph: Mapping[str, set[str]] = {
        module: {target for _, target in imported(module, tree, known) if target in known and target != module}
        for _, module, tree in modules
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def strategy_breaches(root: Path) -> list[str]:
    """Imports of the workspace beyond the contract, the indicators, its skills and what only computes."""
    found = []
    for path, module, tree in trees(root, "strategy"):
        for line, target in imported(module, tree):
            if not any(f"{target}.".startswith(f"{allowed}.") for allowed in STRATEGY_MAY_IMPORT):
                found.append(f"{path}:{line} imports {target}")
    return found


def clock_reads(root: Path) -> list[str]:
    """Places outside the clock's module that read the machine's time."""
    found = []
    for path, _, tree in trees(root, *PACKAGES):
        if path in MAY_READ_THE_CLOCK:
            continue
        for node in ast.walk(tree):
            owner = ""
            if isinstance(node, ast.Attribute):
                owner = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
                if node.attr in CLOCK_READS.get(owner, ()):
                    found.append(f"{path}:{node.lineno} reads {owner}.{node.attr}")
            elif isinstance(node, ast.ImportFrom) and node.module == "time":
                names = {alias.name for alias in node.names} & CLOCK_READS["time"]
                found += [f"{path}:{node.lineno} imports time.{name}" for name in sorted(names)]
    return found


CHECKS = {check.__name__: check for check in (upward_edges, ladder_breaches, cycle, strategy_breaches, clock_reads)}


@pytest.mark.parametrize("name", CHECKS)
def test_the_tree_keeps_the_rule(name: str, project: Path) -> None:
    assert CHECKS[name](project) == []


@pytest.mark.parametrize(
    ("name", "file", "line", "told"),
    [
        ("upward_edges", "shell/clock.py", "from tasks.client import Status", "shell/clock.py:1 imports tasks.client"),
        ("upward_edges", "tasks/scan.py", "import flows.scan", "imports flows.scan"),
        ("upward_edges", "flows/scan.py", "def f():\n    from deployments import cli", "flows/scan.py:2"),
        ("upward_edges", "shell/deep/engine.py", "import prefect.client", "imports prefect.client"),
        ("upward_edges", "tasks/scan.py", "from ..flows import scan", "imports flows"),
        ("ladder_breaches", "shell/money.py", "from shell.orders import Fill", "2 rungs above"),
        ("ladder_breaches", "shell/market/bars.py", "from . import book", "imports shell.market.book"),
        ("ladder_breaches", "shell/market/bars.py", "from shell.market import book", "imports shell.market.book"),
        ("ladder_breaches", "shell/novelty.py", "", "has no rung"),
        ("cycle", "shell/risk/a.py", "import shell.risk.b", "shell.risk.b"),
        ("strategy_breaches", "strategy/active/strategy.py", "import os", "imports os"),
        ("strategy_breaches", "strategy/skills/trend.py", "from shell.clock import monotonic", "imports shell.clock"),
        ("strategy_breaches", "strategy/active/strategy.py", "import shell.contractor", "imports shell.contractor"),
        ("clock_reads", "shell/engine.py", "import time\nx = time.monotonic()", "reads time.monotonic"),
        ("clock_reads", "tasks/scan.py", "import datetime as d\nx = d.datetime.now()", "reads datetime.now"),
        ("clock_reads", "flows/scan.py", "from time import perf_counter", "imports time.perf_counter"),
    ],
)
def test_the_check_finds_a_planted_breach(name: str, file: str, line: str, told: str, tmp_path: Path) -> None:
    for path in ("shell/market/book.py", "shell/orders.py", "shell/risk/b.py", "flows/scan.py", file):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    (tmp_path / "shell/risk/b.py").write_text("import shell.risk.a\n")
    (tmp_path / file).write_text(line)
    found = CHECKS[name](tmp_path)
    assert any(told in breach for breach in found), found


def test_the_clock_itself_and_allowed_imports_pass(tmp_path: Path) -> None:
    for path, text in {
        "shell/clock.py": "import time\nx = time.monotonic()",
        "shell/engine.py": "import time\ntime.sleep(1)\nfrom shell.money import Price",
        "strategy/active/strategy.py": "import numpy.linalg\nfrom strategy.skills.trend import slope\nimport math",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    assert [breach for check in CHECKS.values() for breach in check(tmp_path)] == []
