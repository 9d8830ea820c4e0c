"""What the engine needs of a strategy host, and the values that cross: the supervisor implements it over a child process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from shell.contract import Action, ClosedTrade, Intent, Portfolio, RiskLimits, Signal
from shell.errors import StrategyFault
from shell.market.bars import Bar, Quote, Tier
from shell.market.tape import Tape

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


class Holding(NamedTuple):
    """One open position without what moves with its price."""

    symbol: str
    qty: float
    avg_entry: float
    intent: Intent
    stop_loss: float | None
    take_profit: float | None
    opened_at: datetime | None
    tag: str


class Account(NamedTuple):
    """The books as a strategy may see them: it changes with a fill, a capital event and a new day, not with prices.

    `daily_pnl` is measured from `day_start`, `total_pnl` from `capital`; holdings by symbol.
    """

    cash: float
    day_start: float
    capital: float
    fees: float
    holdings: tuple[Holding, ...]


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


class ReplayBook(Protocol):
    """A recorded market whose rows are revealed slot by slot (`shell.market.recorded`)."""

    @property
    def symbols(self) -> Sequence[str]: ...

    @property
    def tapes(self) -> Mapping[Tier, Tape]: ...

    @property
    def half_spread(self) -> float: ...

    @property
    def start_ms(self) -> int:
        """When slot 0 is reached."""

    @property
    def slot(self) -> int:
        """The slots revealed so far."""

    def counts(self, slot: int) -> tuple[int, int, int]:
        """The rows of each tape that are known at `slot`."""

    def next_counts(self, slot: int) -> int:
        """The first slot after `slot` at which a row of a higher tier closes."""


class Replay(NamedTuple):
    """History that a host is to show its strategy itself, and the (maker, taker) fees of each symbol."""

    book: ReplayBook
    fees: tuple[tuple[float, float], ...]


class LateTrade:
    """A completed trade that becomes the contract's when somebody asks for it, once: few strategies look at theirs."""

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], ClosedTrade]) -> None:
        self._make = make
        self._made: ClosedTrade | None = None

    def shown(self) -> ClosedTrade:
        """The trade, the same object every time."""
        if self._made is None:
            self._made = self._make()
        return self._made


def trade_of(trade: ClosedTrade | LateTrade) -> ClosedTrade:
    """The trade as a strategy sees it."""
    return trade.shown() if type(trade) is LateTrade else trade  # type: ignore[return-value]  # there are these two alone


class Tidings(NamedTuple):
    """What happened since the last scan: the account if it changed, notices in order, trades completed."""

    account: Account | None
    notices: Sequence[FillNotice | ClosedNotice] = ()
    new_trades: Sequence[ClosedTrade | LateTrade] = ()


class Rolled(NamedTuple):
    """Where a roll over quiet slots ended: at `slot` the strategy gave signals or failed, or nobody was asked any more."""

    slot: int
    signals: list[Signal]
    fault: StrategyFault | None = None


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


@runtime_checkable
class ReplayHost(StrategyHost, Protocol):
    """A host that shows its strategy a recorded market itself, so that a quiet step costs next to nothing."""

    def start_replay(
        self,
        replay: Replay,
        *,
        limits: RiskLimits,
        windows: Mapping[tuple[str, Tier], BarArray],
        state: Mapping[str, Any] | None,
        recent_trades: Sequence[ClosedTrade] = (),
    ) -> int:
        """`start`, with history to be shown from the book's present slot on."""

    def step(self, slot: int, tidings: Tidings) -> list[Signal]:
        """Show the rows up to `slot`, say what happened, ask. Raises StrategyFault."""

    def roll(self, first: int, stop: int, every: int) -> Rolled:
        """Show and ask at slots first, first + every ... below `stop`, as long as there are no signals. Never raises."""
