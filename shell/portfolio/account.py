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
    """One execution as the account's own ledger has it, to the last unit.

    `paid` is what was paid or received for it before the fee, as the venue rounded it; `fee` what it took of the quote
    currency, `fee_base` what it took in coins.
    """

    trade_id: str
    order_id: str
    symbol: str
    side: Side
    qty: Decimal
    price: Decimal
    paid: Decimal
    fee: Decimal
    at: datetime
    fee_base: Decimal = NONE
    liquidity: Liquidity = Liquidity.TAKER

    @property
    def coins(self) -> Decimal:
        """By how much the coin's balance changed, without a sign."""
        change = CONTEXT.subtract if self.side is Side.BUY else CONTEXT.add
        return change(self.qty, self.fee_base)


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


def fill_of(trade: VenueTrade, intent: OrderIntent) -> Fill:
    """A venue's trade as a fill of `intent`: booked, it moves our ledger by exactly what it moved the account."""
    return Fill(
        fill_id=trade.trade_id, order_id=trade.order_id, intent=intent, symbol=trade.symbol, side=trade.side,
        qty=BaseQty(trade.qty), price=Price(trade.price), fee=QuoteAmount(trade.fee), liquidity=trade.liquidity,
        filled_at=trade.at, paid=QuoteAmount(trade.paid), fee_base=BaseQty(trade.fee_base),
    )
