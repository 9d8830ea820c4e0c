"""Between the `backtesting` library's `next` and a hosted strategy: closed bars and the account in, orders out.

The account that the strategy sees is read from the library's broker; nothing of our engine or ledger is used.
Prices inside the library are scaled by `UNIT`, so that one whole unit is one lot of 1e-8 coins.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_UP, Decimal
from typing import Any, assert_never

from shell.backtest.result import BacktestSettings
from shell.clock import from_ms, local_day
from shell.contract import Action, ClosedTrade, Intent, OpenPosition, OrderType, Portfolio, Signal
from shell.host.port import NO_VENUE_VOLUME, ClosedNotice, FillNotice, ScanRequest, StrategyHost, SymbolFacts
from shell.market.bars import Bar, Tier
from shell.market.book import MarketBook, ReplayFeed
from shell.market.history import History
from shell.market.pair import replay_pair
from shell.money import decimal_of
from shell.risk.limits import fill_allowance, limits_view

UNIT = 1e-8
PADDING_BARS = 2
MINUTE_MS = 60_000
LIMIT_DIFFERENCE = "limit orders fill on a touch and pay the taker fee here"
ADDED_DIFFERENCE = "an entry into an open position is a trade of its own here"

# The library's Strategy, Trade and Order objects: it ships no types.
Library = Any


@dataclass(slots=True)
class _Round:
    """What was bought and sold since the position was last flat; amounts in quote units, before commissions."""

    opened_at: datetime
    intent: Intent
    tag: str
    bought: float = 0.0
    cost: float = 0.0
    proceeds: float = 0.0
    fees: float = 0.0


class LibraryBridge:
    """Asks the hosted strategy at every slot the engine would, and places what it answers with the library's broker."""

    def __init__(
        self, history: History, symbol: str, opens_ms: Sequence[int], settings: BacktestSettings, host: StrategyHost
    ) -> None:
        """`opens_ms` are the opens of the library's bars, the padding included; the window starts after the padding."""
        self.differences: set[str] = set()
        self._symbol = symbol
        self._opens_ms = opens_ms
        self._settings = settings
        self._host = host
        self._paper = settings.paper.for_symbol(symbol)
        self._fee = float(self._paper.taker_fee_pct)
        self._pair = replay_pair(symbol, float(history.m5[symbol]["close"][0]))
        start = from_ms(opens_ms[PADDING_BARS - 1] + Tier.M5.ms)
        feed = ReplayFeed(history, [symbol], start, from_ms(opens_ms[-1] + Tier.M5.ms))
        # The library has no spread on exits; the strategy is shown a market without one.
        self._market = MarketBook([symbol], feed)
        self._market.preload(history, start)
        self._cursor = self._market.cursor
        self._unsent: list[Bar] = []
        self._notices: list[FillNotice | ClosedNotice] = []
        self._new_trades: list[ClosedTrade] = []
        self._round: _Round | None = None
        self._closed_seen = 0
        self._fees_paid = 0.0
        self._day: date | None = None
        self._day_start = 0.0
        self._interval_ms = 0
        self._last_slot_ms = -1

    def start(self) -> None:
        """Start the hosted strategy with the windows as of the start. Raises StrategyFault."""
        minutes = self._host.start(
            symbols=[self._symbol], limits=limits_view(self._settings.risk), windows=self._market.windows(), state=None
        )
        self._interval_ms = minutes * MINUTE_MS

    def bar_closed(self, library: Library) -> None:
        """Called by the library once its broker has worked a bar: note fills, then ask at each slot until the next."""
        index = len(library.data) - 1
        self._notice_entries(library, index)
        self._notice_exits(library, index)
        if index + 1 == len(self._opens_ms):
            return  # No later bar an order could fill in, so nothing is asked any more.
        next_open_ms = self._opens_ms[index + 1]
        for now_ms in range(self._opens_ms[index] + Tier.M5.ms, next_open_ms + 1, Tier.M5.ms):
            slot_ms = now_ms // self._interval_ms * self._interval_ms
            self._reveal(now_ms)
            self._expire_limits(library, now_ms)
            self._roll_day(library, now_ms)
            if slot_ms > self._last_slot_ms:
                self._last_slot_ms = slot_ms
                for signal in self._host.analyze(self._request(library, now_ms)):
                    self._place(library, signal, now_ms, next_open_ms)

    # -- what the strategy is shown ---------------------------------------------------------------------------------

    def _reveal(self, now_ms: int) -> None:
        self._market.advance(from_ms(now_ms))
        bars = self._market.bars_since(self._cursor)
        self._cursor += len(bars)
        self._unsent.extend(bars)

    def _roll_day(self, library: Library, now_ms: int) -> None:
        today = local_day(from_ms(now_ms), self._settings.zone)
        if today != self._day:
            self._day, self._day_start = today, library.equity

    def _request(self, library: Library, now_ms: int) -> ScanRequest:
        quote = self._market.quote(self._symbol)
        facts = {}
        if quote is not None:
            facts[self._symbol] = SymbolFacts(
                quote, NO_VENUE_VOLUME, float(self._paper.maker_fee_pct), self._fee
            )
        request = ScanRequest(
            now=from_ms(now_ms), new_bars=tuple(self._unsent), facts=facts, portfolio=self._portfolio(library),
            notices=tuple(self._notices), new_trades=tuple(self._new_trades),
        )
        self._unsent.clear()
        self._notices.clear()
        self._new_trades.clear()
        return request

    def _portfolio(self, library: Library) -> Portfolio:
        price = _price(library.data.Close[-1])
        qty = _qty(sum(trade.size for trade in library.trades))
        positions = [self._position(library, qty, price)] if qty and self._round is not None else []
        return Portfolio(
            cash=library.equity - qty * price, total_value=library.equity, positions=positions, recent_trades=[],
            daily_pnl=library.equity - self._day_start, total_pnl=library.equity - float(self._settings.cash),
            fees=self._fees_paid,
        )

    def _position(self, library: Library, qty: float, price: float) -> OpenPosition:
        held, trade = self._round, library.trades[-1]
        assert held is not None
        entry = _clean(held.cost / held.bought)
        gain = qty * (price - entry)
        return OpenPosition(
            symbol=self._symbol, side="long", qty=qty, avg_entry=entry, current_price=price, unrealized_pnl=gain,
            unrealized_pnl_pct=gain / (qty * entry), intent=held.intent,
            stop_loss=_price(trade.sl) if trade.sl else None, take_profit=_price(trade.tp) if trade.tp else None,
            opened_at=held.opened_at, tag=held.tag,
        )

    # -- what the broker did ----------------------------------------------------------------------------------------

    def _notice_entries(self, library: Library, index: int) -> None:
        entered = [trade for trade in library.trades if trade.entry_bar == index]
        entered += [trade for trade in library.closed_trades[self._closed_seen :] if trade.entry_bar == index]
        for trade in entered:
            intent, tag = trade.tag
            if self._round is None:
                self._round = _Round(opened_at=from_ms(self._opens_ms[index]), intent=intent, tag=tag)
            else:
                self.differences.add(ADDED_DIFFERENCE)
            qty, price = _qty(trade.size), _price(trade.entry_price)
            self._round.bought += qty
            self._round.cost += qty * price
            self._pay(qty * price)
            self._notices.append(FillNotice(self._symbol, Action.BUY, qty, price, intent))

    def _notice_exits(self, library: Library, index: int) -> None:
        closed = library.closed_trades[self._closed_seen :]
        self._closed_seen = len(library.closed_trades)
        flat = not library.trades
        for number, trade in enumerate(closed, start=1):
            assert self._round is not None
            qty, price = _qty(abs(trade.size)), _price(trade.exit_price)
            self._round.proceeds += qty * price
            self._pay(qty * price)
            last = flat and number == len(closed)
            action = Action.CLOSE if last else Action.SELL
            self._notices.append(FillNotice(self._symbol, action, qty, price, self._round.intent))
            if last:
                self._end_round(self._round, from_ms(self._opens_ms[index]))

    def _pay(self, value: float) -> None:
        assert self._round is not None
        self._round.fees += value * self._fee
        self._fees_paid += value * self._fee

    def _end_round(self, held: _Round, at: datetime) -> None:
        pnl = held.proceeds - held.cost - held.fees
        self._notices.append(ClosedNotice(self._symbol, pnl, pnl / held.cost))
        self._new_trades.append(
            ClosedTrade(
                symbol=self._symbol, side="long", qty=held.bought, entry_price=held.cost / held.bought,
                exit_price=held.proceeds / held.bought, pnl=pnl, pnl_pct=pnl / held.cost, intent=held.intent,
                opened_at=held.opened_at, closed_at=at, fees=held.fees, tag=held.tag,
            )
        )
        self._round = None

    # -- what the strategy asks for ---------------------------------------------------------------------------------

    def _place(self, library: Library, signal: Signal, now_ms: int, next_open_ms: int) -> None:
        match signal.action:
            case Action.BUY:
                self._enter(library, signal, now_ms, next_open_ms)
            case Action.SELL:
                self._reduce(library, signal)
            case Action.CLOSE:
                self._cancel_entries(library)
                if not _leaving(library):
                    for trade in library.trades:
                        trade.close()
            case Action.MODIFY:
                stop, target = self._protection(signal)
                for trade in library.trades:
                    trade.sl = stop or trade.sl
                    trade.tp = target or trade.tp
            case _:
                assert_never(signal.action)

    def _enter(self, library: Library, signal: Signal, now_ms: int, next_open_ms: int) -> None:
        quote = self._market.quote(self._symbol)
        market = signal.order_type is OrderType.MARKET
        stale_ms = self._settings.risk.stale_price.total_seconds() * 1000
        if quote is None or now_ms - quote.at_ms > stale_ms or _entering(library):
            return
        if market and next_open_ms - now_ms > Tier.M5.ms:
            return  # The engine's order would expire before there is a price.
        limit = None
        if not market:
            self.differences.add(LIMIT_DIFFERENCE)
            if signal.limit_price is None:
                return
            limit = float(self._pair.round_price(decimal_of(signal.limit_price)))
        stop, target = self._protection(signal)
        entry = limit or quote.last
        if (stop or 0.0) >= entry * UNIT or (target or math.inf) <= entry * UNIT:
            return
        units = self._units(library, signal.size_pct, limit, quote.last)
        if units * UNIT < float(self._pair.min_qty):
            return
        library.buy(
            size=units, limit=limit * UNIT if limit else None, sl=stop, tp=target, tag=(signal.intent, signal.tag)
        ).placed_ms = now_ms

    def _units(self, library: Library, size_pct: float, limit: float | None, price: float) -> int:
        """The fraction of equity asked for within the limits of size, at the worst price, in whole units."""
        risk = self._settings.risk
        equity = Decimal(library.equity)
        held = Decimal(sum(trade.size for trade in library.trades) * float(library.data.Close[-1]))
        asked = decimal_of(size_pct) or risk.default_trade_pct
        amount = min(equity * min(asked, risk.max_trade_pct), equity * risk.max_position_pct - held, equity - held)
        worst = decimal_of(limit) if limit else decimal_of(price) * (1 + fill_allowance(self._paper))
        dearest_fee = max(self._paper.taker_fee_pct, self._paper.maker_fee_pct)
        return max(0, int(amount / (worst * (1 + dearest_fee)) / decimal_of(UNIT)))

    def _protection(self, signal: Signal) -> tuple[float | None, float | None]:
        """Stop and target on the pair's tick, rounded towards the price, in the library's scale."""
        stop, target = signal.stop_loss, signal.take_profit
        return (
            float(self._pair.round_price(decimal_of(stop), ROUND_UP)) * UNIT if stop else None,
            float(self._pair.round_price(decimal_of(target))) * UNIT if target else None,
        )

    def _reduce(self, library: Library, signal: Signal) -> None:
        if not library.trades or _leaving(library):
            return
        held = sum(trade.size for trade in library.trades)
        price = float(library.data.Close[-1])
        wanted = held * 0.5 if not signal.size_pct else signal.size_pct * library.equity / price
        portion = min(1.0, wanted / held)
        for trade in library.trades:
            trade.close(portion)

    def _expire_limits(self, library: Library, now_ms: int) -> None:
        life_ms = self._paper.limit_entry_expiry.total_seconds() * 1000
        for order in _entries(library):
            if order.limit and now_ms - order.placed_ms >= life_ms:
                order.cancel()

    def _cancel_entries(self, library: Library) -> None:
        for order in _entries(library):
            order.cancel()


def _price(scaled: float) -> float:
    """A price of the library in quote units, without the noise that scaling there and back leaves in the last digits:
    a strategy that put its stop at such a price would find it a tick away."""
    return _clean(float(scaled) / UNIT)


def _qty(units: int) -> float:
    return _clean(units * UNIT)


def _clean(value: float) -> float:
    return float(f"{value:.12g}")


def _entries(library: Library) -> list[Library]:
    return [order for order in library.orders if order.is_long]


def _entering(library: Library) -> bool:
    return bool(_entries(library))


def _leaving(library: Library) -> bool:
    """True while an order to close or reduce waits for the next open; stops and targets do not count."""
    return any(order.is_short and not order.is_contingent for order in library.orders)
