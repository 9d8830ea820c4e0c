"""What the ledger is worth: the marks that loss limits are measured from, and the views of it that cross the contract.

Pure. Called at every five-minute step, so a step that changes nothing returns the very object it was given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal

from shell.contract import ClosedTrade, OpenPosition, Portfolio
from shell.host.port import Account, Holding
from shell.money import CONTEXT, NO_MONEY, ZERO, Price, QuoteAmount
from shell.portfolio.ledger import EquityMarks, Ledger, Position, TradeClosed

LONG = "long"


def mark(marks: EquityMarks | None, equity: QuoteAmount, day: date) -> EquityMarks:
    """The marks after `equity` was seen on local day `day`: a new day starts there, a new high raises the peak.

    The first mark of a book starts both. A day never goes back: a mark dated before the current day counts to that day.
    """
    if marks is None:
        return EquityMarks(day=day, day_start=equity, peak=equity)
    if day > marks.day:
        return EquityMarks(day=day, day_start=equity, peak=equity if equity > marks.peak else marks.peak)
    if equity > marks.peak:
        return with_peak(marks, equity)
    return marks


def with_peak(marks: EquityMarks, peak: QuoteAmount) -> EquityMarks:
    """The marks with another peak. Written out, like those below: `replace` costs five times as much, at every new high."""
    return EquityMarks(day=marks.day, day_start=marks.day_start, peak=peak, trades_today=marks.trades_today)


def with_entry(marks: EquityMarks) -> EquityMarks:
    """One more entry was filled today: what max_daily_trades counts, besides the entries still working."""
    return EquityMarks(day=marks.day, day_start=marks.day_start, peak=marks.peak, trades_today=marks.trades_today + 1)


def with_capital(marks: EquityMarks, amount: QuoteAmount, *, equity: QuoteAmount) -> EquityMarks:
    """The marks after a capital event, `equity` being the value just before it: neither a gain nor a cover for a loss.

    `day_start` moves by the amount, so the day's result in money stays. `peak` keeps its proportion to equity, so the
    drawdown fraction stays (the unit value of a fund): moved by the amount instead, a deposit would dilute a drawdown
    and a withdrawal raise a false one. Where there was no equity there is no proportion: the peak moves by the amount.
    """
    if equity > NO_MONEY:
        factor = CONTEXT.divide((equity + amount).value, equity.value)
        peak = max(marks.peak.scaled(factor), equity + amount)
    else:
        peak = max(marks.peak + amount, equity + amount)
    return replace(marks, day_start=marks.day_start + amount, peak=peak)


def drawdown(marks: EquityMarks, equity: QuoteAmount) -> Decimal:
    """How far equity lies below the peak, as a fraction of the peak; never negative."""
    return _loss(marks.peak, equity)


def daily_loss(marks: EquityMarks, equity: QuoteAmount) -> Decimal:
    """How far equity lies below the day's start, as a fraction of it; never negative."""
    return _loss(marks.day_start, equity)


def open_positions(ledger: Ledger, prices: Mapping[str, Price]) -> list[OpenPosition]:
    """Every open position at the price given for it, by symbol. Raises KeyError for an unpriced position."""
    if not ledger.positions:
        return []
    return [_open_position(ledger.positions[symbol], prices[symbol]) for symbol in sorted(ledger.positions)]


def closed_trade(trade: TradeClosed) -> ClosedTrade:
    """A completed trade as a strategy sees it."""
    return ClosedTrade(
        symbol=trade.symbol, side=LONG, qty=float(trade.qty), entry_price=float(trade.entry_price),
        exit_price=float(trade.exit_price), pnl=float(trade.pnl), pnl_pct=trade.pnl_pct, intent=trade.horizon,
        opened_at=trade.opened_at, closed_at=trade.closed_at, fees=float(trade.fees), tag=trade.tag,
    )


def portfolio_view(ledger: Ledger, marks: EquityMarks, prices: Mapping[str, Price]) -> Portfolio:
    """The account as a strategy may see it; `recent_trades` is left empty for the host to fill.

    In float, position by position: the strategy's process works the same figures out of the same floats in the same order
    (`shell.host.account`), so backtest and live show one value.
    """
    positions = open_positions(ledger, prices)
    value = float(ledger.cash)
    for position in positions:
        value += position.qty * position.current_price
    return Portfolio(
        cash=float(ledger.cash), total_value=value, positions=positions, recent_trades=[],
        daily_pnl=value - float(marks.day_start), total_pnl=value - float(ledger.capital), fees=float(ledger.fees_paid),
    )


class Accounts:
    """The books without what moves with prices, for a host that works that out itself."""

    def __init__(self) -> None:
        self._holdings: dict[str, tuple[Position, Holding]] = {}
        # What of it stays for days, and as floats.
        self._marked, self._day_start = NO_MONEY, 0.0
        self._allocated, self._capital = NO_MONEY, 0.0

    def of(self, ledger: Ledger, marks: EquityMarks) -> Account:
        """The account as a strategy may see it. Positions never change, so one that is still the same is shown as before."""
        known, now = self._holdings, {}
        for symbol in sorted(ledger.positions):
            position = ledger.positions[symbol]
            shown = known.get(symbol)
            now[symbol] = shown if shown is not None and shown[0] is position else (position, holding_of(position))
        self._holdings = now
        if marks.day_start is not self._marked:
            self._marked, self._day_start = marks.day_start, float(marks.day_start)
        if ledger.capital is not self._allocated:
            self._allocated, self._capital = ledger.capital, float(ledger.capital)
        return Account(
            float(ledger.cash), self._day_start, self._capital, float(ledger.fees_paid),
            tuple([holding for _, holding in now.values()]),
        )


def holding_of(position: Position) -> Holding:
    """One position without what moves with its price."""
    stop, target = position.stop_loss, position.take_profit
    return Holding(
        position.symbol, float(position.qty), float(position.avg_entry), position.horizon,
        None if stop is None else float(stop), None if target is None else float(target), position.opened_at, position.tag,
    )


def unrealised(position: Position, price: Price) -> QuoteAmount:
    """What the quantity still held has gained at `price` against its average entry, before exit fees.

    The cost of what is held is its share of all that was bought since flat, so a quantity already sold is not counted.
    """
    share = CONTEXT.divide(CONTEXT.multiply(position.cost.value, position.qty.value), position.entered_qty.value)
    return position.qty.times(price) - QuoteAmount(share)


def _open_position(position: Position, price: Price) -> OpenPosition:
    # In float: this is a view for the strategy, made at every scan, and nothing is ever booked from it. The entry price is
    # divided as money first, so that the float is the nearest there is: levels derived from it round to the right tick.
    qty, entry, last = float(position.qty), float(position.avg_entry), float(price)
    basis = qty * entry
    gain = qty * last - basis
    return OpenPosition(
        symbol=position.symbol, side=LONG, qty=qty, avg_entry=entry, current_price=last, unrealized_pnl=gain,
        unrealized_pnl_pct=gain / basis, intent=position.horizon,
        stop_loss=None if position.stop_loss is None else float(position.stop_loss),
        take_profit=None if position.take_profit is None else float(position.take_profit),
        opened_at=position.opened_at, tag=position.tag,
    )


def _loss(reference: QuoteAmount, equity: QuoteAmount) -> Decimal:
    if equity >= reference or reference <= NO_MONEY:
        return ZERO
    return (reference - equity).ratio(reference)
