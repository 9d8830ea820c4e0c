"""Which core a command runs on, with a planted copy that is plain sources: what is tried is the way there, not the speed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deployments.cli import core
from deployments.cli.core import Core, on_core
from shell.compiled import FOLDER, STAMP, stamp
from shell.errors import UsageError
from shell.market.synthetic import synthetic_market
from tests.deployments.test_cli import answer
from tests.shell.backtest.test_search import HOLDER
from tests.shell.scripted import START

RUN = "import sys; sys.path.insert(0, sys.argv.pop(1)); from deployments.cli.main import app; app()"


@pytest.fixture(scope="module")
def planted(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with a compiled core that is not compiled, some bars and a strategy."""
    root = tmp_path_factory.mktemp("planted")
    for name in ("shell", "tasks", "flows", "deployments", "strategy", "config"):
        shutil.copytree(project / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(root / "shell", root / FOLDER / "shell")
    (root / FOLDER / STAMP).write_text(stamp(root))
    (root / "bars").mkdir()
    for symbol, frame in synthetic_market(3, ["BTC/USD"], START, 3).m5.items():
        frame.write_parquet(root / "bars" / f"{symbol.replace('/', '-')}_5m.parquet")
    (root / "holder.py").write_text(HOLDER)
    return root


def brain(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as one started it in `root`, on the sources there."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, "-P", "-c", RUN, str(root), *arguments], capture_output=True, text=True, timeout=240, cwd=root,
        check=False, env=environ,
    )


def facts(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    return answer(done)


BACKTEST = ("backtest", "--strategy", "holder.py", "--data", "bars", "--json")


def test_a_backtest_runs_on_the_core_that_is_there_and_plain_when_asked(planted: Path) -> None:
    auto, plain = facts(brain(planted, *BACKTEST)), facts(brain(planted, *BACKTEST, "--core", "plain"))
    assert (auto.pop("core"), plain.pop("core")) == ("compiled", "plain")
    for each in (auto, plain):
        del each["seconds"], each["bars_per_second"]
    assert auto == plain


@pytest.mark.parametrize("command", ["search", "walk-forward"])
def test_many_runs_do_so_too(command: str, planted: Path) -> None:
    days = () if command == "search" else ("--train-days", "1", "--test-days", "1")
    options = ("--strategy", "holder.py", "--data", "bars", "--trials", "2", "--workers", "2", "--json", *days)
    assert facts(brain(planted, command, *options, "--core", "compiled"))["core"] == "compiled"


def test_mistakes_and_help_come_through_the_change_of_core(planted: Path) -> None:
    done = brain(planted, *BACKTEST, "--cash", "-5")
    assert done.returncode == 2
    assert "--cash" in answer(done)["error"]


def test_a_core_of_other_sources_is_left_alone_and_missed_only_when_asked_for(planted: Path) -> None:
    path = planted / FOLDER / STAMP
    before = path.read_text()
    path.write_text(re.sub(r"[0-9a-f]{64}", "0" * 64, before))
    try:
        assert facts(brain(planted, *BACKTEST))["core"] == "plain"
        refused = brain(planted, *BACKTEST, "--core", "compiled")
    finally:
        path.write_text(before)
    assert refused.returncode == 2
    assert answer(refused)["error"] == (
        "--core compiled: the compiled core was made of other sources: make compiled makes one of these sources"
    )


def test_a_process_that_was_not_started_as_the_command_is_never_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "core", lambda: "plain")
    monkeypatch.setattr(core, "_begin_anew", lambda tree: pytest.fail("it was replaced"))
    monkeypatch.setattr(core, "find_tree", lambda: pytest.fail("it was looked for"))
    assert on_core("backtest", Core.AUTO) == "plain"
    with pytest.raises(UsageError, match="only a process that was started as brain backtest"):
        on_core("backtest", Core.COMPILED)


def test_a_cluster_runs_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "core", lambda: "plain")
    monkeypatch.setattr(sys, "argv", ["brain", "search"])
    assert on_core("search", Core.AUTO, cluster="local:2") == "plain"
    with pytest.raises(UsageError, match="a cluster's workers run the plain sources"):
        on_core("search", Core.COMPILED, cluster="local:2")


def test_a_process_replaces_itself_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "core", lambda: "plain")
    monkeypatch.setattr(sys, "argv", ["brain", "search"])
    monkeypatch.setenv("BRAIN_CORE_PROCESS", str(os.getpid()))
    assert on_core("search", Core.AUTO) == "plain"
    with pytest.raises(UsageError, match="replaced itself and still runs the plain sources"):
        on_core("search", Core.COMPILED)
