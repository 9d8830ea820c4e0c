"""The market book: what has been revealed so far, the same for every engine that reads it (D6).

A feed hands over 5-minute bars once they have closed; the book builds the higher tiers from them, keeps the windows, and logs
every closed bar so that several engines (the active strategy and paper trials) each follow with a cursor of their own.
Nothing that closes after `now` is ever in it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

import numpy as np

from shell.clock import to_ms
from shell.errors import DataError, Fatal
from shell.market.aggregate import BucketBuilder, aggregate
from shell.market.bars import DAY_MS, TIERS, Bar, Quote, Tier
from shell.market.columns import BarArray, Columns, bars_of
from shell.market.history import History
from shell.money import Price, decimal_of

if TYPE_CHECKING:
    import polars as pl

LOG_KEPT_BARS = 50_000


class MarketFeed(Protocol):
    """Delivers each closed 5-minute bar once, oldest first."""

    def closed_until(self, now_ms: int) -> Sequence[Bar]: ...


class ReplayFeed:
    """Bars of a history after `start`, revealed as the clock passes their close."""

    def __init__(self, history: History, symbols: Sequence[str], start: datetime, end: datetime) -> None:
        from shell.market.frames import rows_of

        start_ms, end_ms = to_ms(start), to_ms(end)
        merged: list[Bar] = []
        for symbol in symbols:
            rows = rows_of(history.m5[symbol])
            low, high = np.searchsorted(rows[:, 0], [start_ms, end_ms])
            merged.extend(bars_of(symbol, Tier.M5, rows[low:high]))
        order = {symbol: index for index, symbol in enumerate(symbols)}
        merged.sort(key=lambda bar: (bar.open_ms, order[bar.symbol]))
        self._bars = merged
        self._next = 0

    def __len__(self) -> int:
        return len(self._bars)

    def closed_until(self, now_ms: int) -> Sequence[Bar]:
        first = position = self._next
        bars, limit, total = self._bars, now_ms - Tier.M5.ms, len(self._bars)
        while position < total and bars[position].open_ms <= limit:
            position += 1
        self._next = position
        return bars[first:position]


class MarketBook:
    """Revealed market state. `spread_pct` widens quotes where the feed has none (replayed bars)."""

    def __init__(self, symbols: Sequence[str], feed: MarketFeed, *, spread_pct: float = 0.0) -> None:
        self.symbols = tuple(symbols)
        self._feed = feed
        self._half_spread = spread_pct / 2
        self._columns = {(symbol, tier): Columns(tier=tier) for symbol in self.symbols for tier in TIERS}
        self._builders = {symbol: BucketBuilder(symbol) for symbol in self.symbols}
        self._log: list[Bar] = []
        self._log_base = 0
        self._now_ms = 0
        self._last: dict[str, Bar] = {}
        self._quotes: dict[str, Quote] = {}
        self._prices: dict[str, Price] = {}
        self._next_hour_ms = 0

    @property
    def closed(self) -> str:
        """Why the exchange takes no orders, such as "maintenance"; "" while it does. A replayed market always does."""
        return ""

    def preload(self, history: History, until: datetime) -> None:
        """Take everything that had closed by `until` as the past. Called once, before the first `advance`."""
        until_ms = to_ms(until)
        for symbol in self.symbols:
            if symbol not in history.m5:
                raise DataError(f"there is no 5m history for {symbol}; there is for {', '.join(history.m5)}")
            m5 = _closed_rows(history.m5[symbol], Tier.M5, until_ms)
            self._columns[symbol, Tier.M5].extend(m5)
            for tier, deep in ((Tier.H1, history.h1), (Tier.D1, history.d1)):
                built = _closed_rows(aggregate(history.m5[symbol], tier), tier, until_ms)
                older = deep.get(symbol)
                if older is not None:
                    built = join_deeper(_closed_rows(older, tier, until_ms), built, m5, tier)
                self._columns[symbol, tier].extend(built)
            today = until_ms // DAY_MS * DAY_MS
            for bar in bars_of(symbol, Tier.M5, m5[np.searchsorted(m5[:, 0], today) :]):
                self._builders[symbol].push(bar)
            self._builders[symbol].close_until(until_ms)
            if len(m5):
                self._last[symbol] = bars_of(symbol, Tier.M5, m5[-1:])[0]
        self._now_ms = until_ms
        self._next_hour_ms = (until_ms // Tier.H1.ms + 1) * Tier.H1.ms

    def advance(self, now: datetime) -> None:
        """Reveal what closed up to `now`. Calling it again for the same moment changes nothing."""
        now_ms = to_ms(now)
        if now_ms <= self._now_ms:
            return
        columns, log = self._columns, self._log
        if len(log) > 2 * LOG_KEPT_BARS:
            # Before anything is revealed: every reader has had its chance at what leaves the log here.
            del log[:LOG_KEPT_BARS]
            self._log_base += LOG_KEPT_BARS
        bars = self._feed.closed_until(now_ms)
        for bar in bars:
            if bar.open_ms >= self._next_hour_ms:
                self._close_buckets(bar.open_ms)
            columns[bar.symbol, Tier.M5].append(bar.open_ms, bar.open, bar.high, bar.low, bar.close, bar.volume)
            self._builders[bar.symbol].push(bar)
            self._last[bar.symbol] = bar
            self._quotes.pop(bar.symbol, None)
            self._prices.pop(bar.symbol, None)
            log.append(bar)
        if now_ms >= self._next_hour_ms:
            self._close_buckets(now_ms)
        self._now_ms = now_ms

    def _close_buckets(self, now_ms: int) -> None:
        for symbol in self.symbols:
            for bar in self._builders[symbol].close_until(now_ms):
                self._columns[symbol, bar.tier].append(
                    bar.open_ms, bar.open, bar.high, bar.low, bar.close, bar.volume
                )
                self._log.append(bar)
        self._next_hour_ms = (now_ms // Tier.H1.ms + 1) * Tier.H1.ms

    @property
    def cursor(self) -> int:
        """The position after the newest revealed bar."""
        return self._log_base + len(self._log)

    def bars_since(self, cursor: int) -> Sequence[Bar]:
        """Bars of all tiers revealed after `cursor`, in the order they closed. Raises Fatal if some have left the log."""
        if cursor < self._log_base:
            raise Fatal(f"a reader of the market book fell {self._log_base - cursor} bars behind what is kept")
        return self._log[cursor - self._log_base :]

    def m5_since(self, cursor: int, symbols: Collection[str]) -> list[Bar]:
        """5m bars of `symbols` revealed after `cursor`, by open time. Raises Fatal if some have left the log."""
        return [bar for bar in self.bars_since(cursor) if bar.tier is Tier.M5 and bar.symbol in symbols]

    def unseen_since(self, cursor: int, symbols: Collection[str]) -> list[Bar]:
        """5m bars of `symbols` whose path no live price has led through: of a replay all. See `shell.market.live`."""
        return self.m5_since(cursor, symbols)

    def take_corrections(self) -> Sequence[Bar]:
        """5m bars that came too late to be revealed, or differ from what was; each is given once."""
        return ()

    def live_quote(self, symbol: str) -> Quote | None:
        """The newest quote seen, for risk; of a replay that of the newest bar."""
        return self.quote(symbol)

    def live_price(self, symbol: str) -> Price | None:
        """The newest price seen; of a replay that of the newest bar."""
        return self.price(symbol)

    def windows(self) -> dict[tuple[str, Tier], BarArray]:
        """Each symbol's window of each tier as of the last advance."""
        return {key: columns.window(self._now_ms, key[1].kept_ms) for key, columns in self._columns.items()}

    def quote(self, symbol: str) -> Quote | None:
        """The newest price, true at its bar's close; None before the first bar."""
        quote = self._quotes.get(symbol)
        if quote is None and (bar := self._last.get(symbol)) is not None:
            half = bar.close * self._half_spread
            quote = Quote(symbol, bar.close - half, bar.close + half, bar.close, bar.close_ms)
            self._quotes[symbol] = quote
        return quote

    def price(self, symbol: str) -> Price | None:
        """The newest price as money; None before the first bar."""
        price = self._prices.get(symbol)
        if price is None and (bar := self._last.get(symbol)) is not None:
            price = self._prices[symbol] = Price(decimal_of(bar.close))
        return price


def join_deeper(deep: BarArray, built: BarArray, m5: BarArray, tier: Tier) -> BarArray:
    """Bars of a tier built from `m5`, behind those of a deeper series. Where `m5` begins inside a bar, the deeper series
    has the whole of it and is believed."""
    if not len(built) or not len(deep):
        return built if len(built) else deep
    whole = -(-m5[0, 0] // tier.ms) * tier.ms
    before = deep[deep[:, 0] < whole]
    edge = before[-1, 0] if len(before) else -1.0
    return np.concatenate([before, built[built[:, 0] > edge]])


def period_of(frames: Iterable[pl.DataFrame]) -> tuple[datetime, datetime]:
    """First open and last close of several 5m frames. Raises DataError when all are empty."""
    spans = [(frame["timestamp"][0], frame["timestamp"][-1]) for frame in frames if len(frame)]
    if not spans:
        raise DataError("the history holds no bars")
    first, last = min(span[0] for span in spans), max(span[1] for span in spans)
    return first, last + timedelta(minutes=5)


def _closed_rows(frame: pl.DataFrame, tier: Tier, until_ms: int) -> BarArray:
    from shell.market.frames import rows_of

    rows = rows_of(frame)
    return rows[: int(np.searchsorted(rows[:, 0], until_ms - tier.ms, side="right"))]
