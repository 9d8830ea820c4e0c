"""The sandbox test: does a strategy obey the contract on small markets, twice the same, and across a restart?

It says nothing about profit. Every run is a fresh child behind the same wall as in a backtest or live.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any

from shell.clock import monotonic
from shell.config import HostConfig
from shell.contract import RiskLimits, Signal
from shell.errors import StrategyFault
from shell.host.policy import check_policy
from shell.host.port import BarArray, StrategySource
from shell.host.sample_market import Sample, SampleAccount, awkward_market, trending_market
from shell.host.supervisor import HostedStrategy
from shell.market.bars import Tier

SYMBOLS = ("BTC/USD", "ETH/USD")
RESTART_AFTER_SCANS = 30
# Hash seeds of the runs, chosen so that sets of these symbols, and of the actions, come out in different orders.
FIRST_SEED, SECOND_SEED, RESTART_SEED = "0", "8", "2"


class SandboxVerdict(StrEnum):
    PASSED = "passed"
    REJECTED = "rejected"
    ERROR = "error"
    TIMEOUT = "timeout"
    KILLED = "killed"
    NONDETERMINISTIC = "nondeterministic"


_VERDICTS = {"timeout": SandboxVerdict.TIMEOUT, "killed": SandboxVerdict.KILLED}


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxReport:
    """What the sandbox found. `answers_hash` covers every signal and the final state; `signals` are those of the sample
    market; `isolation` is what the child says of its wall; `seconds` is wall time, for display."""

    verdict: SandboxVerdict
    errors: list[dict[str, Any]]
    signals: list[dict[str, Any]]
    answers_hash: str
    isolation: dict[str, Any]
    seconds: float

    @property
    def passed(self) -> bool:
        return self.verdict is SandboxVerdict.PASSED

    def as_dict(self) -> dict[str, Any]:
        """JSON values, `seconds` included."""
        return {
            "verdict": self.verdict.value,
            "errors": self.errors,
            "signals": self.signals,
            "answers_hash": self.answers_hash,
            "isolation": self.isolation,
            "seconds": self.seconds,
        }


@dataclass(slots=True)
class _Run:
    """One walk over a sample: each scan's signals as JSON rows, and the state at the end."""

    scans: list[list[dict[str, Any]]]
    state: dict[str, Any]
    interval: int

    def answers(self) -> dict[str, Any]:
        return {"scans": self.scans, "state": self.state, "interval": self.interval}


class _Failed(Exception):
    """Ends the test early with its verdict."""

    def __init__(self, verdict: SandboxVerdict, code: str, message: str, line: int | None = None) -> None:
        self.verdict = verdict
        self.error: dict[str, Any] = {"line": line, "code": code, "message": message}
        super().__init__(message)


class _Bench:
    """Starts the hosts of one test, each with a successor already starting, and never leaves one behind."""

    def __init__(self, source: StrategySource, config: HostConfig, limits: RiskLimits) -> None:
        self._source, self._config, self._limits = source, config, limits
        self._next: HostedStrategy | None = None
        self.isolation: dict[str, Any] = {}

    def prepare(self, hash_seed: str) -> None:
        self._next = HostedStrategy(self._source, self._config, check_policy=False, hash_seed=hash_seed)
        self._next.prespawn()

    @contextmanager
    def host(self, following: str | None) -> Iterator[HostedStrategy]:
        """The prepared host; the one for hash seed `following` starts in the background meanwhile."""
        host, self._next = self._next, None
        assert host is not None
        try:
            if following is not None:
                self.prepare(following)
            yield host
        finally:
            host.close()

    def start(
        self,
        host: HostedStrategy,
        account: SampleAccount,
        known: Mapping[tuple[str, Tier], BarArray],
        state: Mapping[str, Any] | None,
    ) -> int:
        interval = host.start(
            symbols=account.sample.symbols,
            limits=self._limits,
            windows=known,
            state=state,
            recent_trades=account.trades,
        )
        self.isolation = dict(host.isolation)
        return interval

    def close(self) -> None:
        if self._next is not None:
            self._next.close()


def run_sandbox(
    source: StrategySource, *, policy: bool = True, config: HostConfig, limits: RiskLimits, seed: int = 0
) -> SandboxReport:
    """Try `source` behind the wall: the policy, a sample market twice, a restart in its middle, awkward markets.

    `policy=False` tries the process wall alone and must never lead to a promotion. Leaves no process behind.
    """
    began = monotonic()
    if policy:
        findings = check_policy(source)
        if findings:
            errors = [{"line": item.line, "code": item.code, "message": str(item)} for item in findings]
            return SandboxReport(
                verdict=SandboxVerdict.REJECTED,
                errors=errors,
                signals=[],
                answers_hash="",
                isolation={"policy": True},
                seconds=monotonic() - began,
            )
    bench = _Bench(source, config, limits)
    verdict, errors, first = SandboxVerdict.PASSED, [], None
    try:
        sample = trending_market(SYMBOLS, seed)
        bench.prepare(FIRST_SEED)
        first = _walk(bench, sample, "sample market", following=SECOND_SEED)
        _compare(first, _walk(bench, sample, "second run", following=RESTART_SEED))
        _restart(bench, sample, first)
        _awkward(bench, seed)
    except _Failed as failed:
        verdict, errors = failed.verdict, [failed.error]
    finally:
        bench.close()
    return SandboxReport(
        verdict=verdict,
        errors=errors,
        signals=[] if first is None else [signal for scan in first.scans for signal in scan],
        answers_hash="" if first is None else _hash(first.answers()),
        isolation={"policy": policy, **bench.isolation},
        seconds=monotonic() - began,
    )


def _walk(bench: _Bench, sample: Sample, name: str, following: str | None) -> _Run:
    """All scans of a sample in one child."""
    account = SampleAccount(sample, sample.cash)
    scans: list[list[dict[str, Any]]] = []
    with bench.host(following) as host, _named(name, scans):
        interval = bench.start(host, account, sample.windows, None)
        for request in account.requests():
            account.waiting = host.analyze(request)
            scans.append([_row(signal, request.now.isoformat()) for signal in account.waiting])
        state = host.get_state()
    return _Run(scans, state, interval)


def _restart(bench: _Bench, sample: Sample, first: _Run) -> None:
    """The same scans, but the process is replaced in the middle and given the state: nothing may change."""
    account = SampleAccount(sample, sample.cash)
    scans: list[list[dict[str, Any]]] = []
    requests = account.requests()
    with bench.host(FIRST_SEED) as host, _named("before a restart", scans):
        bench.start(host, account, sample.windows, None)
        for _ in range(RESTART_AFTER_SCANS):
            request = next(requests)
            account.waiting = host.analyze(request)
            scans.append([_row(signal, request.now.isoformat()) for signal in account.waiting])
        state = host.get_state()
    _compare_scans(first.scans, scans)
    with bench.host(FIRST_SEED) as host, _named("after a restart", scans):
        bench.start(host, account, sample.known_at(request.now), state)
        if host.get_state() != state:
            raise _Failed(SandboxVerdict.ERROR, "STATE", "load_state does not restore what get_state returned")
        for request in requests:
            account.waiting = host.analyze(request)
            scans.append([_row(signal, request.now.isoformat()) for signal in account.waiting])
    for number, (before, after) in enumerate(zip(first.scans, scans, strict=True), start=1):
        if before != after:
            message = (
                f"a restart after scan {RESTART_AFTER_SCANS} changes the signals of scan {number}: "
                f"return everything that analyze remembers from get_state, and take it back in load_state"
            )
            raise _Failed(SandboxVerdict.ERROR, "STATE", message)


def _awkward(bench: _Bench, seed: int) -> None:
    name = "awkward markets (no bars, one bar, a hole, extreme prices, no cash)"
    _walk(bench, awkward_market(seed), name, following=None)


def _compare(first: _Run, second: _Run) -> None:
    _compare_scans(first.scans, second.scans)
    if first.answers() != second.answers():
        message = "two runs on the same data end in different states"
        raise _Failed(SandboxVerdict.NONDETERMINISTIC, "NONDETERMINISTIC", message)


def _compare_scans(first: list[list[dict[str, Any]]], second: list[list[dict[str, Any]]]) -> None:
    """As far as both went."""
    for number, (one, other) in enumerate(zip(first, second, strict=False), start=1):
        if one != other:
            message = f"two runs on the same data differ at scan {number}: {_shown(one)} and {_shown(other)}"
            raise _Failed(SandboxVerdict.NONDETERMINISTIC, "NONDETERMINISTIC", message)


@contextmanager
def _named(name: str, scans: list[list[dict[str, Any]]]) -> Iterator[None]:
    """A fault inside becomes the verdict, with the market and the scan in its sentence."""
    try:
        yield
    except StrategyFault as fault:
        verdict = _VERDICTS.get(fault.kind, SandboxVerdict.ERROR)
        message = f"{name}, scan {len(scans) + 1}: {fault}"
        raise _Failed(verdict, fault.kind.upper(), message, fault.line) from None


def _row(signal: Signal, timestamp: str) -> dict[str, Any]:
    row: dict[str, Any] = {"timestamp": timestamp}
    for name in Signal.__slots__:
        value = getattr(signal, name)
        row[name] = value.value if isinstance(value, Enum) else value
    return row


def _shown(signals: list[dict[str, Any]]) -> str:
    return ", ".join(f"{row['action']} {row['symbol']}" for row in signals) or "no signal"


def _hash(answers: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(answers, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]
