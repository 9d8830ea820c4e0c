"""What Kraken tells of orders and fills, as the facts that order lives are made of: pure."""

from __future__ import annotations

from decimal import Decimal

from shell.exchange.kraken.events import FillSeen, OrderSeen
from shell.exchange.kraken.private_types import OrderInfo, OrderStatus, TradeInfo
from shell.exchange.live.tracked import FillFact
from shell.money import CONTEXT, NO_MONEY, NO_QTY, BaseQty, Price, QuoteAmount
from shell.orders import Liquidity, OrderState

ENDINGS = {
    OrderStatus.CLOSED: OrderState.FILLED, OrderStatus.CANCELED: OrderState.CANCELLED,
    OrderStatus.EXPIRED: OrderState.EXPIRED,
}
SOCKET_ENDINGS = {
    "filled": OrderState.FILLED, "canceled": OrderState.CANCELLED, "expired": OrderState.EXPIRED,
}


def ending_of(order: OrderInfo) -> OrderState | None:
    """How it ended, None while it is open."""
    return ENDINGS.get(order.status)


def socket_ending_of(order: OrderSeen) -> OrderState | None:
    return SOCKET_ENDINGS.get(order.status)


def fact_of_socket(fill: FillSeen) -> FillFact:
    """Of the private socket: fees come with their coin."""
    base = fill.symbol.partition("/")[0]
    in_base = sum((amount for coin, amount in fill.fees if coin == base), Decimal(0))
    in_quote = sum((amount for coin, amount in fill.fees if coin != base), Decimal(0))
    return FillFact(
        fill_id=fill.trade_id, order_id=fill.order_id, qty=BaseQty(fill.qty), price=Price(fill.price),
        paid=QuoteAmount(fill.cost), fee=QuoteAmount(in_quote), fee_base=BaseQty(in_base),
        liquidity=fill.liquidity or Liquidity.TAKER, at=fill.at,
    )


def fact_of_trade(trade: TradeInfo, order: OrderInfo | None, lot: Decimal) -> FillFact:
    """Of REST, which tells a fee's worth in quote currency whatever it was taken in; the order's flags tell in what.

    A fee in coins is worked out from its worth, to the coin's last unit: the socket and the balances know it exactly.
    """
    fee, fee_base = QuoteAmount(trade.fee), NO_QTY
    if order is not None and order.fee_currency == trade.symbol.partition("/")[0] and trade.fee:
        coins = CONTEXT.divide(trade.fee, trade.price).quantize(lot)
        fee, fee_base = NO_MONEY, BaseQty(coins)
    return FillFact(
        fill_id=trade.trade_id, order_id=trade.order_id, qty=BaseQty(trade.qty), price=Price(trade.price),
        paid=QuoteAmount(trade.cost), fee=fee, fee_base=fee_base, liquidity=trade.liquidity or Liquidity.TAKER,
        at=trade.traded_at,
    )
