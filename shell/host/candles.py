"""The child's candles: what was fed per symbol and tier, and a `SymbolData` that builds a frame only when touched.

Bars arrive as rows of one tape a tier (`shell.market.tape`), written here from the socket or shown by the parent in shared
memory. Per symbol they become columns, and frames over them, only when a strategy asks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from sys import getrefcount
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shell.contract import ClosedTrade, Portfolio, SymbolData
from shell.host.account import HostPortfolio
from shell.host.port import Account, BarArray, LateTrade
from shell.indicators import Indicator
from shell.market.bars import CANDLE_COLUMNS, DAY_MS, TIERS, Tier
from shell.market.columns import Columns
from shell.market.tape import CLOSE, Tape

if TYPE_CHECKING:
    import polars as pl

_POSITION = {name: at for at, name in enumerate(CANDLE_COLUMNS)}
_set = object.__setattr__


class TierSeries:
    """All bars of one symbol and tier since the start of this process, with the indicators grown over them."""

    __slots__ = ("_begun", "_bounds", "_columns", "_frame", "_now_ms", "_taken", "indicators", "symbol_index", "tape", "tier")

    def __init__(self, tier: Tier, symbol_index: int, rows: BarArray | None, tape: Tape) -> None:
        self.tier = tier
        self.symbol_index = symbol_index
        self.tape = tape
        self.indicators: dict[tuple[object, ...], Indicator] = {}
        self._columns = Columns(rows, tier=tier)
        self._begun = len(self._columns)
        self._taken = 0
        self._now_ms = -1
        self._bounds = (0, 0)
        self._frame: pl.DataFrame | None = None

    @property
    def columns(self) -> Columns:
        """Every bar up to now, the tape's included."""
        taken, count = self._taken, self.tape.count
        if taken != count:
            self._columns.extend(self.tape.rows_of(self.symbol_index, taken, count))
            self._taken = count
        return self._columns

    def begun_with(self, column: str) -> list[float]:
        """One column of the bars this series was started with."""
        values: list[float] = self._columns.slice(0, self._begun)[:, _POSITION[column]].tolist()
        return values

    def tail(self, column: str, bars: int) -> NDArray[np.float64]:
        """One column of the last `bars` bars, fewer when there are not so many."""
        columns = self.columns
        return columns.slice(len(columns) - bars, len(columns))[:, _POSITION[column]]

    def bounds(self, now_ms: int) -> tuple[int, int]:
        """Indices [start, stop) of the window at `now_ms`: closed bars no older than the tier is kept."""
        if now_ms != self._now_ms:
            found = self.columns.bounds(now_ms, self.tier.kept_ms)
            if found != self._bounds:
                self._bounds, self._frame = found, None
            self._now_ms = now_ms
        return self._bounds

    def frame(self, now_ms: int) -> pl.DataFrame:
        """The window at `now_ms`, zero-copy, the same object until the window changes."""
        start, stop = self.bounds(now_ms)
        if self._frame is None:
            self._frame = self.columns.frame_of(start, stop)
        return self._frame

    def column(self, name: str) -> NDArray[np.float64]:
        """Every value of one column, the whole history held here. Raises KeyError for an unknown column."""
        return self.columns.slice(0, len(self.columns))[:, _POSITION[name]]

    def last_close(self, rows: int) -> float:
        """The newest close within the first `rows` rows of the tape or before them; NaN when there is none."""
        row = self.tape.row_of(self.symbol_index, rows)
        if row >= 0:
            return self.tape.flat[row * self.tape.width + self.tape.offset(CLOSE, self.symbol_index)]
        return self._columns.row(self._begun - 1)[_POSITION["close"]] if self._begun else math.nan


class Scan:
    """One scan's moment, shared by everything a strategy is given at it. `live` ends when a later scan takes its place.

    `rows` counts the 5m rows known; `facts` are the rows (symbol, bid, ask, last, volume_24h, maker, taker) that came with
    the request, None where prices are those of the tape.
    """

    __slots__ = ("facts", "live", "now_ms", "rows")

    def __init__(self, now_ms: int = 0, rows: int = 0, facts: Mapping[int, Sequence[float]] | None = None) -> None:
        self.live = True
        self.now_ms = now_ms
        self.rows = rows
        self.facts = facts


class ScanPrices:
    """The newest price by symbol at one scan, NaN for a symbol that has none."""

    __slots__ = ("_index", "_shelf", "scan")

    def __init__(self, shelf: CandleShelf, scan: Scan) -> None:
        self._shelf = shelf
        self._index = shelf.index
        self.scan = scan

    def __call__(self, symbol: str) -> float:
        return self._shelf.price(self._index[symbol], self.scan)


class ReplayTerms:
    """What a replay knows of each symbol besides its bars: half the spread as a fraction, (maker, taker) fees."""

    __slots__ = ("fees", "half_spread")

    def __init__(self, half_spread: float = 0.0, fees: Sequence[tuple[float, float]] = ()) -> None:
        self.half_spread = half_spread
        self.fees = fees


class CandleShelf:
    """Every symbol's series, fed as bars close (D6): nothing later than the newest row exists in this process.

    The same `SymbolData` objects serve scan after scan as long as the strategy kept none of them (nobody else refers to
    them then, so nobody can see that they go on); one that was kept goes on showing the scan it was made for.
    """

    __slots__ = (
        "_alone", "_data", "_m5", "_portfolio", "_portfolio_alone", "_present", "_prices", "_prices_alone", "_ready",
        "cells", "index", "scan", "series", "shared", "symbols", "tapes", "terms",
    )

    def __init__(
        self, symbols: Sequence[str], windows: Mapping[tuple[str, Tier], BarArray], tapes: Mapping[Tier, Tape] | None = None
    ) -> None:
        self.symbols = list(symbols)
        self.tapes = tapes or {tier: Tape(len(self.symbols)) for tier in TIERS}
        self._m5 = self.tapes[Tier.M5]
        self.series = [
            {tier: TierSeries(tier, index, windows.get((symbol, tier)), self.tapes[tier]) for tier in TIERS}
            for index, symbol in enumerate(self.symbols)
        ]
        self.cells: list[dict[tuple[object, ...], object]] = [{} for _ in self.symbols]
        self.shared: dict[tuple[object, ...], object] = {}
        self.index = {symbol: index for index, symbol in enumerate(self.symbols)}
        self.terms = ReplayTerms()
        self.scan = Scan()
        self._prices = ScanPrices(self, self.scan)
        self._data: dict[str, HostSymbolData] = {}
        self._present: list[int] = []
        self._ready: tuple[Scan, dict[str, SymbolData]] | None = None
        self._portfolio: HostPortfolio | None = None
        self._alone = self._portfolio_alone = 0
        self._prices_alone = getrefcount(self._prices)

    def feed(self, bars: Sequence[Sequence[float]]) -> None:
        """Append closed bars (symbol index, tier index, open_ms, open, high, low, close, volume), oldest first."""
        for tier in TIERS:
            fed = [(int(bar[0]), int(bar[2]), *bar[3:]) for bar in bars if bar[1] == tier.ordinal]
            if fed:
                self.tapes[tier].extend(fed)  # type: ignore[arg-type]

    def price(self, index: int, scan: Scan) -> float:
        """The newest price of a symbol at a scan; NaN before there is one."""
        if scan.facts is not None:
            row = scan.facts.get(index)
            return math.nan if row is None else row[3]
        tape = self._m5
        if scan.rows:
            close = tape.flat[(scan.rows - 1) * tape.width + 1 + CLOSE * tape.symbols + index]
            if close == close:
                return close
        return self.series[index][Tier.M5].last_close(scan.rows)

    def markets(self, now_ms: int, facts: Sequence[Sequence[float]]) -> dict[str, SymbolData]:
        """The `markets` argument of `analyze` at `now_ms`, prices as they came with the request."""
        by_symbol = {int(row[0]): row for row in facts}
        self._ready = None
        scan = self._next_scan()
        scan.now_ms, scan.rows, scan.facts = now_ms, self.tapes[Tier.M5].count, by_symbol
        if list(by_symbol) != self._present:
            self._make_data(list(by_symbol))
        return dict(self._data)

    def replayed(self, now_ms: int) -> dict[str, SymbolData]:
        """The `markets` argument of `analyze` at `now_ms`, prices those of the tape."""
        markets: dict[str, SymbolData]
        if self._ready is None:
            scan, markets = self._next_scan(), {**self._data}
        else:
            (scan, markets), self._ready = self._ready, None
        scan.now_ms, scan.rows = now_ms, self._m5.count
        if len(self._present) < len(self.symbols):
            present = [at for at in range(len(self.symbols)) if not math.isnan(self.price(at, scan))]
            if present != self._present:
                self._make_data(present)
                return dict(self._data)
        return markets

    def prepare(self) -> None:
        """Do ahead what the next `replayed` needs and no bar changes: the child does it while its parent is at work. What a
        strategy kept of the scan before shows by then, for none of its code runs before the next."""
        self._ready = self._next_scan(), dict(self._data)

    def portfolio(self, account: Account, trades: tuple[ClosedTrade | LateTrade, ...], changed: bool) -> Portfolio:
        """The `portfolio` argument of `analyze` at the scan that `markets` or `replayed` just began."""
        if changed or self._portfolio is None:
            self._portfolio = HostPortfolio(account, self._prices, trades)
            self._portfolio_alone = getrefcount(self._portfolio)
            self._prices_alone = getrefcount(self._prices)
        return self._portfolio

    def _next_scan(self) -> Scan:
        """The scan object for the coming scan: the last one again if nothing that shows it was kept."""
        if (
            sum(map(getrefcount, self._data.values())) == self._alone
            and getrefcount(self._prices) == self._prices_alone
            and (self._portfolio is None or getrefcount(self._portfolio) == self._portfolio_alone)
        ):
            return self.scan
        self.scan.live = False
        self.scan = Scan()
        self._prices, self._portfolio = ScanPrices(self, self.scan), None
        self._make_data(self._present)
        return self.scan

    def _make_data(self, present: list[int]) -> None:
        self._present = present
        self._data = {self.symbols[index]: HostSymbolData(self, index, self.scan) for index in present}
        self._alone = sum(map(getrefcount, self._data.values()))


class HostSymbolData(SymbolData):
    """`SymbolData` over growing series: candles are those known at the scan it was made for, whenever they are read."""

    __slots__ = ("_index", "_shelf", "cells", "scan", "shared")
    _index: int
    _shelf: CandleShelf
    scan: Scan
    cells: dict[tuple[object, ...], object]
    shared: dict[tuple[object, ...], object]

    def __init__(self, shelf: CandleShelf, index: int, scan: Scan) -> None:
        _set(self, "_shelf", shelf)
        _set(self, "_index", index)
        _set(self, "scan", scan)
        _set(self, "cells", shelf.cells[index])
        _set(self, "shared", shelf.shared)
        _set(self, "symbol", shelf.symbols[index])

    @property
    def current_price(self) -> float:
        return self._shelf.price(self._index, self.scan)

    @property
    def spread(self) -> float:
        facts = self.scan.facts
        if facts is not None:
            return facts[self._index][2] - facts[self._index][1]
        close = self._shelf.price(self._index, self.scan)
        half = close * self._shelf.terms.half_spread
        return (close + half) - (close - half)

    @property
    def volume_24h(self) -> float:
        """Base units traded in 24 hours: the venue's figure, or the sum of the candles where it gave none."""
        facts = self.scan.facts
        if facts is not None and not math.isnan(facts[self._index][4]):
            return facts[self._index][4]
        columns = self.series(Tier.M5).columns
        return float(columns.window(self.scan.now_ms, DAY_MS)[:, _POSITION["volume"]].sum())

    @property
    def maker_fee_pct(self) -> float:
        facts = self.scan.facts
        return self._shelf.terms.fees[self._index][0] if facts is None else facts[self._index][5]

    @property
    def taker_fee_pct(self) -> float:
        facts = self.scan.facts
        return self._shelf.terms.fees[self._index][1] if facts is None else facts[self._index][6]

    @property
    def candles_5m(self) -> pl.DataFrame:
        return self.series(Tier.M5).frame(self.scan.now_ms)

    @property
    def candles_1h(self) -> pl.DataFrame:
        return self.series(Tier.H1).frame(self.scan.now_ms)

    @property
    def candles_1d(self) -> pl.DataFrame:
        return self.series(Tier.D1).frame(self.scan.now_ms)

    def series(self, tier: Tier) -> TierSeries:
        """For `shell.indicators`: this symbol's series of a tier."""
        return self._shelf.series[self._index][tier]

    def growing(self, tier: Tier) -> tuple[TierSeries, int, int]:
        """For `shell.indicators`: the series of a tier and the bounds of this scan's window in it."""
        series = self.series(tier)
        start, stop = series.bounds(self.scan.now_ms)
        return series, start, stop
