"""Every hostile module twice: behind the walls it wins nothing, without them it wins what it was after."""

from __future__ import annotations

import os
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.hostile.catalogue import Attack, attacks
from tests.hostile.control import run_unwalled
from tests.hostile.walled import HARMLESS, Outcome, run_walled
from tests.hostile.world import ENVIRONMENT_NAME, ENVIRONMENT_SECRET, Signals, World

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the walls are those of Linux")

ATTACKS = attacks()
CONTROLLED = [attack for attack in ATTACKS if not attack.harms]
BATCH = 20
WORKERS = 1 + (os.cpu_count() or 1)

Run = Callable[[Iterable[Attack], World], Iterator[Outcome]]


class Runs:
    """Outcomes by attack, walled and not; each attack that a selected test asks for is run once."""

    def __init__(self, walled: list[Attack], unwalled: list[Attack]) -> None:
        signals = Signals()
        os.environ[ENVIRONMENT_NAME] = ENVIRONMENT_SECRET
        try:
            self.unwalled = _run_all(run_unwalled, unwalled, signals)
            self.walled = _run_all(run_walled, walled, signals)
        finally:
            del os.environ[ENVIRONMENT_NAME]
            signals.close()


def _run_all(run: Run, chosen: list[Attack], signals: Signals) -> dict[Attack, Outcome]:
    """All batches, some at a time, each worker in a world of its own."""
    batches = deque(_batches(chosen))
    outcomes: dict[Attack, Outcome] = {}

    def work(number: int) -> None:
        with World(signals, number) as world:
            while batches:
                batch = batches.popleft()
                try:
                    for outcome in run(batch, world):
                        outcomes[outcome.attack] = outcome
                except Exception:  # noqa: BLE001  # a broken test bench fails its own attacks, not all of them
                    told = traceback.format_exc()
                    outcomes.update({attack: not_run(attack, told) for attack in batch if attack not in outcomes})
                    world.renew()

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(work, range(WORKERS)))
    return outcomes


def not_run(attack: Attack, told: str) -> Outcome:
    return Outcome(attack=attack, won=frozenset(), how="not run", text=told)


def _batches(chosen: list[Attack]) -> list[list[Attack]]:
    """Attacks that may share a process, and may not; those with other deadlines apart. The long ones first."""
    batches: dict[tuple[str, float, str], list[list[Attack]]] = {}
    for attack in chosen:
        key = attack.module, attack.seconds, attack.name if attack.alone else ""
        groups = batches.setdefault(key, [[]])
        if len(groups[-1]) == BATCH:
            groups.append([])
        groups[-1].append(attack)
    return sorted((group for groups in batches.values() for group in groups), key=lambda group: -len(group))


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest) -> Runs:
    wanted: dict[str, list[Attack]] = {"walled": [], "unwalled": []}
    for item in request.session.items:
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        for name, found in wanted.items():
            if isinstance(parameters.get(name), Attack):
                found.append(parameters[name])
    return Runs(**wanted)


@pytest.mark.parametrize("walled", ATTACKS, ids=str)
def test_no_attack_gets_through(walled: Attack, runs: Runs) -> None:
    outcome = runs.walled[walled]
    assert outcome.won == set(), f"{outcome.how}: {outcome.text}"
    assert outcome.how in HARMLESS


@pytest.mark.parametrize("unwalled", CONTROLLED, ids=str)
def test_the_attack_works_without_the_walls(unwalled: Attack, runs: Runs) -> None:
    outcome = runs.unwalled[unwalled]
    if unwalled.lacks and unwalled.prize not in outcome.won and "failed:" in outcome.text:
        pytest.skip(f"{unwalled.lacks}: {outcome.text[:200]}")
    assert unwalled.prize in outcome.won, f"{outcome.how}: {outcome.text}"


