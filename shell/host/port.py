"""What the engine needs of a strategy host, and the values that cross: the supervisor implements it over a child process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from shell.contract import Action, ClosedTrade, Intent, Portfolio, RiskLimits, Signal
from shell.market.bars import Bar, Quote, Tier

# Rows of float64: open_ms, open, high, low, close, volume; oldest first, closed bars only.
BarArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategySource:
    """Everything a version consists of: its code and the skills it may import, swapped as one (D13).

    `skills` maps a module name below `strategy.skills` to its source. `origin` is shown in messages ("strategy.py").
    """

    code: str
    skills: Mapping[str, str] = field(default_factory=dict)
    origin: str = "strategy.py"


class FillNotice(NamedTuple):
    """Delivered as `on_fill(symbol, action, qty, price, intent)`."""

    symbol: str
    action: Action
    qty: float
    price: float
    intent: Intent


class ClosedNotice(NamedTuple):
    """Delivered as `on_position_closed(symbol, pnl, pnl_pct)`."""

    symbol: str
    pnl: float
    pnl_pct: float


# `SymbolFacts.volume_24h` where the market source knows none.
NO_VENUE_VOLUME = float("nan")


class SymbolFacts(NamedTuple):
    """What `SymbolData` needs besides candles, for one symbol at one scan.

    `volume_24h` is the venue's figure; NaN where there is none, and the host then sums the 5m candles it has been fed.
    """

    quote: Quote
    volume_24h: float
    maker_fee_pct: float
    taker_fee_pct: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRequest:
    """One call of `analyze`: what closed since the previous request, then the state of the world at `now`.

    Notices are delivered first, in order. `new_trades` are trades closed since the previous request; the host keeps the last
    100. `portfolio.recent_trades` is left empty by the engine and filled by the host.
    """

    now: datetime
    new_bars: Sequence[Bar]
    facts: Mapping[str, SymbolFacts]
    portfolio: Portfolio
    notices: Sequence[FillNotice | ClosedNotice] = ()
    new_trades: Sequence[ClosedTrade] = ()


class StrategyHost(Protocol):
    """A strategy behind a wall. Every method may raise StrategyFault, after which the child is gone and `start` is needed."""

    def start(
        self,
        *,
        symbols: Sequence[str],
        limits: RiskLimits,
        windows: Mapping[tuple[str, Tier], BarArray],
        state: Mapping[str, Any] | None,
        recent_trades: Sequence[ClosedTrade] = (),
    ) -> int:
        """Fresh process, code loaded, `initialize` called, windows and state restored; returns scan_interval_minutes."""

    def analyze(self, request: ScanRequest) -> list[Signal]: ...

    def get_state(self) -> dict[str, Any]: ...

    def close(self) -> None:
        """Kill the child and leave no process behind. Never raises."""
