"""Ordinary strategies pass both walls, and answer the same in three fresh processes with three hash seeds. The second of
these has polars only where the strategy names it or a frame."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple

import pytest

from shell.host.frames import touches_frames
from shell.host.policy import check_policy
from shell.host.port import StrategySource
from shell.host.supervisor import HostedStrategy
from tests.hostile.catalogue import FOLDER
from tests.hostile.market import PAST, requests
from tests.hostile.walled import config
from tests.shell.host.sources import LIMITS, SYMBOLS

HONEST = FOLDER / "honest"
NAMES = sorted(path.stem for path in HONEST.glob("*.py"))
SKILLS = {path.stem: path.read_text(encoding="utf-8") for path in sorted((HONEST / "skills").glob("*.py"))}
RUNS = ("0", "8", "2")
SCANS = 6
RESTART_AFTER = 3
CALL_SECONDS = 20.0


def source_of(name: str) -> StrategySource:
    return StrategySource(code=(HONEST / f"{name}.py").read_text(encoding="utf-8"), skills=SKILLS)


def answers(name: str, hash_seed: str) -> str:
    """Every signal and the last state of a run over a small market, as text; the first fault if there is one."""
    said: list[object] = []
    frames = hash_seed != RUNS[1] or touches_frames(source_of(name))
    with HostedStrategy(source_of(name), config(CALL_SECONDS), hash_seed=hash_seed, frames=frames) as host:
        said.append(host.start(symbols=SYMBOLS, limits=LIMITS, windows=PAST, state=None))
        for request in requests(SCANS):
            said.append([[str(value) for value in astuple(signal)] for signal in host.analyze(request)])
        said.append(host.get_state())
    return json.dumps(said, sort_keys=True)


class Runs:
    """The answers of every strategy that a selected test asks for, as futures, some at a time."""

    def __init__(self, pool: ThreadPoolExecutor, wanted: list[tuple[str, str]]) -> None:
        self.answers = {key: pool.submit(answers, *key) for key in wanted}


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest) -> object:
    names = [item.callspec.params["name"] for item in request.session.items if item.fspath == request.node.fspath
             and "name" in getattr(getattr(item, "callspec", None), "params", {})]  # fmt: skip
    wanted = [(name, seed) for name in dict.fromkeys(names) for seed in RUNS]
    with ThreadPoolExecutor(1 + (os.cpu_count() or 1)) as pool:
        yield Runs(pool, wanted)


@pytest.mark.parametrize("name", NAMES)
def test_ordinary_code_meets_no_wall(name: str, runs: Runs) -> None:
    first, second, third = (runs.answers[name, seed].result() for seed in RUNS)
    assert first == second == third
    scans = json.loads(first)[1:-1]
    assert sum(map(len, scans)) > 0, "it never wanted anything: nothing is shown by it"


@pytest.mark.parametrize("code", NAMES)
def test_the_policy_finds_nothing_in_ordinary_code(code: str) -> None:
    assert check_policy(source_of(code)) == []


def test_the_set_is_large_enough_to_mean_something() -> None:
    assert len(NAMES) >= 25
    assert [name for name in NAMES if not touches_frames(source_of(name))] == ["without_frames"]
