"""The processes of one sandbox test: each serves once, some are started ahead of need, and none is left behind."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from shell.config import HostConfig
from shell.contract import ClosedTrade, RiskLimits
from shell.host.port import BarArray, StrategySource
from shell.host.supervisor import HostedStrategy
from shell.market.bars import Tier

# Processes that start while another one works: a start takes about as long as all scans of a market.
STARTED_AHEAD = 2


class Candidate(NamedTuple):
    """What a process is to run, and the seed of its hashes."""

    source: StrategySource
    hash_seed: str


class Bench:
    """Hosts as they are asked for; those of a plan begin to start before."""

    def __init__(self, config: HostConfig, limits: RiskLimits) -> None:
        self._config, self._limits = config, limits
        self._plan: deque[Candidate] = deque()
        self._ready: list[tuple[Candidate, HostedStrategy]] = []
        self.isolation: dict[str, Any] = {}

    def plan(self, candidates: Sequence[Candidate]) -> None:
        """What will be asked for, in order; the first begin to start. Raises StrategyFault where no process can be started."""
        self._plan.extend(candidates)
        self._top_up()

    def _top_up(self) -> None:
        while self._plan and len(self._ready) < STARTED_AHEAD:
            candidate = self._plan.popleft()
            self._ready.append((candidate, self._starting(candidate)))

    @contextmanager
    def host(self, candidate: Candidate) -> Iterator[HostedStrategy]:
        """A host that has served nobody, closed at the end of the block."""
        at = next((number for number, (each, _) in enumerate(self._ready) if each == candidate), None)
        host = self._starting(candidate) if at is None else self._ready.pop(at)[1]
        self._top_up()
        try:
            yield host
        finally:
            host.close()

    def start(
        self,
        host: HostedStrategy,
        symbols: Sequence[str],
        known: Mapping[tuple[str, Tier], BarArray],
        state: Mapping[str, Any] | None = None,
        trades: Sequence[ClosedTrade] = (),
    ) -> int:
        """Start the strategy; returns its scan interval in minutes. Raises StrategyFault."""
        interval = host.start(symbols=symbols, limits=self._limits, windows=known, state=state, recent_trades=trades)
        self.isolation = dict(host.isolation)
        return interval

    def close(self) -> None:
        """End what started ahead and was not needed."""
        while self._ready:
            self._ready.pop()[1].close()

    def _starting(self, candidate: Candidate) -> HostedStrategy:
        host = HostedStrategy(candidate.source, self._config, check_policy=False, hash_seed=candidate.hash_seed)
        host.prespawn()
        return host
