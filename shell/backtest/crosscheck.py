"""An independent check: the same contract strategy inside the `backtesting` library, filled and booked by its broker.

One symbol. The strategy stays in its host and sees what the engine would show it; orders, stops, targets, commissions and
equity are the library's own. What the library does differently is bridged here where that is possible, and otherwise named
in `CrossCheck.differences`:

- It never calls a strategy on its first bar: two flat bars are put before the window, so the first question is at its start.
- It knows one commission, charged on entry and exit; here the taker fee, also for limit orders.
- It trades whole units: `FractionalBacktest` scales prices by 1e-8 so that a unit is one lot.
- Market orders fill at the next bar's open (`trade_on_close=False`), a stop at min(open, stop), a target at
  max(open, target), on the entry bar too, and the stop before the target: as in the engine. Only a held position whose
  bar opens beyond the target and then falls to the stop differs: the engine sells at the open, the library at the stop.
- Its limit orders fill on a touch, the engine's only when the price trades through.
- Where bars are missing it has no time: the strategy is asked at the missing slots, and entries that would have expired
  before the next bar are not placed.
- Of the risk limits only the size of a position applies: halts, counts and throttles are the engine's.

The library's licence is AGPL-3.0: a program that imports it, as this module does, must carry a compatible licence when it
is passed on or offered over a network. It is the reason why this product is AGPL-3.0-or-later. Importing this module loads
pandas and bokeh, about a second: import it where it is used.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, assert_never

import backtesting.backtesting
import pandas as pd
import polars as pl
from backtesting import Strategy
from backtesting.lib import FractionalBacktest

from shell.backtest.result import BacktestSettings
from shell.clock import from_ms, local_day, to_ms
from shell.contract import Action, ClosedTrade, Intent, OpenPosition, OrderType, Portfolio, Signal
from shell.errors import DataError
from shell.host.port import ClosedNotice, FillNotice, ScanRequest, StrategyHost, StrategySource, SymbolFacts
from shell.host.supervisor import HostedStrategy
from shell.market.bars import Bar, Tier
from shell.market.book import MarketBook, ReplayFeed, period_of
from shell.market.history import History
from shell.market.pair import Pair, replay_pair
from shell.money import decimal_of
from shell.risk.limits import fill_allowance, limits_view

UNIT = 1e-8
MINUTE_MS = 60_000
ENTRY_LIFE_MS = Tier.M5.ms
LIMIT_DIFFERENCE = "limit orders fill on a touch and pay the taker fee here"
ADDED_DIFFERENCE = "an entry into an open position is a trade of its own here"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedTrade:
    """One trade as the library booked it: times are the opens of the bars it happened in, `pnl` is net of commissions."""

    entry_time: datetime
    exit_time: datetime
    entry_price: float
    exit_price: float
    qty: float
    pnl: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossCheck:
    """The library's account of a run. Positions open at the end are in `final_value` and not in `trades`."""

    symbol: str
    trades: tuple[CheckedTrade, ...]
    final_value: float
    library_statistics: dict[str, float | int | str | None]
    differences: tuple[str, ...]
    bars: int


def crosscheck(
    source: StrategySource,
    history: History,
    symbol: str,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    settings: BacktestSettings,
    host: StrategyHost | None = None,
) -> CrossCheck:
    """Run `source` on one symbol of `history` inside the library; the window as in `run_backtest`.

    Raises DataError when the symbol or the window has no bars, StrategyFault at the strategy's first failure.
    """
    if symbol not in history.m5:
        raise DataError(f"there is no 5m history for {symbol}; there is for {', '.join(history.m5)}")
    alone = History(
        m5={symbol: history.m5[symbol]}, h1=_only(history.h1, symbol), d1=_only(history.d1, symbol),
        source=history.source, real=history.real,
    )
    first, last = period_of(alone.m5.values())
    start = from_ms(-(-to_ms(start or first) // Tier.M5.ms) * Tier.M5.ms)
    end = min(end, last) if end else last
    frame = _library_frame(alone.m5[symbol], start, end)
    hosted = host or HostedStrategy(source, settings.host)
    bridge = _Bridge(alone, symbol, start, end, [int(at.timestamp() * 1000) for at in frame.index], settings, hosted)
    paper = settings.paper.for_symbol(symbol)
    worse = float(paper.spread_pct / 2 + paper.slippage_pct) if paper.slippage_pct else 0.0
    run = FractionalBacktest(
        frame, _strategy_class(bridge), fractional_unit=UNIT, cash=float(settings.cash),
        # Its spread worsens entries alone, so the cost of a whole round is put there.
        spread=2 * worse, commission=float(paper.taker_fee_pct),
    )
    try:
        bridge.start()
        with _quiet() as warned:
            statistics = run.run()
    finally:
        hosted.close()
    if worse:
        bridge.differences.append("the slippage of a whole round is paid on entry here")
    return CrossCheck(
        symbol=symbol,
        trades=_checked(statistics["_trades"]),
        final_value=float(statistics["Equity Final [$]"]),
        library_statistics=_plain_statistics(statistics),
        differences=tuple(dict.fromkeys([*bridge.differences, *warned])),
        bars=len(frame) - _Bridge.PADDING,
    )


def _strategy_class(bridge: _Bridge) -> type[Strategy]:
    """The library wants a class and makes the instance itself; it only hands each closed bar on."""

    class InLibrary(Strategy):  # type: ignore[misc]
        def init(self) -> None:
            return None

        def next(self) -> None:
            bridge.bar_closed(self)

    return InLibrary


@dataclass(slots=True)
class _Round:
    """What was bought and sold since the position was last flat; `cost` and `proceeds` before commissions."""

    opened_ms: int = 0
    qty: float = 0.0
    cost: float = 0.0
    proceeds: float = 0.0
    pnl: float = 0.0
    intent: Intent = Intent.SWING
    tag: str = ""


@dataclass(slots=True)
class _Bridge:
    """Between the library's `next` and the hosted strategy: bars and state in, orders out."""

    PADDING = 2

    history: History
    symbol: str
    start_at: datetime
    end_at: datetime
    opens_ms: list[int]
    settings: BacktestSettings
    host: StrategyHost
    differences: list[str] = field(default_factory=list)
    _market: MarketBook = field(init=False)
    _pair: Pair = field(init=False)
    _fee: float = field(init=False)
    _interval_ms: int = 0
    _last_slot_ms: int = -1
    _unsent: list[Bar] = field(default_factory=list)
    _notices: list[FillNotice | ClosedNotice] = field(default_factory=list)
    _new_trades: list[ClosedTrade] = field(default_factory=list)
    _round: _Round = field(default_factory=_Round)
    _closed_seen: int = 0
    _fees_paid: float = 0.0
    _day: date | None = None
    _day_start: float = 0.0
    _limits_since: dict[int, int] = field(default_factory=dict)
