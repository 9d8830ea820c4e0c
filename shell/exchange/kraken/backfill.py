"""History from Kraken itself: single trades for 5-minute bars of any age, and the newest 720 bars of each length.

OHLC gives 720 bars whatever one asks: 2.5 days of 5 minutes, 30 days of hours, two years of days. Older 5-minute bars are
built from trades, 1,000 a request and about one request a second, so a busy pair takes minutes for each day. A stretch once
fetched is not fetched again. Bars without trades are left out, as in Kraken's downloadable files: gaps are recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from shell.clock import from_ms, to_ms
from shell.errors import BadInput
from shell.exchange.kraken.coverage import Coverage, Stretch
from shell.exchange.kraken.errors import MalformedAnswer
from shell.exchange.kraken.pairs import KrakenPair
from shell.exchange.kraken.public import TRADES_MAX, PublicApi
from shell.exchange.kraken.public_types import Candle, CandlePage
from shell.exchange.kraken.trade_bars import TradeBars, to_ms_floor
from shell.market.archive import Archive
from shell.market.bars import DAY_MS, Tier
from shell.market.columns import WIDTH
from shell.market.frames import to_frame
from shell.market.importer import import_frame
from shell.market.port import CandleKeeper

DAYS_MAX = 3650
NANOSECONDS_A_MS = 1_000_000
_MINUTES = {Tier.M5: 5, Tier.H1: 60, Tier.D1: 1440}
# Called with the ms of history done, the ms in all, and what is at hand.
Progress = Callable[[int, int, str], None]


@dataclass(slots=True, kw_only=True)
class SymbolBackfill:
    """What was fetched of one symbol. `notes` are sentences on what Kraken could not give."""

    symbol: str
    asked_from: datetime
    first: datetime | None = None
    last: datetime | None = None
    trades: int = 0
    requests: int = 0
    added: dict[str, int] = field(default_factory=lambda: {tier.value: 0 for tier in Tier})
    quarantined: int = 0
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return {
            "symbol": self.symbol,
            "asked_from": self.asked_from.isoformat(),
            "first": self.first.isoformat() if self.first else None,
            "last": self.last.isoformat() if self.last else None,
            "trades": self.trades,
            "requests": self.requests,
            "added": dict(self.added),
            "quarantined": self.quarantined,
            "notes": list(self.notes),
        }


class Backfill:
    """Fetches into one store of candles. Interrupt it at any time: what is stored stays, the rest is fetched next time."""

    def __init__(self, api: PublicApi, candles: CandleKeeper, archive: Archive, coverage: Coverage) -> None:
        self._api = api
        self._candles = candles
        self._archive = archive
        self._coverage = coverage

    async def run(self, pair: KrakenPair, days: int, now: datetime, progress: Progress | None = None) -> SymbolBackfill:
        """Fetch the last `days` days of one pair, oldest first. Raises BadInput for a number of days that makes no sense."""
        if not 1 <= days <= DAYS_MAX:
            raise BadInput(f"a backfill takes 1 to {DAYS_MAX} days, not {days}")
        report = progress or _silent
        start_ms = to_ms(now - timedelta(days=days)) // Tier.M5.ms * Tier.M5.ms
        done = SymbolBackfill(symbol=pair.symbol, asked_from=from_ms(start_ms))
        recent = await self._recent(pair, done, now)
        # Before the oldest bar of OHLC, trades; without any bar, trades up to now.
        until_ms = to_ms(recent.closed[0].opened_at) if recent.closed else to_ms(now) // Tier.M5.ms * Tier.M5.ms
        parts = self._coverage.missing(pair.symbol, (start_ms, until_ms)) if start_ms < until_ms else []
        total, before = sum(end - begin for begin, end in parts), 0
        for part in parts:
            await self._trades(pair, part, done, now, _shifted(report, before, total, pair.symbol))
            before += part[1] - part[0]
        report(total or 1, total or 1, pair.symbol)
        self._note_limits(pair, done, start_ms, now)
        return done

    async def _recent(self, pair: KrakenPair, done: SymbolBackfill, now: datetime) -> CandlePage:
        """The newest bars of each tier, the coarsest first: what is built from finer bars knows more and wins."""
        pages = {}
        for tier in (Tier.D1, Tier.H1, Tier.M5):
            pages[tier] = page = await self._api.candles(pair, _MINUTES[tier])
            done.requests += 1
            self._store(pair.symbol, tier, [bar for bar in page.closed if bar.trades > 0], done, now)
        return pages[Tier.M5]

    async def _trades(
        self, pair: KrakenPair, part: Stretch, done: SymbolBackfill, now: datetime, report: Callable[[int], None]
    ) -> None:
        """Every trade of one stretch, page by page, stored a UTC day at a time."""
        begin_ms, end_ms = part
        bars, stored_ms = TradeBars(), begin_ms
        since = begin_ms * NANOSECONDS_A_MS
        while True:
            # One nanosecond earlier: trades that share the last one's time may lie on both sides of the page's end.
            page = await self._api.trades(pair, since - 1)
            done.requests += 1
            bars.add(page.trades, since_ms=begin_ms, until_ms=end_ms)
            stands = page.last <= since
            if stands and len(page.trades) >= TRADES_MAX:
                raise MalformedAnswer(f"Trades of {pair.symbol} do not go on after {since} ns")
            # No trade after the last one: there are none up to now.
            newest_ms = end_ms if stands or not page.trades else to_ms_floor(page.trades[-1])
            since = page.last
            reached = min(newest_ms // Tier.M5.ms * Tier.M5.ms, end_ms)
            # Whole days, so that a bar is judged among its neighbours; the end as it is.
            until = end_ms if reached >= end_ms else reached // DAY_MS * DAY_MS
            if until > stored_ms:
                self._store_bars(pair.symbol, bars, until, done, now)
                self._coverage.add(pair.symbol, (stored_ms, until))
                stored_ms = until
            report(reached - begin_ms)
            if reached >= end_ms:
                done.trades += bars.trades
                return

    def _store_bars(self, symbol: str, bars: TradeBars, until_ms: int, done: SymbolBackfill, now: datetime) -> None:
        frame = bars.take(until_ms)
        if frame.height:
            self._import(symbol, Tier.M5, frame, done, now)

    def _store(self, symbol: str, tier: Tier, candles: list[Candle], done: SymbolBackfill, now: datetime) -> None:
        rows = np.empty((len(candles), WIDTH))
        for at, bar in enumerate(candles):
            prices = (float(value) for value in (bar.open, bar.high, bar.low, bar.close, bar.volume))
            rows[at] = to_ms(bar.opened_at), *prices
        if len(rows):
            self._import(symbol, tier, to_frame(rows), done, now)

    def _import(self, symbol: str, tier: Tier, frame: Any, done: SymbolBackfill, now: datetime) -> None:
        stored = import_frame(symbol, tier, frame, "Kraken", self._candles, self._archive, now)
        done.added[tier.value] += stored.added
        done.quarantined += stored.quarantined
        if tier is Tier.M5 and stored.report.first is not None and stored.report.last is not None:
            done.first = min(done.first or stored.report.first, stored.report.first)
            done.last = max(done.last or stored.report.last, stored.report.last)

    def _note_limits(self, pair: KrakenPair, done: SymbolBackfill, start_ms: int, now: datetime) -> None:
        """Say what was asked for and is not there."""
        span = self._candles.span(pair.symbol, Tier.M5)
        ends = (None if span is None else span[0], self._archive.first(pair.symbol, Tier.M5))
        oldest = min((at for at in ends if at is not None), default=None)
        if oldest is None:
            done.notes.append(f"Kraken has no trades of {pair.symbol} since {from_ms(start_ms):%Y-%m-%d}")
        elif oldest - start_ms >= DAY_MS:
            done.notes.append(f"the first trade of {pair.symbol} that Kraken gives is of {from_ms(oldest):%Y-%m-%d %H:%M} UTC")
        days = (to_ms(now) - start_ms) // DAY_MS
        if done.quarantined:
            done.notes.append(f"{done.quarantined} bars were left out: `brain data check` tells why")
        if days < Tier.H1.kept_ms // DAY_MS:
            done.notes.append(
                f"hours older than these {days} days are there only as far as Kraken's newest 720 reach (30 days), "
                "days for two years: for more, ask for more days or import Kraken's OHLCVT files"
            )


def _shifted(report: Progress, before: int, total: int, symbol: str) -> Callable[[int], None]:
    return lambda part: report(before + part, total, symbol)


def _silent(done: int, total: int, what: str) -> None:
    """No one is watching."""
