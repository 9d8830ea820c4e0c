"""The ledger: cash, positions and results as immutable values; one function per fact that changes them (D12).

It knows only the capital allocated to it and the coins it bought itself. Everything else in an account is external: it
cannot be expressed here, so it can never be sold or counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from types import MappingProxyType

from shell.contract import Intent
from shell.errors import Fatal
from shell.money import NO_MONEY, NO_QTY, BaseQty, Price, QuoteAmount
from shell.orders import Fill, Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A holding from first entry to flat. `cost` and `proceeds` exclude fees; `fees` are those paid on it so far.

    `entered_qty` is all that was bought since it was flat, `qty` what is left of it.
    """

    symbol: str
    qty: BaseQty
    entered_qty: BaseQty
    cost: QuoteAmount
    proceeds: QuoteAmount
    fees: QuoteAmount
    stop_loss: Price | None
    take_profit: Price | None
    horizon: Intent
    opened_at: datetime
    version: str
    tag: str = ""

    @property
    def avg_entry(self) -> Price:
        return Price.average(self.cost, self.entered_qty)


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeClosed:
    """One completed trade, entry to flat. `pnl` is net of all fees."""

    trade_id: str
    book: str
    version: str
    symbol: str
    qty: BaseQty
    cost: QuoteAmount
    proceeds: QuoteAmount
    fees: QuoteAmount
    horizon: Intent
    opened_at: datetime
    closed_at: datetime
    exit_purpose: str
    tag: str = ""
    pnl: QuoteAmount = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pnl", self.proceeds - self.cost - self.fees)

    @property
    def entry_price(self) -> Price:
        return Price.average(self.cost, self.qty)

    @property
    def exit_price(self) -> Price:
        return Price.average(self.proceeds, self.qty)

    @property
    def pnl_pct(self) -> float:
        return float(self.pnl.ratio(self.cost))


@dataclass(frozen=True, slots=True, kw_only=True)
class CapitalEvent:
    """Money allocated to the system or taken from it: never P&L, never drawdown."""

    amount: QuoteAmount
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The state after all facts so far. `capital` is all that was ever allocated, net; P&L is measured against it."""

    cash: QuoteAmount = NO_MONEY
    capital: QuoteAmount = NO_MONEY
    fees_paid: QuoteAmount = NO_MONEY
    realised_pnl: QuoteAmount = NO_MONEY
    positions: Mapping[str, Position] = field(default_factory=lambda: MappingProxyType({}))
    trades_closed: int = 0
    consecutive_losses: int = 0


def apply_capital(ledger: Ledger, event: CapitalEvent) -> Ledger:
    """Allocate (positive) or withdraw (negative) capital. Raises Fatal if more is withdrawn than there is cash."""
    cash = ledger.cash + event.amount
    if cash < NO_MONEY:
        raise Fatal(f"a withdrawal of {-event.amount} exceeds the cash of {ledger.cash}")
    return replace(ledger, cash=cash, capital=ledger.capital + event.amount)


def apply_fill(ledger: Ledger, fill: Fill) -> tuple[Ledger, TradeClosed | None]:
    """Book one execution. Returns the new ledger and, when it leaves the position flat, the completed trade.

    Raises Fatal for a sale of more than is held (the shell never shorts), for a cost that exceeds the cash, and for a
    fill that is none or contradicts its own intent: each is a broken invariant, and the ledger stays as it was.
    """
    coins, cost = fill.coins, fill.cost
    if fill.qty <= NO_QTY or fill.price.value <= 0 or coins <= NO_QTY:
        raise Fatal(f"fill {fill.fill_id} of {fill.qty} {fill.symbol} at {fill.price}: both must be above zero")
    if fill.symbol != fill.intent.symbol or fill.side != fill.intent.side:
        raise Fatal(
            f"fill {fill.fill_id} is a {fill.side.value} of {fill.symbol}, its intent {fill.intent.intent_id} "
            f"a {fill.intent.side.value} of {fill.intent.symbol}"
        )
    if fill.side is Side.BUY:
        return _apply_buy(ledger, fill, coins, cost), None
    return _apply_sell(ledger, fill, coins, cost)


def with_protection(ledger: Ledger, symbol: str, stop_loss: Price | None, take_profit: Price | None) -> Ledger:
    """Replace the stop and target of an open position."""
    position = replace(ledger.positions[symbol], stop_loss=stop_loss, take_profit=take_profit)
    return replace(ledger, positions=_put(ledger.positions, symbol, position))


def equity(ledger: Ledger, prices: Mapping[str, Price]) -> QuoteAmount:
    """Cash plus every position at the price given for it, before exit fees. Raises KeyError for one without a price."""
    total = ledger.cash
    for symbol, position in ledger.positions.items():
        total = total + position.qty.times(prices[symbol])
    return total


@dataclass(frozen=True, slots=True, kw_only=True)
class EquityMarks:
    """The reference points that loss limits are measured from: persisted, adjusted by capital events, rolled each day.

    `day_start` is the equity at the first mark of local day `day`; `peak` the highest equity since the last lifted
    drawdown halt. With a capital event `day_start` moves by its amount and `peak` keeps its proportion to equity
    (`valuation.with_capital`), so a deposit is neither a gain nor a cover for a loss. `trades_today` counts entries
    filled on that day.
    """

    day: date
    day_start: QuoteAmount
    peak: QuoteAmount
    trades_today: int = 0


def _apply_buy(ledger: Ledger, fill: Fill, coins: BaseQty, cost: QuoteAmount) -> Ledger:
    cash = ledger.cash - cost - fill.fee
    if cash < NO_MONEY:
        raise Fatal(f"buying {fill.qty} {fill.symbol} for {cost} would leave cash of {cash}")
    held = ledger.positions.get(fill.symbol)
    intent = fill.intent
    if held is None:
        position = Position(
            symbol=fill.symbol, qty=coins, entered_qty=coins, cost=cost, proceeds=NO_MONEY, fees=fill.fee,
            stop_loss=intent.stop_loss, take_profit=intent.take_profit, horizon=intent.horizon,
            opened_at=fill.filled_at, version=intent.version, tag=intent.tag,
        )
    else:
        position = replace(
            held, qty=held.qty + coins, entered_qty=held.entered_qty + coins, cost=held.cost + cost,
            fees=held.fees + fill.fee,
            stop_loss=_tighter(held.stop_loss, intent.stop_loss), take_profit=intent.take_profit or held.take_profit,
        )
    return Ledger(
        cash=cash, capital=ledger.capital, fees_paid=ledger.fees_paid + fill.fee, realised_pnl=ledger.realised_pnl,
        positions=_put(ledger.positions, fill.symbol, position), trades_closed=ledger.trades_closed,
        consecutive_losses=ledger.consecutive_losses,
    )


def _tighter(held: Price | None, added: Price | None) -> Price | None:
    """The higher stop: an older entry that fills late must not lower one that was raised in the meantime."""
    if held is None or added is None:
        return added if held is None else held
    return max(held, added)


def _apply_sell(
    ledger: Ledger, fill: Fill, coins: BaseQty, cost: QuoteAmount
) -> tuple[Ledger, TradeClosed | None]:
    held = ledger.positions.get(fill.symbol)
    if held is None or held.qty < coins:
        raise Fatal(f"sold {coins} {fill.symbol} but the ledger holds {held.qty if held else NO_QTY}")
    qty, proceeds, fees = held.qty - coins, held.proceeds + cost, held.fees + fill.fee
    cash = ledger.cash + cost - fill.fee
    if cash < NO_MONEY:
        raise Fatal(f"the fee of {fill.fee} for selling {fill.qty} {fill.symbol} would leave cash of {cash}")
    fees_paid = ledger.fees_paid + fill.fee
    if qty:
        position = replace(held, qty=qty, proceeds=proceeds, fees=fees)
        return replace(ledger, cash=cash, fees_paid=fees_paid, positions=_put(ledger.positions, fill.symbol, position)), None
    trade = TradeClosed(
        trade_id=f"T-{fill.fill_id}", book=fill.intent.book, version=held.version, symbol=fill.symbol,
        qty=held.entered_qty, cost=held.cost, proceeds=proceeds, fees=fees,
        horizon=held.horizon, opened_at=held.opened_at, closed_at=fill.filled_at,
        exit_purpose=fill.intent.purpose.value, tag=held.tag,
    )
    remaining = {symbol: other for symbol, other in ledger.positions.items() if symbol != fill.symbol}
    lost = trade.pnl < NO_MONEY
    return Ledger(
        cash=cash, capital=ledger.capital, fees_paid=fees_paid, positions=MappingProxyType(remaining),
        realised_pnl=ledger.realised_pnl + trade.pnl, trades_closed=ledger.trades_closed + 1,
        consecutive_losses=ledger.consecutive_losses + 1 if lost else 0,
    ), trade


def _put(positions: Mapping[str, Position], symbol: str, position: Position) -> Mapping[str, Position]:
    return MappingProxyType({**positions, symbol: position})
