"""The sandbox test: does a strategy obey the contract on small markets, across a restart, in odd ones, twice the same?

It says nothing about profit. Every part runs in a fresh process behind the same walls as in a backtest or live.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from shell.clock import monotonic
from shell.config import HostConfig
from shell.contract import RiskLimits
from shell.errors import StrategyFault
from shell.host.faults import panicked
from shell.host.isolation import isolation_is_complete
from shell.host.isolation_measure import measured_isolation
from shell.host.policy import check_policy
from shell.host.port import StrategySource
from shell.host.sample_market import SampleAccount, trending_market
from shell.host.sandbox_bench import Bench, Candidate
from shell.host.sandbox_clock import under_another_clock
from shell.host.sandbox_edges import EDGE_STORIES, Case, EdgeStory, edge_stories
from shell.host.sandbox_report import (
    ADVICE,
    INTERVAL,
    NONDETERMINISTIC,
    STATE,
    Failure,
    SandboxReport,
    SandboxVerdict,
    failure_of,
)
from shell.host.sandbox_run import Run, difference, first_difference

__all__ = ["SandboxReport", "SandboxVerdict", "run_sandbox"]

SYMBOLS = ("BTC/USD", "ETH/USD")
RESTART_AFTER_SCANS = 30
# Hash seeds of the runs, chosen so that sets of these symbols, and of the actions, come out in different orders.
FIRST_SEED, SECOND_SEED, RESTART_SEED = "0", "8", "2"
# Between the first run and the second: a clock read in whole seconds shows another one.
SECONDS_BETWEEN = 1.0
# A strategy that fails in every case need not be told of all of them at once: each costs a process.
EDGE_FAULTS_MAX = 6

T = TypeVar("T")


def run_sandbox(
    source: StrategySource, *, policy: bool = True, config: HostConfig, limits: RiskLimits, seed: int = 0
) -> SandboxReport:
    """Try `source` behind the walls: the policy, a sample market twice, a restart in its middle, edge cases.

    `policy=False` tries the process wall alone and must never lead to a promotion. Leaves no process behind.
    Raises StrategyFault only where this machine cannot start a process.
    """
    began = monotonic()
    rejected = _policy_errors(source) if policy else []
    if rejected:
        return SandboxReport(
            verdict=SandboxVerdict.REJECTED, errors=rejected, signals=[], answers_hash="", isolation={"policy": True},
            isolation_gap="", seconds=monotonic() - began,
        )  # fmt: skip
    bench = Bench(config, limits)
    try:
        trial = _Trial(source, policy, bench, seed)
        failures = trial.failures()
    finally:
        bench.close()
    first, isolation = trial.first, bench.isolation or measured_isolation(config)
    return SandboxReport(
        verdict=failures[0].verdict if failures else SandboxVerdict.PASSED,
        errors=[failure.error for failure in failures],
        signals=[row for rows in first.rows for row in rows] if first else [],
        answers_hash=first.answers_hash() if first else "",
        isolation={"policy": policy, **isolation},
        isolation_gap=isolation_is_complete(isolation),
        seconds=monotonic() - began,
    )


class _Trial:
    """One strategy's way through the test, each part in a process of its own."""

    def __init__(self, source: StrategySource, policy: bool, bench: Bench, seed: int) -> None:
        self._plain = Candidate(source, FIRST_SEED)
        self._elsewhere = Candidate(under_another_clock(source, checked=policy), SECOND_SEED)
        self._restarted = Candidate(source, RESTART_SEED)
        self.first: Run | None = None
        self._bench = bench
        self._first_ended = 0.0
        bench.plan([self._plain, self._restarted, *(self._plain for _ in range(EDGE_STORIES)), self._elsewhere])
        self._sample = trending_market(SYMBOLS, seed)
        self._stories = edge_stories(seed)

    def failures(self) -> list[Failure]:
        """Everything found, what explains the rest first. Empty if there is nothing.

        A fault of the sample market is told alone; and so is that two runs differ, because then nothing else is certain.
        """
        try:
            first = self.first = _once_more(lambda: self._walk("sample market", self._plain, middle=True))
        except Failure as failure:
            return [failure]
        self._first_ended = monotonic()
        found = self._found(lambda: self._restart(first))
        if not found:
            edges = _EdgeFaults()
            for story in self._stories:
                if edges.room:
                    self._edges(story, edges)
            found = edges.failures()
        if any(failure.fatal for failure in found):
            return found
        # Last, so that a clock read in whole seconds has moved on as well.
        return self._found(lambda: self._repeat(first)) or found

    @staticmethod
    def _found(part: Callable[[], None]) -> list[Failure]:
        try:
            part()
        except Failure as failure:
            return [failure]
        return []

    def _walk(self, name: str, candidate: Candidate, *, middle: bool) -> Run:
        """All scans of the sample market in one process; `middle` asks for the state there, too."""
        sample, run = self._sample, Run()
        account = SampleAccount(sample)
        with self._bench.host(candidate) as host, _named(name, run):
            run.interval = self._bench.start(host, sample.symbols, sample.windows)
            for request in account.requests():
                account.waiting = run.take(host.analyze(request), request.now.isoformat())
                if middle and len(run.scans) == RESTART_AFTER_SCANS:
                    run.middle = host.get_state()
            run.state = host.get_state()
        return run

    def _repeat(self, first: Run) -> None:
        """The same market in another process, with another hash seed and another clock, and no look at the state between."""
        time.sleep(max(0.0, self._first_ended + SECONDS_BETWEEN - monotonic()))
        second = _once_more(lambda: self._walk("second run", self._elsewhere, middle=False))
        found = difference(first, second)
        if found is None:
            return
        number, sentence = found
        if number > RESTART_AFTER_SCANS:
            # Up to there the runs were told apart by clock and chance alone, from there on by the look at the state as well.
            third = self._walk("third run", self._plain, middle=False)
            if difference(first, third) is not None and difference(second, third) is None:
                message = f"calling get_state after scan {RESTART_AFTER_SCANS} changes what follows {sentence}"
                raise Failure(SandboxVerdict.ERROR, STATE, message, advice="get_state only looks: it must change nothing")
        code = NONDETERMINISTIC if first.interval == second.interval else INTERVAL
        raise Failure(SandboxVerdict.NONDETERMINISTIC, code, f"two runs on the same data differ {sentence}")

    def _restart(self, first: Run) -> None:
        """The second half in a process that was given the state of the first half: nothing may change."""
        restarted = _once_more(lambda: self._second_half(first))
        found = difference(first, restarted)
        if found is not None:
            message = f"a restart after scan {RESTART_AFTER_SCANS} changes what follows {found[1]}"
            raise Failure(SandboxVerdict.ERROR, STATE, message)

    def _second_half(self, first: Run) -> Run:
        sample, run = self._sample, first.first(RESTART_AFTER_SCANS)
        account = SampleAccount(sample)
        requests = account.requests()
        now = sample.begins
        for answered in run.scans:
            now = next(requests).now
            account.waiting = answered
        with self._bench.host(self._restarted) as host, _named("after a restart", run):
            known, trades = sample.known_at(now), account.trades[: account.fresh]
            run.interval = self._bench.start(host, sample.symbols, known, first.middle, trades)
            restored = host.get_state()
            if restored != first.middle:
                message = f"load_state does not restore what get_state returned: {first_difference(first.middle, restored)}"
                raise Failure(SandboxVerdict.ERROR, STATE, message)
            for request in requests:
                account.waiting = run.take(host.analyze(request), request.now.isoformat())
            run.state = host.get_state()
        return run

    def _edges(self, story: EdgeStory, faults: _EdgeFaults) -> None:
        """Every case of a story. After a fault the story goes on in a new process, with the next case."""
        cases = [told.case for told in story.circumstances]
        number, panics = 0, 0
        while number < len(cases) and faults.room:
            done, fault = self._tell(story, number)
            if fault is None:
                break
            number = min(number + done, len(cases) - 1)
            if panicked(fault) and not panics:
                panics = 1
                continue
            faults.add(cases[number], fault)
            number = _after(cases, number)

    def _tell(self, story: EdgeStory, number: int) -> tuple[int, StrategyFault | None]:
        """(scans that went well from `number` on, the fault that ended them)."""
        known, rest = story.after(number)
        done = 0
        with self._bench.host(self._plain) as host:
            try:
                self._bench.start(host, story.sample.symbols, known)
                for _, request in rest.requests():
                    host.analyze(request)
                    done += 1
                host.get_state()
            except StrategyFault as fault:
                return done, fault
        return done, None


class _EdgeFaults:
    """Faults in edge cases: the same one on the same line in several cases is one failure."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, int | None, str], tuple[Failure, list[Case]]] = {}
        self._fatal = False

    @property
    def room(self) -> bool:
        """Whether further cases are worth a process."""
        return not self._fatal and sum(len(cases) for _, cases in self._found.values()) < EDGE_FAULTS_MAX

    def add(self, case: Case, fault: StrategyFault) -> None:
        failure = failure_of(fault, case.title, case.advice)
        self._found.setdefault((fault.kind, fault.line, str(fault)), (failure, []))[1].append(case)
        self._fatal |= failure.fatal

    def failures(self) -> list[Failure]:
        for failure, cases in self._found.values():
            message = str(failure.error["message"]).removeprefix(f"{cases[0].title}: ")
            failure.error["message"] = f"{', and with '.join(case.title for case in cases)}: {message}"
        return [failure for failure, _ in self._found.values()]


def _policy_errors(source: StrategySource) -> list[dict[str, Any]]:
    return [
        {"line": found.line, "code": found.code, "message": str(found), "advice": ADVICE[found.code]}
        for found in check_policy(source)
    ]


def _once_more(part: Callable[[], T]) -> T:
    """A part of the test; where a library panicked, once more in another process."""
    try:
        return part()
    except Failure as failure:
        if not panicked(failure.__cause__):
            raise
    return part()


@contextmanager
def _named(name: str, run: Run) -> Iterator[None]:
    """A fault inside becomes a failure, with the market and the scan in its sentence."""
    try:
        yield
    except StrategyFault as fault:
        raise failure_of(fault, f"{name}, scan {len(run.scans) + 1}") from fault


def _after(cases: Sequence[Case], number: int) -> int:
    """The first scan of the case that follows the one at `number`."""
    case = cases[number]
    while number < len(cases) and cases[number] is case:
        number += 1
    return number
