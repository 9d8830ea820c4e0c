"""Small made-up markets and a frictionless account to try a strategy on: they measure manners, never worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np

from shell.contract import Action, ClosedTrade, OpenPosition, Portfolio, Signal
from shell.host.port import BarArray, ClosedNotice, FillNotice, ScanRequest, SymbolFacts
from shell.market.bars import DAY_MS, TIERS, Bar, Quote, Tier

BEGINS = datetime(2024, 1, 1, tzinfo=UTC)
WARM_DAYS = 32
SCANS = 60
SCAN_EVERY = timedelta(hours=1)
EARLIER_DAYS = 400
DEFAULT_SIZE_PCT = 0.05

_BEGINS_MS = round(BEGINS.timestamp() * 1000)
_M5_A_DAY = DAY_MS // Tier.M5.ms
_SWING = 0.08
_SWING_DAYS = 4.0
_NOISE = 0.0015


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One market: what is known at `begins`, and the bars that close at each later scan."""

    symbols: tuple[str, ...]
    begins: datetime
    windows: Mapping[tuple[str, Tier], BarArray]
    scans: tuple[tuple[datetime, tuple[Bar, ...]], ...]
    cash: float

    def known_at(self, now: datetime) -> dict[tuple[str, Tier], BarArray]:
        """The windows of a host that starts after the scan at `now`."""
        rows = {key: [window] for key, window in self.windows.items()}
        for moment, bars in self.scans:
            if moment <= now:
                for bar in bars:
                    rows[bar.symbol, bar.tier].append(np.array([bar[2:]], dtype=np.float64))
        return {key: np.concatenate(parts) for key, parts in rows.items()}


def trending_market(symbols: Sequence[str], seed: int) -> Sample:
    """Prices that swing by some percent within days, so that trend rules find something to do; 60 hourly scans."""
    rng = np.random.default_rng(seed)
    begins = BEGINS + timedelta(days=WARM_DAYS)
    scans = [begins + (number + 1) * SCAN_EVERY for number in range(SCANS)]
    histories: dict[tuple[str, Tier], BarArray] = {}
    for number, symbol in enumerate(symbols):
        m5 = _five_minutes(rng, 100.0 * 10.0**number, WARM_DAYS + 3, phase=number)
        h1, d1 = _joined(m5, Tier.H1), _joined(m5, Tier.D1)
        histories |= {(symbol, Tier.M5): m5, (symbol, Tier.H1): h1, (symbol, Tier.D1): _with_earlier(rng, d1)}
    return _sample(symbols, histories, begins, scans, cash=10_000.0)


def awkward_market(seed: int) -> Sample:
    """No bars, a single bar, a hole of a day, prices of 1e-8 and of 1e9, and no cash at all."""
    rng = np.random.default_rng(seed)
    symbols = ("BTC/USD", "ETH/USD", "SOL/USD", "XRP/USD", "LTC/USD")
    begins = BEGINS + timedelta(days=2)
    cut = round(begins.timestamp() * 1000)
    empty = np.empty((0, 6))
    histories: dict[tuple[str, Tier], BarArray] = {}
    for symbol, price in zip(symbols, (100.0, 100.0, 100.0, 1e-8, 1e9), strict=True):
        m5 = _five_minutes(rng, price, 3, phase=0)
        for tier, rows in ((Tier.M5, m5), (Tier.H1, _joined(m5, Tier.H1)), (Tier.D1, _joined(m5, Tier.D1))):
            closes = rows[:, 0] + tier.ms
            match symbol:
                case "BTC/USD":
                    rows = empty
                case "ETH/USD":
                    rows = rows[np.flatnonzero(closes == cut)]
                case "SOL/USD":
                    rows = rows[(closes <= cut - DAY_MS) | (closes > cut - DAY_MS // 24)]
                case _:
                    pass
            histories[symbol, tier] = rows
    scans = [begins + (number + 1) * timedelta(minutes=5) for number in range(6)]
    return _sample(symbols, histories, begins, scans, cash=0.0)


@dataclass(slots=True)
class SampleAccount:
    """Fills every entry and exit whole at the next scan's price, without costs: so that every method is called."""

    sample: Sample
    cash: float
    held: dict[str, OpenPosition] = field(default_factory=dict)
    waiting: list[Signal] = field(default_factory=list)
    trades: list[ClosedTrade] = field(default_factory=list)
    fresh: int = 0

    def requests(self) -> Iterator[ScanRequest]:
        """One request a scan; put the answer into `waiting` before asking for the next."""
        prices = {symbol: float(rows[-1, 4]) for (symbol, _), rows in self.sample.windows.items() if len(rows)}
        for now, bars in self.sample.scans:
            prices |= {bar.symbol: bar.close for bar in bars if bar.tier is Tier.M5}
            notices = [notice for signal in self.waiting for notice in self._fill(signal, prices, now)]
            self.waiting = []
            facts = {symbol: _facts(symbol, prices.get(symbol, 100.0), now) for symbol in self.sample.symbols}
            fresh, self.fresh = self.fresh, len(self.trades)
            yield ScanRequest(
                now=now,
                new_bars=bars,
                facts=facts,
                portfolio=self._portfolio(prices),
                notices=notices,
                new_trades=self.trades[fresh:],
            )

    def _fill(self, signal: Signal, prices: dict[str, float], now: datetime) -> Iterator[FillNotice | ClosedNotice]:
        symbol, price, position = signal.symbol, prices.get(signal.symbol, 100.0), self.held.get(signal.symbol)
        if signal.action is Action.BUY and position is None:
            spent = min(self.cash, (signal.size_pct or DEFAULT_SIZE_PCT) * self._portfolio(prices).total_value)
            if spent > 0.0:
                self.cash -= spent
                self.held[symbol] = _position(signal, spent / price, price, now)
                yield FillNotice(symbol, signal.action, spent / price, price, signal.intent)
        elif signal.action in (Action.SELL, Action.CLOSE) and position is not None:
            del self.held[symbol]
            self.cash += position.qty * price
            trade = _closed(position, price, now)
            self.trades.append(trade)
            yield FillNotice(symbol, signal.action, position.qty, price, position.intent)
            yield ClosedNotice(symbol, trade.pnl, trade.pnl_pct)

    def _portfolio(self, prices: Mapping[str, float]) -> Portfolio:
        positions = [_marked(position, prices[symbol]) for symbol, position in sorted(self.held.items())]
        value = self.cash + sum(position.qty * position.current_price for position in positions)
        gain = value - self.sample.cash
        return Portfolio(
            cash=self.cash,
            total_value=value,
            positions=positions,
            recent_trades=[],
            daily_pnl=gain,
            total_pnl=gain,
            fees=0.0,
        )


def _five_minutes(rng: np.random.Generator, price: float, days: int, phase: int) -> BarArray:
    count = days * _M5_A_DAY
    at = np.arange(count + 1) / _M5_A_DAY
    swing = _SWING * np.sin(2.0 * np.pi * at / _SWING_DAYS + phase)
    level = price * np.exp(swing + _NOISE * rng.standard_normal(count + 1))
    open_, close = level[:-1], level[1:]
    reach = 1.0 + _NOISE * rng.random((2, count))
    rows = np.empty((count, 6))
    rows[:, 0] = _BEGINS_MS + Tier.M5.ms * np.arange(count)
    rows[:, 1], rows[:, 4] = open_, close
    rows[:, 2], rows[:, 3] = np.maximum(open_, close) * reach[0], np.minimum(open_, close) / reach[1]
    rows[:, 5] = 1.0 + rng.random(count)
    return rows


def _joined(m5: BarArray, tier: Tier) -> BarArray:
    """Whole buckets of consecutive 5-minute bars as bars of a longer tier."""
    size = tier.ms // Tier.M5.ms
    blocks = m5[: len(m5) // size * size].reshape(-1, size, 6)
    return np.column_stack(
        (
            blocks[:, 0, 0],
            blocks[:, 0, 1],
            blocks[:, :, 2].max(axis=1),
            blocks[:, :, 3].min(axis=1),
            blocks[:, -1, 4],
            blocks[:, :, 5].sum(axis=1),
        )
    )


def _with_earlier(rng: np.random.Generator, d1: BarArray) -> BarArray:
    steps = np.exp(np.cumsum(0.02 * rng.standard_normal(EARLIER_DAYS)))
    close = d1[0, 1] * steps / steps[-1]
    open_ = np.concatenate((close[:1], close[:-1]))
    high, low = np.maximum(open_, close) * 1.01, np.minimum(open_, close) / 1.01
    times = d1[0, 0] - DAY_MS * np.arange(EARLIER_DAYS, 0, -1)
    earlier = np.column_stack((times, open_, high, low, close, np.full(EARLIER_DAYS, 300.0)))
    return np.concatenate((earlier, d1))


def _sample(
    symbols: Sequence[str],
    histories: Mapping[tuple[str, Tier], BarArray],
    begins: datetime,
    moments: Sequence[datetime],
    cash: float,
) -> Sample:
    windows: dict[tuple[str, Tier], BarArray] = {}
    later: list[Bar] = []
    cut = round(begins.timestamp() * 1000)
    for (symbol, tier), rows in histories.items():
        known = rows[:, 0] + tier.ms <= cut
        windows[symbol, tier] = rows[known & (rows[:, 0] >= cut - tier.kept_ms)]
        later += [Bar(symbol, tier, int(row[0]), *row[1:]) for row in rows[~known].tolist()]
    later.sort(key=lambda bar: (bar.close_ms, symbols.index(bar.symbol), TIERS.index(bar.tier)))
    scans, previous = [], cut
    for moment in moments:
        now_ms = round(moment.timestamp() * 1000)
        scans.append((moment, tuple(bar for bar in later if previous < bar.close_ms <= now_ms)))
        previous = now_ms
    return Sample(symbols=tuple(symbols), begins=begins, windows=windows, scans=tuple(scans), cash=cash)


def _facts(symbol: str, price: float, now: datetime) -> SymbolFacts:
    quote = Quote(symbol, price * 0.9998, price * 1.0002, price, round(now.timestamp() * 1000))
    return SymbolFacts(quote, 1000.0, 0.0025, 0.004)


def _position(signal: Signal, qty: float, price: float, now: datetime) -> OpenPosition:
    return OpenPosition(
        symbol=signal.symbol,
        side="long",
        qty=qty,
        avg_entry=price,
        current_price=price,
        unrealized_pnl=0.0,
        unrealized_pnl_pct=0.0,
        intent=signal.intent,
        stop_loss=signal.stop_loss,
        take_profit=signal.take_profit,
        opened_at=now,
        tag=signal.tag,
    )


def _marked(position: OpenPosition, price: float) -> OpenPosition:
    return OpenPosition(
        symbol=position.symbol,
        side=position.side,
        qty=position.qty,
        avg_entry=position.avg_entry,
        current_price=price,
        unrealized_pnl=position.qty * (price - position.avg_entry),
        unrealized_pnl_pct=price / position.avg_entry - 1.0,
        intent=position.intent,
        stop_loss=position.stop_loss,
        take_profit=position.take_profit,
        opened_at=position.opened_at,
        tag=position.tag,
    )


def _closed(position: OpenPosition, price: float, now: datetime) -> ClosedTrade:
    return ClosedTrade(
        symbol=position.symbol,
        side=position.side,
        qty=position.qty,
        entry_price=position.avg_entry,
        exit_price=price,
        pnl=position.qty * (price - position.avg_entry),
        pnl_pct=price / position.avg_entry - 1.0,
        intent=position.intent,
        opened_at=position.opened_at or now,
        closed_at=now,
        tag=position.tag,
    )
