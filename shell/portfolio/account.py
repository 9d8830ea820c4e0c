"""A venue's account as values: what reconciliation compares our books with. Pure, and of no particular venue.

One `AccountPicture` is one consistent look: its balances are those after every trade and movement in it, none left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from shell.money import CONTEXT, BaseQty, Price, QuoteAmount
from shell.orders import Fill, Liquidity, OrderIntent, OrderState, Side

NONE = Decimal(0)


def base_of(symbol: str) -> str:
    """The coin of a pair: BTC of BTC/USD."""
    return symbol.partition("/")[0]


def quote_of(symbol: str) -> str:
    return symbol.partition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueOrder:
    """An order as the venue tells it. `state` is OPEN, FILLED, CANCELLED or EXPIRED; an ended one may have filled in part.

    `parent_id` names the order that spawned this one as its conditional close. `close_stop` is the trigger of the stop that
    this order would spawn. `limit_price` and `stop_price` are None where it has none.
    """

    order_id: str
    client_id: str | None
    parent_id: str | None
    symbol: str
    side: Side
    kind: str
    state: OrderState
    qty: Decimal
    filled: Decimal
    opened_at: datetime
    closed_at: datetime | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    close_stop: Decimal | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueTrade:
    """One execution, with what it did to the account.

    `base_change` and `quote_change` are signed and after fees: what the account's two balances moved by, to the last unit.
    A fee in either currency, and a cost that the venue rounded, are inside them.
    """

    trade_id: str
    order_id: str
    symbol: str
    side: Side
    price: Decimal
    base_change: Decimal
    quote_change: Decimal
    at: datetime
    liquidity: Liquidity = Liquidity.TAKER

    @property
    def qty(self) -> Decimal:
        """What was bought or sold, after a fee in the coin itself; never negative."""
        return abs(self.base_change)


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """One change of one balance, after its fee. A trade makes two, with the trade's id as `ref_id`."""

    movement_id: str
    ref_id: str
    kind: str
    coin: str
    amount: Decimal
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPicture:
    """One look at an account: open orders, whatever ended, traded or moved since `since`, and the balances at `at`.

    Balances are by coin, every name and wallet of it summed.
    """

    since: datetime
    at: datetime
    open_orders: tuple[VenueOrder, ...] = ()
    ended_orders: tuple[VenueOrder, ...] = ()
    trades: tuple[VenueTrade, ...] = ()
    movements: tuple[Movement, ...] = ()
    balances: Mapping[str, Decimal] = field(default_factory=dict)

    def balance(self, coin: str) -> Decimal:
        return self.balances.get(coin, NONE)


def fill_amounts(
    side: Side, price: Price, base_change: Decimal, quote_change: Decimal
) -> tuple[BaseQty, QuoteAmount]:
    """Quantity and fee to book an execution with, so that the ledger moves by exactly what the account moved by.

    The ledger books quantity x price and the fee on top. A venue rounds that product to its own decimals and may take its fee
    in the coin, so the fee is taken to be what is left: all that was paid less the value of what was got. It can therefore
    differ from the venue's own figure by less than one unit of its last decimal, and hold a fee in coins at the fill's price.
    """
    qty = BaseQty(abs(base_change))
    value = qty.times(price).value
    # A buy moves the quote balance down by value and fee, a sale moves it up by the value less the fee.
    fee = CONTEXT.subtract(-quote_change if side is Side.BUY else value, value if side is Side.BUY else quote_change)
    return qty, QuoteAmount(fee)


def fill_of(trade: VenueTrade, intent: OrderIntent) -> Fill:
    """A venue's trade as a fill of `intent`, exact to the last unit in both balances."""
    price = Price(trade.price)
    qty, fee = fill_amounts(trade.side, price, trade.base_change, trade.quote_change)
    return Fill(
        fill_id=trade.trade_id, order_id=trade.order_id, intent=intent, symbol=trade.symbol, side=trade.side, qty=qty,
        price=price, fee=fee, liquidity=trade.liquidity, filled_at=trade.at,
    )
