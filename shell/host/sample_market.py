"""Small made-up markets and a frictionless account to try a strategy on: they measure manners, never worth."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from shell.contract import Action, ClosedTrade, Signal
from shell.host.account import LONG, HostPortfolio
from shell.host.port import Account, BarArray, ClosedNotice, FillNotice, Holding, ScanRequest, SymbolFacts
from shell.host.sandbox_series import BEGINS, five_minutes, joined, with_earlier_days
from shell.market.bars import TIERS, Bar, Quote, Tier

WARM_DAYS = 32
SCANS = 60
SCAN_EVERY = timedelta(hours=1)
EARLIER_DAYS = 400
DEFAULT_SIZE_PCT = 0.05
CASH = 10_000.0
# What a symbol is quoted at before it has a bar.
FIRST_PRICE = 100.0
HALF_SPREAD_PCT = 0.0002
MAKER_FEE_PCT, TAKER_FEE_PCT = 0.0025, 0.004

Notice = FillNotice | ClosedNotice


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One market: what is known at `begins`, and the bars that close at each later scan."""

    symbols: tuple[str, ...]
    begins: datetime
    windows: Mapping[tuple[str, Tier], BarArray]
    scans: tuple[tuple[datetime, tuple[Bar, ...]], ...]

    def known_at(self, now: datetime) -> dict[tuple[str, Tier], BarArray]:
        """The windows of a host that starts after the scan at `now`."""
        rows = {key: [window] for key, window in self.windows.items()}
        for moment, bars in self.scans:
            if moment <= now:
                for bar in bars:
                    rows[bar.symbol, bar.tier].append(np.array([bar[2:]], dtype=np.float64))
        return {key: np.concatenate(parts) for key, parts in rows.items()}

    def prices(self) -> Iterator[tuple[datetime, tuple[Bar, ...], dict[str, float]]]:
        """Each scan with its bars and the newest price of every symbol at it."""
        newest = dict.fromkeys(self.symbols, FIRST_PRICE)
        newest |= {symbol: float(rows[-1, 4]) for (symbol, tier), rows in self.windows.items() if tier is Tier.M5 and len(rows)}
        for now, bars in self.scans:
            newest |= {bar.symbol: bar.close for bar in bars if bar.tier is Tier.M5}
            yield now, bars, dict(newest)


def trending_market(symbols: Sequence[str], seed: int) -> Sample:
    """Prices that swing by some percent within days, so that trend rules find something to do; 60 hourly scans."""
    rng = np.random.default_rng(seed)
    begins = BEGINS + timedelta(days=WARM_DAYS)
    histories: dict[tuple[str, Tier], BarArray] = {}
    for number, symbol in enumerate(symbols):
        m5 = five_minutes(rng, 100.0 * 10.0**number, WARM_DAYS + 3, phase=number)
        d1 = with_earlier_days(rng, joined(m5, Tier.D1), EARLIER_DAYS)
        histories |= {(symbol, Tier.M5): m5, (symbol, Tier.H1): joined(m5, Tier.H1), (symbol, Tier.D1): d1}
    return sample_of(symbols, histories, begins, [begins + (number + 1) * SCAN_EVERY for number in range(SCANS)])


def sample_of(
    symbols: Sequence[str], histories: Mapping[tuple[str, Tier], BarArray], begins: datetime, moments: Sequence[datetime]
) -> Sample:
    """Histories by symbol and tier, cut into what is known at `begins` and what closes until each of `moments`."""
    windows: dict[tuple[str, Tier], BarArray] = {}
    later: list[Bar] = []
    cut, end = _ms(begins), _ms(moments[-1])
    place = {symbol: number for number, symbol in enumerate(symbols)}
    for (symbol, tier), rows in histories.items():
        closes = rows[:, 0] + tier.ms
        windows[symbol, tier] = rows[(closes <= cut) & (rows[:, 0] >= cut - tier.kept_ms)]
        later += [Bar(symbol, tier, int(row[0]), *row[1:]) for row in rows[(closes > cut) & (closes <= end)].tolist()]
    later.sort(key=lambda bar: (bar.close_ms, place[bar.symbol], TIERS.index(bar.tier)))
    scans, number = [], 0
    for moment in moments:
        begun, now_ms = number, _ms(moment)
        while number < len(later) and later[number].close_ms <= now_ms:
            number += 1
        scans.append((moment, tuple(later[begun:number])))
    return Sample(symbols=tuple(symbols), begins=begins, windows=windows, scans=tuple(scans))


def request_of(
    now: datetime,
    bars: Sequence[Bar],
    prices: Mapping[str, float],
    account: Account,
    *,
    shown: Sequence[str],
    notices: Sequence[Notice] = (),
    new_trades: Sequence[ClosedTrade] = (),
) -> ScanRequest:
    """The scan at `now`, in whose `markets` the symbols `shown` are."""
    quoted = {symbol: prices[symbol] for symbol in shown}
    return ScanRequest(
        now=now,
        new_bars=bars,
        facts={symbol: _facts(symbol, price, now) for symbol, price in quoted.items()},
        portfolio=HostPortfolio(account, lambda symbol: quoted.get(symbol, math.nan), ()),
        notices=notices,
        new_trades=new_trades,
    )


@dataclass(slots=True)
class SampleAccount:
    """Fills every entry and exit whole at the next scan's price, without costs: so that every method is called."""

    sample: Sample
    cash: float = CASH
    held: dict[str, Holding] = field(default_factory=dict)
    waiting: Sequence[Signal] = ()
    trades: list[ClosedTrade] = field(default_factory=list)
    fresh: int = 0

    def requests(self) -> Iterator[ScanRequest]:
        """One request a scan; put the answer into `waiting` before asking for the next."""
        for now, bars, prices in self.sample.prices():
            notices = [notice for signal in self.waiting for notice in self._fill(signal, prices, now)]
            self.waiting = ()
            fresh, self.fresh = self.fresh, len(self.trades)
            account = Account(self.cash, CASH, CASH, 0.0, tuple(self.held[name] for name in sorted(self.held)))
            yield request_of(
                now, bars, prices, account, shown=self.sample.symbols, notices=notices, new_trades=self.trades[fresh:]
            )

    def _fill(self, signal: Signal, prices: Mapping[str, float], now: datetime) -> Iterator[Notice]:
        symbol, price, held = signal.symbol, prices[signal.symbol], self.held.get(signal.symbol)
        if signal.action is Action.BUY and held is None:
            value = self.cash + sum(each.qty * prices[each.symbol] for each in self.held.values())
            spent = min(self.cash, (signal.size_pct or DEFAULT_SIZE_PCT) * value)
            if spent > 0.0:
                self.cash -= spent
                self.held[symbol] = Holding(
                    symbol, spent / price, price, signal.intent, signal.stop_loss, signal.take_profit, now, signal.tag
                )
                yield FillNotice(symbol, signal.action, spent / price, price, signal.intent)
        elif signal.action in (Action.SELL, Action.CLOSE) and held is not None:
            del self.held[symbol]
            self.cash += held.qty * price
            trade = closed(held, price, now)
            self.trades.append(trade)
            yield FillNotice(symbol, signal.action, held.qty, price, held.intent)
            yield ClosedNotice(symbol, trade.pnl, trade.pnl_pct)


def closed(held: Holding, price: float, now: datetime) -> ClosedTrade:
    """The trade that a holding becomes when all of it is sold at `price`."""
    return ClosedTrade(
        symbol=held.symbol,
        side=LONG,
        qty=held.qty,
        entry_price=held.avg_entry,
        exit_price=price,
        pnl=held.qty * (price - held.avg_entry),
        pnl_pct=price / held.avg_entry - 1.0,
        intent=held.intent,
        opened_at=held.opened_at or now,
        closed_at=now,
        tag=held.tag,
    )


def _facts(symbol: str, price: float, now: datetime) -> SymbolFacts:
    quote = Quote(symbol, price * (1.0 - HALF_SPREAD_PCT), price * (1.0 + HALF_SPREAD_PCT), price, _ms(now))
    return SymbolFacts(quote, 1000.0, MAKER_FEE_PCT, TAKER_FEE_PCT)


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
