"""All attacks with all their variants, and all ordinary strategies, several times over: what fails now and then shows here.

`make faults` runs it, with a round for every five of its BRAIN_FAULT_POINTS.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from shell.errors import StrategyFault
from tests.hostile.catalogue import attacks
from tests.hostile.runs import WORKERS, all_unwalled, all_walled
from tests.hostile.test_honest import NAMES, answers
from tests.hostile.walled import HARMLESS

FAULT = "fault:"
ROUNDS = int(os.environ.get("BRAIN_FAULT_POINTS", "0")) // 5

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the walls are those of Linux"),
    pytest.mark.skipif(not ROUNDS, reason="make faults runs it"),
]


def test_no_variant_of_an_attack_ever_gets_through() -> None:
    through: Counter[str] = Counter()
    for _ in range(ROUNDS):
        for attack, outcome in all_walled(attacks()).items():
            if outcome.won or outcome.how not in HARMLESS:
                through[f"{attack}: {sorted(outcome.won)} {outcome.how} {outcome.text}"] += 1
    print(f"{len(attacks())} attacks in {ROUNDS} rounds, got through {through.total()}")
    assert not through


def test_every_variant_works_without_the_walls() -> None:
    failed = {
        str(attack): outcome.text
        for attack, outcome in all_unwalled(attacks()).items()
        if attack.prize not in outcome.won and not (attack.lacks and "failed:" in outcome.text)
    }
    assert failed == {}


def test_ordinary_strategies_never_meet_a_wall() -> None:
    def run(key: tuple[str, str]) -> tuple[str, str]:
        try:
            return key[0], answers(*key)
        except StrategyFault as fault:
            return key[0], f"{FAULT} {fault}"

    seeds = [str(seed) for seed in range(3 * ROUNDS)]
    with ThreadPoolExecutor(WORKERS) as pool:
        said = Counter(pool.map(run, [(name, seed) for seed in seeds for name in NAMES]))
    others = {key: count for key, count in said.items() if count < len(seeds) or key[1].startswith(FAULT)}
    print(f"{len(NAMES)} ordinary strategies in {len(seeds)} runs, faults and answers that differ {len(others)}")
    assert others == {}
