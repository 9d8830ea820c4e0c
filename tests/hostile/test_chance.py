"""What differs from run to run shows when a strategy is run twice, in fresh processes with different hash seeds.

Chance and clocks cannot be taken from a process (a clock is read without a system call), so they are not denied but found.
"""

from __future__ import annotations

import pytest

from shell.contract import Signal
from shell.host.port import StrategySource
from shell.host.supervisor import HostedStrategy
from tests.shell.host.sources import LIMITS, QUICK, SYMBOLS, scan, strategy, windows

CHANCES = {
    "random": "__import__('random').random()",
    "shuffled": "__import__('random').sample(range(1000), 9)",
    "numpy generator": "np.random.default_rng().random()",
    "numpy's old generator": "np.random.rand()",
    "bytes of the system": "__import__('os').urandom(8).hex()",
    "secrets": "__import__('random').SystemRandom().random()",
    "time": "__import__('time').time_ns()",
    "monotonic time": "__import__('time').perf_counter_ns()",
    "processor time": "__import__('time').process_time_ns()",
    "today": "__import__('datetime').datetime.now().isoformat()",
    "hash of a text": "hash('BTC/USD')",
    "order of a set": "list({chr(65 + n) * 3 for n in range(26)})",
    "address": "id(object())",
    "address in a text": "repr(self)",
    "process": "__import__('os').getpid()",
    "polars sample": "pl.Series(range(1000)).sample(9).to_list()",
    "polars shuffle": "pl.select(pl.int_range(1000).shuffle()).to_series().head(9).to_list()",
}


def answers(source: StrategySource, hash_seed: str) -> list[Signal]:
    with HostedStrategy(source, QUICK, check_policy=False, hash_seed=hash_seed) as host:
        host.start(symbols=SYMBOLS, limits=LIMITS, windows=windows(), state=None)
        return host.analyze(scan())


@pytest.fixture(scope="module")
def two_runs() -> list[dict[str, str]]:
    """What each chance gave in each of two processes."""
    told = ", ".join(f"({name!r}, str({expression})[:480])" for name, expression in CHANCES.items())
    body = f"return [Signal('BTC/USD', Action.BUY, tag=name, reasoning=text) for name, text in [{told}]]"
    return [{signal.tag: signal.reasoning for signal in answers(strategy(body), seed)} for seed in ("0", "8")]


@pytest.mark.parametrize("name", CHANCES)
def test_chance_shows_when_run_twice(name: str, two_runs: list[dict[str, str]]) -> None:
    first, second = two_runs
    assert first[name] != second[name]


def test_what_is_seeded_or_ordered_does_not_show() -> None:
    body = """
    import random
    seeded = random.Random(7).random(), np.random.default_rng(7).random(), sorted({"a", "b", "c"}), timestamp.isoformat()
    return [Signal("BTC/USD", Action.BUY, reasoning=str(seeded))]
    """
    assert answers(strategy(body), "0") == answers(strategy(body), "8")
