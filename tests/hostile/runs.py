"""Many attacks at a time: in batches that share a process where they may, by some workers, each in a world of its own."""

from __future__ import annotations

import os
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from tests.hostile.catalogue import Attack
from tests.hostile.control import run_unwalled
from tests.hostile.walled import Outcome, run_walled
from tests.hostile.world import ENVIRONMENT_NAME, ENVIRONMENT_SECRET, Signals, World

BATCH = 20
WORKERS = 1 + (os.cpu_count() or 1)
Run = Callable[[Iterable[Attack], World], Iterator[Outcome]]


def all_walled(attacks: Iterable[Attack], *, patient: bool = False) -> dict[Attack, Outcome]:
    """The outcome of each attack behind the walls. To be called in the main thread, which hears the signals."""
    return _run_all(partial(run_walled, patient=patient), attacks)


def all_unwalled(attacks: Iterable[Attack]) -> dict[Attack, Outcome]:
    """The outcome of each attack without walls."""
    return _run_all(run_unwalled, attacks)


def _run_all(run: Run, attacks: Iterable[Attack]) -> dict[Attack, Outcome]:
    signals = Signals()
    os.environ[ENVIRONMENT_NAME] = ENVIRONMENT_SECRET
    try:
        return _work_through(run, attacks, signals)
    finally:
        del os.environ[ENVIRONMENT_NAME]
        signals.close()


def _work_through(run: Run, chosen: Iterable[Attack], signals: Signals) -> dict[Attack, Outcome]:
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
                    outcomes.update({attack: _not_run(attack, told) for attack in batch if attack not in outcomes})
                    world.renew()

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(work, range(WORKERS)))
    return outcomes


def _not_run(attack: Attack, told: str) -> Outcome:
    return Outcome(attack=attack, won=frozenset(), how="not run", text=told)


def _batches(chosen: Iterable[Attack]) -> list[list[Attack]]:
    """Attacks that may share a process, and may not; those with other deadlines apart. The long ones first."""
    batches: dict[tuple[str, float, str], list[list[Attack]]] = {}
    for attack in chosen:
        key = attack.module, attack.seconds, attack.name if attack.alone else ""
        groups = batches.setdefault(key, [[]])
        if len(groups[-1]) == BATCH:
            groups.append([])
        groups[-1].append(attack)
    return sorted((group for groups in batches.values() for group in groups), key=lambda group: -len(group))
