"""Runs hostile modules where they belong: in a hosted strategy, without the policy, watched from outside."""

from __future__ import annotations

import itertools
import random
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from shell.config import HostConfig
from shell.contract import Signal
from shell.errors import StrategyFault
from shell.host.port import ScanRequest
from shell.host.supervisor import HostedStrategy
from tests.hostile.breaches import breaches_of_signals, breaches_of_state
from tests.hostile.catalogue import Attack, source_of
from tests.hostile.market import PAST, requests
from tests.hostile.observer import Observer, alive
from tests.hostile.prizes import Prize
from tests.hostile.world import World
from tests.shell.host.sources import LIMITS, SYMBOLS

START_SECONDS = 30.0
# What the parent may need on a busy machine to notice a deadline and end a process.
GRACE_SECONDS = 8.0
SETTLES_SECONDS = 0.03
HARMLESS = {"answered", "error", "timeout", "killed", "bad_reply", "attempt"}

# Apart from those of another run of these tests at the same time; a hash seed has 32 bits.
_marks = itertools.count(random.SystemRandom().randrange(1, 1 << 31))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an attack ended: what it won, in which way ("answered" or the kind of a fault), and all that it said."""

    attack: Attack
    won: frozenset[Prize]
    how: str
    text: str


def fresh_mark() -> str:
    """A hash seed that no other process of this test has: by it descendants are known."""
    return str(next(_marks))


def config(seconds: float) -> HostConfig:
    return HostConfig(call_timeout=timedelta(seconds=seconds), start_timeout=timedelta(seconds=START_SECONDS))


def run_walled(attacks: Iterable[Attack], world: World, *, patient: bool = False) -> Iterator[Outcome]:
    """Each attack in turn; a fresh child after every fault and after every success. With `patient` what an attack is for is
    waited for, as where the walls have fallen: on a busy machine it may take its time."""
    waiting = deque(attacks)
    while waiting:
        mark = fresh_mark()
        first = waiting[0]
        host = HostedStrategy(source_of(first.module), config(first.seconds), check_policy=False, hash_seed=mark)
        with host:
            state = {"plan": [attack.name for attack in waiting], "world": world.facts()}
            host.start(symbols=SYMBOLS, limits=LIMITS, windows=PAST, state=state)
            pid = host.pid
            assert pid is not None
            scans = requests(sum(attack.steps for attack in waiting))
            observer = Observer(world, pid, mark)
            ended = False
            while waiting and not ended:
                outcome = _run(waiting.popleft(), host, scans, observer, patient)
                ended = outcome.how != "answered" or bool(outcome.won) or not waiting
                if not ended:
                    yield outcome
            # What travels through the kernel or through another thread of this process needs a moment.
            time.sleep(SETTLES_SECONDS)
            won = outcome.won | observer.after("")
        yield _afterwards(replace(outcome, won=won), host, pid, observer)
        observer.end_descendants()
        if won:
            world.renew()


def _run(attack: Attack, host: HostedStrategy, scans: Iterator[ScanRequest], observer: Observer, patient: bool) -> Outcome:
    """One attack, looked at while its process still lives if it does. Compared with how all was before the first attack."""
    said: list[str] = []
    won: set[Prize] = set()
    how = "answered"
    began = time.monotonic()
    try:
        for step in range(1, attack.steps + 1):
            signals = host.analyze(next(scans))
            won |= _won_by(signals, step)
            said += [f"{signal.reasoning} {signal.tag}" for signal in signals]
            time.sleep(attack.pause if step < attack.steps else 0.0)
        if attack.asks == "state":
            state = host.get_state()
            said.append(str(state))
            won |= {Prize.CONTRACT} if breaches_of_state(state) else set()
    except StrategyFault as fault:
        how = fault.kind
        said.append(str(fault))
        observer.settle()
    if time.monotonic() - began > attack.steps * (attack.seconds + attack.pause) + GRACE_SECONDS:
        won.add(Prize.LATE)
    won |= observer.after(" ".join(said), attack.prize if patient else None)
    return Outcome(attack=attack, won=frozenset(won), how=how, text=" ".join(said)[:500])


def _afterwards(outcome: Outcome, host: HostedStrategy, pid: int, observer: Observer) -> Outcome:
    """The same when the host has closed: nothing may live on, and nothing may have been said on the error stream."""
    observer.settle()
    won = outcome.won | observer.after(host.last_words)
    if alive(pid):
        won |= {Prize.PROCESS}
    return replace(outcome, won=won)


def _won_by(signals: list[Signal], step: int) -> set[Prize]:
    broken = {Prize.CONTRACT} if breaches_of_signals(signals, SYMBOLS) else set()
    return broken | forged([signal.tag for signal in signals], step)


def forged(tags: Iterable[object], step: int) -> set[Prize]:
    """FORGED if an answer with these tags is another's than that of this scan of the attack."""
    return {Prize.FORGED} if any(tag == "FORGED" or (tag == "ONCE" and step > 1) for tag in tags) else set()
