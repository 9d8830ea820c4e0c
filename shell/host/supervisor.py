"""The parent's side of the wall: a `StrategyHost` over a freshly executed child, killed after every fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from shell.config_book import HostConfig
from shell.contract import RECENT_TRADES_MAX, ClosedTrade, RiskLimits, Signal
from shell.errors import StrategyFault
from shell.host.isolation import attested
from shell.host.policy import require_policy
from shell.host.port import BarArray, Replay, Rolled, ScanRequest, StrategySource, Tidings
from shell.host.process import SPARES, ChildProcess
from shell.host.rolling import LaneRoll, Roll, SocketRoll, plan_of
from shell.host.spawn import FRAMELESS_HOST, STRATEGY_HOST
from shell.host.validate import decode_signals, decode_started, decode_state
from shell.host.wire import Kind, StartFacts, encode_scan, encode_start
from shell.market.bars import Tier


class HostedStrategy:
    """One strategy in one child at a time; implements `shell.host.port.StrategyHost`. Not for several threads.

    Without `frames` its process has no polars and starts in half the time. Then every method may raise FramesWanted, after
    which the caller begins anew with another host, as if nothing had been said: only who can do that may ask for it.
    """

    def __init__(
        self, source: StrategySource, config: HostConfig, *, check_policy: bool = True, hash_seed: str = "0",
        frames: bool = True,
    ) -> None:
        self._source = source
        self._call_seconds = config.call_timeout.total_seconds()
        self._start_seconds = config.start_timeout.total_seconds()
        self._check_policy = check_policy
        self._hash_seed = hash_seed
        self._program = STRATEGY_HOST if frames else FRAMELESS_HOST
        self._child: ChildProcess | None = None
        self._started = False
        self._symbols: dict[str, int] = {}
        self._roll: Roll | None = None
        self.isolation: dict[str, Any] = {}
        self.last_words = ""

    @property
    def pid(self) -> int | None:
        """The child's process id, None while there is none."""
        return None if self._child is None else self._child.pid

    def prespawn(self) -> None:
        """Begin starting a process without waiting, so that its 0.4 s pass while the caller does other things."""
        if self._child is None:
            try:
                self._child = SPARES.take(self._hash_seed, self._program)
            except OSError as error:
                raise StrategyFault("killed", f"no process could be started for the strategy: {error.strerror}") from error

    def start(
        self,
        *,
        symbols: Sequence[str],
        limits: RiskLimits,
        windows: Mapping[tuple[str, Tier], BarArray],
        state: Mapping[str, Any] | None,
        recent_trades: Sequence[ClosedTrade] = (),
    ) -> int:
        """Fresh process, code loaded, `initialize` called, windows and state restored; returns scan_interval_minutes.

        Raises StrategyRejected if the policy refuses the source, StrategyFault if the strategy fails.
        """
        return self._start(symbols, limits, windows, state, recent_trades, None)

    def start_replay(
        self,
        replay: Replay,
        *,
        limits: RiskLimits,
        windows: Mapping[tuple[str, Tier], BarArray],
        state: Mapping[str, Any] | None,
        recent_trades: Sequence[ClosedTrade] = (),
    ) -> int:
        """`start` with history that is shown by `step` and `roll`, through shared memory where there is a lane."""
        return self._start(replay.book.symbols, limits, windows, state, recent_trades, replay)

    def _start(
        self,
        symbols: Sequence[str],
        limits: RiskLimits,
        windows: Mapping[tuple[str, Tier], BarArray],
        state: Mapping[str, Any] | None,
        recent_trades: Sequence[ClosedTrade],
        replay: Replay | None,
    ) -> int:
        if self._started:
            self.close()
        if self._check_policy:
            require_policy(self._source)
        self.prespawn()
        self._started = True
        self._symbols = {symbol: index for index, symbol in enumerate(symbols)}
        source, child = self._source, self._running()
        plan = None if replay is None else plan_of(replay, len(symbols), child.lane)
        facts = StartFacts(
            code=source.code,
            skills=source.skills,
            origin=source.origin,
            symbols=symbols,
            limits=limits,
            state=state,
            recent_trades=tuple(recent_trades)[-RECENT_TRADES_MAX:],
            call_seconds=self._call_seconds,
            replay=plan,
        )
        try:
            reply = child.exchange(Kind.START, encode_start(facts, windows), self._start_seconds, "start")
            interval, told = decode_started(reply)
            self.isolation = attested(told, child.pid)
        except StrategyFault:
            self.close()
            raise
        if replay is not None and plan is not None:
            lane = child.lane
            self._roll = (
                LaneRoll(child, lane, replay, plan, self._call_seconds)
                if plan.lane and lane is not None
                else SocketRoll(child, replay, self._call_seconds)
            )
        return interval

    def step(self, slot: int, tidings: Tidings) -> list[Signal]:
        """Show a replay's rows up to `slot`, say what happened, ask. Raises StrategyFault."""
        self._running()
        assert self._roll is not None
        try:
            return decode_signals(self._roll.step(slot, tidings), self._symbols)
        except StrategyFault:
            self.close()
            raise

    def roll(self, first: int, stop: int, every: int) -> Rolled:
        """Show and ask at slots first, first + every ... below `stop`, as long as there are no signals. Never raises."""
        if self._roll is None or not self._started:
            return Rolled(first, [], StrategyFault("killed", "the strategy is not running; start it first"))
        slot, body, fault = self._roll.roll(first, stop, every)
        signals: list[Signal] = []
        if fault is None:
            try:
                signals = decode_signals(body, self._symbols)
            except StrategyFault as refused:
                fault = refused
        if fault is not None:
            self.close()
        return Rolled(slot, signals, fault)

    def analyze(self, request: ScanRequest) -> list[Signal]:
        """Deliver bars and notices, then `analyze`. Raises StrategyFault; KeyError for a symbol unknown at start."""
        body = encode_scan(request, self._symbols)
        try:
            reply = self._running().exchange(Kind.ANALYZE, body, self._call_seconds, "analyze")
            return decode_signals(reply, self._symbols)
        except StrategyFault:
            self.close()
            raise

    def get_state(self) -> dict[str, Any]:
        """The strategy's own state, as JSON values. Raises StrategyFault."""
        try:
            return decode_state(self._running().exchange(Kind.STATE, b"", self._call_seconds, "get_state"))
        except StrategyFault:
            self.close()
            raise

    def close(self) -> None:
        """Kill the child and leave no process behind. Never raises; may be called at any time, repeatedly."""
        child, self._child, self._started, self._roll = self._child, None, False, None
        if child is not None:
            child.kill()
            self.last_words = child.last_words

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _running(self) -> ChildProcess:
        if self._child is None or not self._started:
            raise StrategyFault("killed", "the strategy is not running; start it first")
        return self._child
