"""Edge cases of a market and an account, scan by scan, each with a name and with what to do about it.

Two stories, a process each. In the first, one symbol is listed and has hardly any bars, while one with a long past has a
hole in its bars, is halted, and is repriced beyond reason; symbols stay away from `markets`, positions are there that the
strategy never opened, the cash is gone. In the second there are many symbols with prices from 1e-8 to 1e9.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

import numpy as np

from shell.contract import Action, Intent
from shell.host.port import Account, BarArray, ClosedNotice, FillNotice, Holding, ScanRequest
from shell.host.sample_market import CASH, Notice, Sample, request_of, sample_of
from shell.host.sandbox_series import BEGINS, BEGINS_MS, five_minutes, joined, with_earlier_days
from shell.market.bars import TIERS, Tier

LISTED, OLD = "BTC/USD", "ETH/USD"
LISTED_PRICE, OLD_PRICE = 100.0, 1000.0
WARM_DAYS, EARLIER_DAYS = 32, 400
STORY_HOURS = 130
HOUR_MS = Tier.H1.ms
# Hours of the story: the listing's one bar closes at hour 3; the old symbol has no bars in the two pauses between.
LISTED_SINCE_MS = 3 * HOUR_MS - Tier.M5.ms
HOLE, HALT, FLAT = (8, 34), (41, 53), (53, 125)
SOARS, COLLAPSES = 126, 128
SOARS_TIMES, COLLAPSED_PRICE = 1e6, 1e-8

MANY = (
    "BTC/USD", "ETH/USD", "SOL/USD", "XRP/USD", "ADA/USD", "DOT/USD", "LTC/USD", "BCH/USD", "LINK/USD", "ATOM/USD", "UNI/USD",
    "XLM/USD", "ALGO/USD", "FIL/USD", "AAVE/USD", "DOGE/USD", "SHIB/USD", "TRX/USD", "NEAR/USD", "APT/USD", "ARB/USD",
    "OP/USD", "INJ/USD", "PEPE/USD",
)  # fmt: skip
MANY_DAYS = 12


class Case(Enum):
    """An edge case: how messages name it, and what a strategy does about it."""

    NO_BARS = (
        "a symbol without any bar yet",
        "give no signal for a symbol whose frames have fewer rows than the rule needs (check len(data.candles_5m) first)",
    )
    ONE_BAR = (
        "a symbol with a single bar",
        "give no signal for a symbol whose frames have fewer rows than the rule needs (check len(data.candles_5m) first)",
    )
    FEW_BARS = (
        "a symbol with a few bars",
        "an average over more bars than there are is NaN or null: compare only what is finite",
    )
    ABSENT = (
        "a symbol that is not in markets",
        "loop over `markets`, or ask it with markets.get(symbol): a symbol without a price is left out",
    )
    HOLE = (
        "a hole of a day in the bars",
        "take times from the timestamp column; a number of rows is no measure of time",
    )
    FOREIGN = (
        "held positions that it did not open",
        "take what is held from portfolio.positions: positions outlive a change of version, and may have no stop or tag",
    )
    NO_CASH = (
        "no cash left",
        "check portfolio.cash before a BUY",
    )
    EMPTY = (
        "an empty account",
        "portfolio.cash and portfolio.total_value may be 0: check before dividing by them",
    )
    HALTED = (
        "a halted symbol: no new bars",
        "the last row may be old: compare its timestamp with analyze's `timestamp`",
    )
    FLAT = (
        "a halted symbol: flat prices, no volume",
        "ranges, deviations and volumes may be exactly 0: check before dividing by them",
    )
    EXTREME = (
        "prices a million times higher, then at 1e-8",
        "stop_loss, take_profit and limit_price must stay above 0 and finite, and size_pct within 0 and 1, whatever the price",
    )
    MANY = (
        f"{len(MANY)} symbols with prices from 1e-8 to 1e9",
        "give at most 50 signals, with prices above 0; loop over `markets` instead of naming symbols",
    )

    @property
    def title(self) -> str:
        return self.value[0]

    @property
    def advice(self) -> str:
        return self.value[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstance:
    """What is special at one scan besides the bars; `held` names symbols of positions bought at the first price seen."""

    hour: int
    case: Case
    absent: tuple[str, ...] = ()
    cash: float = CASH
    held: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()


LISTING_STORY = (
    Circumstance(hour=1, case=Case.NO_BARS),
    Circumstance(hour=2, case=Case.NO_BARS),
    Circumstance(hour=3, case=Case.ONE_BAR),
    Circumstance(hour=4, case=Case.FEW_BARS),
    Circumstance(hour=5, case=Case.FEW_BARS),
    Circumstance(hour=6, case=Case.ABSENT, absent=(OLD,)),
    Circumstance(hour=7, case=Case.ABSENT, absent=(LISTED, OLD)),
    Circumstance(hour=8, case=Case.ABSENT, absent=(LISTED,), held=(LISTED,)),
    Circumstance(hour=9, case=Case.HOLE),
    Circumstance(hour=21, case=Case.HOLE),
    Circumstance(hour=35, case=Case.HOLE),
    Circumstance(hour=36, case=Case.FOREIGN, held=(LISTED, OLD)),
    Circumstance(hour=37, case=Case.FOREIGN, held=(LISTED, OLD)),
    Circumstance(
        hour=38, case=Case.FOREIGN, held=(LISTED, OLD), notices=(FillNotice(OLD, Action.SELL, 0.5, OLD_PRICE, Intent.DAY),)
    ),
    Circumstance(
        hour=39, case=Case.FOREIGN, held=(LISTED,),
        notices=(FillNotice(OLD, Action.CLOSE, 0.5, OLD_PRICE, Intent.DAY), ClosedNotice(OLD, -25.0, -0.05)),
    ),
    Circumstance(hour=40, case=Case.NO_CASH, held=(OLD,), cash=0.0),
    Circumstance(hour=41, case=Case.EMPTY, cash=0.0),
    Circumstance(hour=47, case=Case.HALTED),
    Circumstance(hour=52, case=Case.HALTED, held=(OLD,)),
    Circumstance(hour=101, case=Case.FLAT),
    Circumstance(hour=125, case=Case.FLAT, held=(OLD,)),
    Circumstance(hour=127, case=Case.EXTREME),
    Circumstance(hour=129, case=Case.EXTREME, held=(OLD,)),
)  # fmt: skip
CROWD_STORY = (
    Circumstance(hour=1, case=Case.MANY),
    Circumstance(hour=2, case=Case.MANY, held=MANY[:3]),
    Circumstance(hour=3, case=Case.MANY, held=MANY[-3:]),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeStory:
    """One market with a circumstance at each of its scans."""

    sample: Sample
    circumstances: tuple[Circumstance, ...]

    def after(self, number: int) -> tuple[dict[tuple[str, Tier], BarArray], EdgeStory]:
        """What a host that starts after `number` scans knows, and the rest of the story."""
        if not number:
            return dict(self.sample.windows), self
        scans = self.sample.scans
        begins = scans[number - 1][0]
        known = self.sample.known_at(begins)
        rest = replace(self.sample, begins=begins, windows=known, scans=scans[number:])
        return known, EdgeStory(sample=rest, circumstances=self.circumstances[number:])

    def requests(self) -> Iterator[tuple[Case, ScanRequest]]:
        """Each scan with the case it stands for. What the strategy answers changes nothing here."""
        symbols = self.sample.symbols
        for (now, bars, prices), told in zip(self.sample.prices(), self.circumstances, strict=True):
            held = tuple(_held(symbol, prices[symbol], now) for symbol in told.held)
            account = Account(told.cash, told.cash or CASH, CASH, 12.5, held)
            shown = [symbol for symbol in symbols if symbol not in told.absent]
            yield told.case, request_of(now, bars, prices, account, shown=shown, notices=told.notices)


EDGE_STORIES = 2


def edge_stories(seed: int) -> tuple[EdgeStory, EdgeStory]:
    """The listing's and the crowd's story."""
    return _listing(np.random.default_rng(seed)), _crowd(np.random.default_rng(seed + 1))


def _listing(rng: np.random.Generator) -> EdgeStory:
    begins = BEGINS + timedelta(days=WARM_DAYS)
    begins_ms = BEGINS_MS + WARM_DAYS * Tier.D1.ms
    days = WARM_DAYS + STORY_HOURS / 24
    listed = five_minutes(rng, LISTED_PRICE, days)
    listed = listed[listed[:, 0] >= begins_ms + LISTED_SINCE_MS]
    old = _mistreated(five_minutes(rng, OLD_PRICE, days, phase=1.0), begins_ms)
    histories = _tiers(LISTED, listed) | _tiers(OLD, old)
    histories[OLD, Tier.D1] = with_earlier_days(rng, histories[OLD, Tier.D1], EARLIER_DAYS)
    return _story((LISTED, OLD), histories, begins, LISTING_STORY)


def _crowd(rng: np.random.Generator) -> EdgeStory:
    histories: dict[tuple[str, Tier], BarArray] = {}
    for number, (symbol, price) in enumerate(zip(MANY, np.geomspace(1e9, 1e-8, len(MANY)).tolist(), strict=True)):
        histories |= _tiers(symbol, five_minutes(rng, price, MANY_DAYS + 1, phase=number))
    return _story(MANY, histories, BEGINS + timedelta(days=MANY_DAYS), CROWD_STORY)


def _story(
    symbols: Sequence[str],
    histories: Mapping[tuple[str, Tier], BarArray],
    begins: datetime,
    circumstances: tuple[Circumstance, ...],
) -> EdgeStory:
    moments = [begins + timedelta(hours=told.hour) for told in circumstances]
    return EdgeStory(sample=sample_of(symbols, histories, begins, moments), circumstances=circumstances)


def _tiers(symbol: str, m5: BarArray) -> dict[tuple[str, Tier], BarArray]:
    return {(symbol, tier): m5 if tier is Tier.M5 else joined(m5, tier) for tier in TIERS}


def _mistreated(rows: BarArray, begins_ms: int) -> BarArray:
    """The old symbol's bars with two pauses, three days of flat prices without volume, and two absurd prices."""
    hour = (rows[:, 0] - begins_ms) / HOUR_MS
    flat = (FLAT[0] <= hour) & (hour < FLAT[1])
    price = rows[np.flatnonzero(hour < HALT[0])[-1], 4]
    rows[flat, 1:5], rows[flat, 5] = price, 0.0
    rows[(hour >= SOARS) & (hour < COLLAPSES), 1:5] *= SOARS_TIMES
    rows[hour >= COLLAPSES, 1:5] *= COLLAPSED_PRICE / OLD_PRICE
    paused = ((HOLE[0] <= hour) & (hour < HOLE[1])) | ((HALT[0] <= hour) & (hour < HALT[1]))
    return rows[~paused]


def _held(symbol: str, price: float, now: datetime) -> Holding:
    """A position of some version before: two days old, bought 5 % above the price, without stop, target or tag."""
    return Holding(symbol, 1_000.0 / price, price * 1.05, Intent.DAY, None, None, now - timedelta(days=2), "")
