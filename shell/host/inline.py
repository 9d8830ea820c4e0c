"""A strategy in the very process that holds engine and history: for the fast path, whose process is locked as a whole.

Never used where a key or a ledger that counts is near. What the strategy is given is made as in a hosted run, bar by bar,
but the bars to come lie in the same memory: a result obtained so is not certified.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from shell.clock import monotonic
from shell.contract import ClosedTrade, RiskLimits, Signal
from shell.errors import StrategyFault
from shell.host.answers import encode_signals
from shell.host.candles import CandleShelf
from shell.host.loader import PACKAGE, SkillImporter
from shell.host.port import BarArray, Replay, Rolled, ScanRequest, StrategySource, Tidings
from shell.host.session import Session
from shell.host.validate import decode_fault, decode_interval, decode_signals, decode_state, usual_signals
from shell.host.wire import Kind, ReplayPlan, StartFacts
from shell.market.bars import TIERS, Tier
from shell.market.tape import Table, Tape

STEP_MS = Tier.M5.ms


class Pulse(Protocol):
    """Who is told how far a replay is, so that somebody outside can end a strategy that does not return."""

    due: float
    """When the next beat is wanted, by `shell.clock.monotonic`."""

    def beat(self, slot: int, *, starting: bool = False) -> None:
        """The strategy is about to be asked at `slot`, or to be started there, which may take longer."""


class NoPulse:
    """For a caller that waits as long as it takes."""

    due = math.inf

    def beat(self, slot: int, *, starting: bool = False) -> None:
        return None


class InlineHost:
    """Implements `shell.host.port.ReplayHost` without a process of its own."""

    def __init__(self, source: StrategySource, pulse: Pulse | None = None) -> None:
        self._source = source
        self._pulse: Pulse = pulse or NoPulse()
        self._session: Session | None = None
        self._replay: Replay | None = None
        self._symbols: dict[str, int] = {}
        self._base = (0, 0, 0)
        self._tapes: list[Tape] = []
        self._next_higher = 0

    def start_replay(
        self,
        replay: Replay,
        *,
        limits: RiskLimits,
        windows: Mapping[tuple[str, Tier], BarArray],
        state: Mapping[str, Any] | None,
        recent_trades: Sequence[ClosedTrade] = (),
    ) -> int:
        """Load the strategy over the rows of `replay` from its present slot on. Raises StrategyFault."""
        book, symbols = replay.book, list(replay.book.symbols)
        self._symbols = {symbol: index for index, symbol in enumerate(symbols)}
        self._replay, self._base = replay, book.counts(book.slot)
        self._tapes = [
            Tape(len(symbols), _read_only(book.tapes[tier].table[base:])) for tier, base in zip(TIERS, self._base, strict=True)
        ]
        self._next_higher = 0
        facts = StartFacts(
            code=self._source.code, skills=self._source.skills, origin=self._source.origin, symbols=symbols, limits=limits,
            state=state, recent_trades=recent_trades, call_seconds=0.0,
            replay=ReplayPlan((0, 0, 0), book.half_spread, replay.fees, False),
        )
        self._pulse.beat(book.slot, starting=True)
        _forget_modules()
        session = self._session = Session({})
        shelf = CandleShelf(symbols, windows, dict(zip(TIERS, self._tapes, strict=True)))
        try:
            return decode_interval(session.start(facts, shelf))
        except BaseException as error:  # noqa: BLE001  # the strategy's errors are answers, as behind the wall
            raise self._fault(error) from None

    def start(
        self,
        *,
        symbols: Sequence[str],
        limits: RiskLimits,
        windows: Mapping[tuple[str, Tier], BarArray],
        state: Mapping[str, Any] | None,
        recent_trades: Sequence[ClosedTrade] = (),
    ) -> int:
        """Not for this host: it only replays."""
        raise StrategyFault("error", "a strategy runs in the engine's own process in a replay only")

    def analyze(self, request: ScanRequest) -> list[Signal]:
        """Not for this host: it only replays."""
        raise StrategyFault("error", "a strategy runs in the engine's own process in a replay only")

    def step(self, slot: int, tidings: Tidings) -> list[Signal]:
        """Show the rows up to `slot`, say what happened, ask. Raises StrategyFault."""
        session, now_ms = self._show(slot)
        if monotonic() >= self._pulse.due:
            self._pulse.beat(slot)
        try:
            answer = session.step(now_ms, tidings)
            signals = usual_signals(answer, self._symbols)
            body = encode_signals(answer) if signals is None else b""
        except BaseException as error:  # noqa: BLE001  # as above
            raise self._fault(error) from None
        return decode_signals(body, self._symbols) if signals is None else signals

    def roll(self, first: int, stop: int, every: int) -> Rolled:
        """Show and ask at slots first, first + every ... below `stop`, as long as there are no signals. Never raises."""
        if self._session is None or self._replay is None:
            return Rolled(first, [], StrategyFault("killed", "the strategy is not running; start it first"))
        m5, base, start_ms = self._tapes[0], self._base[0], self._replay.book.start_ms
        ask, slot, pulse = self._session.quiet_step, first, self._pulse
        try:
            while slot < stop:
                if slot >= self._next_higher:
                    self._show(slot)
                m5.count = slot - base
                if monotonic() >= pulse.due:
                    pulse.beat(slot)
                answer = ask(start_ms + slot * STEP_MS)
                if type(answer) is not list or answer:
                    signals = usual_signals(answer, self._symbols)
                    if signals is None:
                        # Held to the same as behind a wall, and told the same of it.
                        signals = decode_signals(encode_signals(answer), self._symbols)
                    if signals:
                        return Rolled(slot, signals)
                slot += every
        except StrategyFault as fault:
            return Rolled(slot, [], fault)
        except BaseException as error:  # noqa: BLE001  # as above
            return Rolled(slot, [], self._fault(error))
        return Rolled(slot, [])

    def get_state(self) -> dict[str, Any]:
        """The strategy's own state, as JSON values. Raises StrategyFault."""
        session, _ = self._show(None)
        try:
            return decode_state(session.state())
        except StrategyFault:
            raise
        except BaseException as error:  # noqa: BLE001  # as above
            raise self._fault(error) from None

    def close(self) -> None:
        """Forget the strategy."""
        self._session = None

    def _show(self, slot: int | None) -> tuple[Session, int]:
        if self._session is None or self._replay is None:
            raise StrategyFault("killed", "the strategy is not running; start it first")
        book = self._replay.book
        if slot is None:
            return self._session, 0
        if slot < self._next_higher:
            self._tapes[0].count = slot - self._base[0]
            return self._session, book.start_ms + slot * STEP_MS
        counts = book.counts(slot)
        for tape, count, base in zip(self._tapes, counts, self._base, strict=True):
            tape.count = count - base
        self._next_higher = book.next_counts(slot)
        return self._session, book.start_ms + slot * STEP_MS

    def _fault(self, error: BaseException) -> StrategyFault:
        session, self._session = self._session, None
        if isinstance(error, StrategyFault):
            return error
        assert session is not None
        kind, body = session.fault(error)
        assert kind is Kind.FAULT
        return decode_fault(body)


def _read_only(table: Table) -> Table:
    """The engine's own rows, as something that a strategy cannot write into by accident: in a hosted run it could not."""
    shown = table.view()
    shown.flags.writeable = False
    return shown


def _forget_modules() -> None:
    """Drop the strategy's and its skills' modules, so that it begins as in a fresh process."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, SkillImporter)]
    for name in [name for name in sys.modules if name == PACKAGE or name.startswith(f"{PACKAGE}.")]:
        del sys.modules[name]
