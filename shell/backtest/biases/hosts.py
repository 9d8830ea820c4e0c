"""Hosts that the probes put between the engine and a strategy: one that restarts it, one that only repeats."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from shell.clock import to_ms
from shell.contract import RECENT_TRADES_MAX, ClosedTrade, RiskLimits, Signal
from shell.errors import StrategyFault
from shell.host.port import BarArray, ScanRequest, StrategyHost
from shell.market.bars import TIERS, Tier
from shell.market.columns import Columns
from shell.orders import SignalAnswer


class RestartingHost:
    """A host that ends the strategy's process before the first scan at or after each of `restarts`, and goes on in a fresh
    one from the state that `get_state` gave: what a restart of the whole system does."""

    def __init__(self, make: Callable[[], StrategyHost], restarts: Collection[datetime]) -> None:
        self._make = make
        self._pending = sorted(restarts)
        self._inner = make()
        self._columns: dict[tuple[str, Tier], Columns] = {}
        self._trades: list[ClosedTrade] = []
        self._facts: dict[str, Any] = {}
        self.restarted = 0

    def start(
        self,
        *,
        symbols: Sequence[str],
        limits: RiskLimits,
        windows: Mapping[tuple[str, Tier], BarArray],
        state: Mapping[str, Any] | None,
        recent_trades: Sequence[ClosedTrade] = (),
    ) -> int:
        self._facts = {"symbols": symbols, "limits": limits}
        self._columns = {
            (symbol, tier): Columns(windows.get((symbol, tier)), tier=tier) for symbol in symbols for tier in TIERS
        }
        self._trades = list(recent_trades)
        return self._inner.start(windows=windows, state=state, recent_trades=recent_trades, **self._facts)

    def analyze(self, request: ScanRequest) -> list[Signal]:
        for symbol, tier, open_ms, *prices in request.new_bars:
            self._columns[symbol, tier].append(open_ms, *prices)
        self._trades = [*self._trades, *request.new_trades][-RECENT_TRADES_MAX:]
        if not self._pending or request.now < self._pending[0]:
            return self._inner.analyze(request)
        self._pending = [moment for moment in self._pending if moment > request.now]
        state = self._inner.get_state()
        self._inner.close()
        self._inner = self._make()
        now_ms = to_ms(request.now)
        windows = {key: columns.window(now_ms, key[1].kept_ms) for key, columns in self._columns.items()}
        try:
            self._inner.start(windows=windows, state=state, recent_trades=self._trades, **self._facts)
        except StrategyFault as fault:
            raise StrategyFault(fault.kind, f"it could not be restarted from its own state: {fault}", fault.line) from None
        self.restarted += 1
        # The windows and trades just sent hold everything that is new.
        return self._inner.analyze(replace(request, new_bars=(), new_trades=()))

    def get_state(self) -> dict[str, Any]:
        return self._inner.get_state()

    def close(self) -> None:
        self._inner.close()


class RepeatingHost:
    """A host without a strategy: it gives the signals of an earlier run again, each later by `delay`."""

    def __init__(self, answers: Iterable[SignalAnswer], delay: timedelta) -> None:
        self._due: dict[datetime, list[Signal]] = defaultdict(list)
        for answer in answers:
            self._due[answer.decided_at + delay].append(signal_of(answer))

    def start(
        self,
        *,
        symbols: Sequence[str],
        limits: RiskLimits,
        windows: Mapping[tuple[str, Tier], BarArray],
        state: Mapping[str, Any] | None,
        recent_trades: Sequence[ClosedTrade] = (),
    ) -> int:
        return 5

    def analyze(self, request: ScanRequest) -> list[Signal]:
        return self._due.get(request.now, [])

    def get_state(self) -> dict[str, Any]:
        return {}

    def close(self) -> None:
        """There is no process to end."""


def signal_of(answer: SignalAnswer) -> Signal:
    """The signal that got this answer."""
    return Signal(
        symbol=answer.symbol, action=answer.action, size_pct=answer.size_pct, order_type=answer.order_type,
        limit_price=answer.limit_price, stop_loss=answer.stop_loss, take_profit=answer.take_profit,
        intent=answer.horizon, confidence=answer.confidence, reasoning=answer.reasoning, tag=answer.tag,
    )
