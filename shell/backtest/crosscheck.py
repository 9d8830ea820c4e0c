"""An independent check: the same contract strategy inside the `backtesting` library, filled and booked by its broker.

One symbol. The strategy stays in its host and sees what the engine would show it; orders, stops, targets, commissions
and equity are the library's own. What the library does differently is bridged where that is possible, and otherwise
named in `CrossCheck.differences`:

- It never calls a strategy on its first bar: two flat bars go before the window, so it is first asked at the start.
- It trades whole units: `FractionalBacktest` scales prices by 1e-8, so that a unit is one lot.
- Market orders fill at the next bar's open (`trade_on_close=False`), a stop at min(open, stop), a target at
  max(open, target), on the entry bar too, and the stop before the target: as in the engine. One case differs and is not
  bridged: a held position whose bar opens beyond the target and then falls to the stop is sold at the open by the
  engine and at the stop by the library.
- Bars that are missing do not exist for it: the strategy is asked at the missing slots, and market entries that the
  engine would let expire before the next bar are not placed.
- It knows one commission, charged on entry and on exit: the taker fee, here also for limit orders, which it fills on a
  touch where the engine waits for the price to trade through.
- Of the risk limits only those of size apply: halts, counts and throttles are the engine's.

The library's licence is AGPL-3.0: a program that imports it, as this module does, must be under a compatible licence
when it is passed on or offered over a network. That is why this product is AGPL-3.0-or-later. Importing this module
loads pandas and bokeh, about a second: import it where it is used.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import backtesting.backtesting
import pandas as pd
import polars as pl
from backtesting import Strategy
from backtesting.lib import FractionalBacktest

from shell.backtest.library_bridge import PADDING_BARS, UNIT, Library, LibraryBridge
from shell.backtest.result import BacktestSettings
from shell.clock import from_ms, to_ms
from shell.errors import DataError
from shell.host.port import StrategyHost, StrategySource
from shell.host.supervisor import HostedStrategy
from shell.market.bars import Tier
from shell.market.book import period_of
from shell.market.history import History

DAY_SECONDS = 86_400
SPREAD_DIFFERENCE = "the spread and slippage of a whole round are paid on entry here"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedTrade:
    """One trade as the library booked it: times are the opens of its bars, `pnl` is net of commissions."""

    entry_time: datetime
    exit_time: datetime
    entry_price: float
    exit_price: float
    qty: float
    pnl: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossCheck:
    """The library's account of a run. What is open at the end is part of `final_value` and not of `trades`.

    `library_statistics` holds the library's own figures under its own names, percentages as it prints them, durations
    in days, undefined ones as None. `differences` says in sentences why the run need not equal the engine's; empty
    when nothing happened that the two treat differently.
    """

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
    """Run `source` on one symbol of `history` inside the library, over the window that `run_backtest` would take.

    Raises DataError when the symbol or the window has no bars, StrategyFault at the strategy's first failure.
    """
    alone = _alone(history, symbol)
    frame = _library_frame(alone.m5[symbol], start, end, symbol)
    opens_ms = [int(at) for at in frame.index.as_unit("ms").asi8]
    hosted = host or HostedStrategy(source, settings.host)
    try:
        bridge = LibraryBridge(alone, symbol, opens_ms, settings, hosted)
        bridge.start()
        with _quiet() as warned:
            statistics = _library_run(frame, bridge, symbol, settings).run()
    finally:
        hosted.close()
    differences = sorted(bridge.differences | {_sentence(each) for each in warned})
    if _one_way_cost(symbol, settings):
        differences.append(SPREAD_DIFFERENCE)
    return CrossCheck(
        symbol=symbol, trades=tuple(_checked(statistics["_trades"])),
        final_value=float(statistics["Equity Final [$]"]), library_statistics=_plain_statistics(statistics),
        differences=tuple(differences), bars=len(frame) - PADDING_BARS,
    )


def _library_run(
    frame: pd.DataFrame, bridge: LibraryBridge, symbol: str, settings: BacktestSettings
) -> FractionalBacktest:
    class InLibrary(Strategy):  # type: ignore[misc]
        """The library wants a class and makes the instance itself; this one only hands each closed bar on."""

        def init(self) -> None:
            return None

        def next(self) -> None:
            bridge.bar_closed(self)

    return FractionalBacktest(
        frame, InLibrary, fractional_unit=UNIT, cash=float(settings.cash),
        commission=float(settings.paper.for_symbol(symbol).taker_fee_pct),
        # Its spread worsens the entry alone, so the cost of both ways is put there.
        spread=2 * _one_way_cost(symbol, settings),
    )


def _one_way_cost(symbol: str, settings: BacktestSettings) -> float:
    """Half the spread and the slippage; slippage 0 asks for exact prices, so it means no spread either."""
    paper = settings.paper.for_symbol(symbol)
    return float(paper.spread_pct / 2 + paper.slippage_pct) if paper.slippage_pct else 0.0


def _alone(history: History, symbol: str) -> History:
    if symbol not in history.m5:
        raise DataError(f"there is no 5m history for {symbol}; there is for {', '.join(history.m5)}")

    def only(frames: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
        return {symbol: frames[symbol]} if symbol in frames else {}

    return History(
        m5=only(history.m5), h1=only(history.h1), d1=only(history.d1), source=history.source, real=history.real
    )


def _library_frame(m5: pl.DataFrame, start: datetime | None, end: datetime | None, symbol: str) -> pd.DataFrame:
    """The window as the library wants it, after two flat bars at its first open."""
    first, last = period_of([m5])
    start_ms = -(-to_ms(start or first) // Tier.M5.ms) * Tier.M5.ms
    end_ms = to_ms(min(end, last) if end else last)
    opened = pl.col("timestamp").dt.epoch("ms")
    window = m5.filter((opened >= start_ms) & (opened < end_ms))
    if window.is_empty():
        raise DataError(
            f"there are no bars of {symbol} between {from_ms(start_ms):%Y-%m-%d %H:%M} and "
            f"{from_ms(end_ms):%Y-%m-%d %H:%M} UTC"
        )
    price = float(window["open"][0])
    times = [start_ms - number * Tier.M5.ms for number in range(PADDING_BARS, 0, -1)]
    padding = {"open": price, "high": price, "low": price, "close": price, "volume": 0.0}
    columns = {name.capitalize(): [flat] * PADDING_BARS + window[name].to_list() for name, flat in padding.items()}
    index = pd.DatetimeIndex(pd.to_datetime(times + window["timestamp"].dt.epoch("ms").to_list(), unit="ms"))
    return pd.DataFrame(columns, index=index)


@contextmanager
def _quiet() -> Iterator[list[str]]:
    """Without the library's progress bar; its warnings are collected instead of printed."""
    said: list[str] = []
    bar = backtesting.backtesting._tqdm
    backtesting.backtesting._tqdm = _no_progress
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            yield said
        said += [str(each.message) for each in caught if issubclass(each.category, UserWarning)]
    finally:
        backtesting.backtesting._tqdm = bar


def _no_progress(sequence: Iterable[int], **_: object) -> Iterable[int]:
    return sequence


def _sentence(warning: str) -> str:
    """A warning of the library without the bar it names, so that a thousand equal ones are one."""
    if "remain open at the end" in warning:
        return "a position is open at the end: it counts in the final value, not in the library's trade statistics"
    if "insufficient margin" in warning:
        return "the library cancelled an order for want of cash"
    return f"the library warns: {warning}"


def _checked(trades: pd.DataFrame) -> Iterator[CheckedTrade]:
    """By entry, then exit; the library lists trades in the order they closed."""
    for row in trades.sort_values(["EntryTime", "ExitTime"], kind="stable").itertuples():
        yield CheckedTrade(
            entry_time=row.EntryTime.to_pydatetime().replace(tzinfo=UTC),
            exit_time=row.ExitTime.to_pydatetime().replace(tzinfo=UTC),
            entry_price=float(row.EntryPrice), exit_price=float(row.ExitPrice), qty=abs(float(row.Size)),
            pnl=float(row.PnL),
        )


def _plain_statistics(statistics: Library) -> dict[str, float | int | str | None]:
    return {str(name): _plain(value) for name, value in statistics.items() if not str(name).startswith("_")}


def _plain(value: Library) -> float | int | str | None:
    if isinstance(value, pd.Timestamp):
        return str(value.to_pydatetime().replace(tzinfo=UTC).isoformat())
    if isinstance(value, timedelta):
        return None if pd.isna(value) else float(value.total_seconds()) / DAY_SECONDS
    number = float(value)
    if not math.isfinite(number):
        return None
    return int(number) if isinstance(value, int) else number
