"""The paper gateway: the same orders, filled against prices that were seen (design section 5).

- A market order fills at the first price after it was submitted, worse by half the spread and the slippage, as taker; with
  slippage 0 it fills exactly there, without spread.
- A limit that the ask (bid) already meets at its first price takes it, never beyond its limit, as taker. Otherwise it rests and
  fills at its limit, as maker, only once the price has traded through it.
- An entry that finds no price within `market_order_life` expires; an exit waits, because it must get out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_UP, ROUND_UP, Decimal

from shell.config_book import PaperConfig
from shell.contract import OrderType
from shell.exchange.gateway import FeeSchedule, GatewayEvent, Guard
from shell.market.pair import Pair
from shell.money import CONTEXT, NO_MONEY, Price, QuoteAmount
from shell.orders import (
    ApprovedOrder,
    Fill,
    Liquidity,
    OrderState,
    OrderUpdate,
    Purpose,
    Side,
    SubmittedOrder,
)

MARKET_ORDER_LIFE = timedelta(minutes=5)
FEE_STEP = Decimal("1e-8")


@dataclass(slots=True)
class _Working:
    order: SubmittedOrder
    resting: bool = False


class PaperGateway:
    """A gateway without a venue. `funds` tells the cash there is to spend; it is asked before every buy."""

    def __init__(
        self,
        *,
        pairs: dict[str, Pair],
        fees: dict[str, FeeSchedule],
        config: PaperConfig,
        limit_entry_expiry: timedelta,
        funds: Callable[[], QuoteAmount],
    ) -> None:
        self._pairs = pairs
        self.fees = fees
        self._costs = {symbol: _costs_of(config.for_symbol(symbol)) for symbol in pairs}
        self._taking = {symbol: half_spread + slippage for symbol, (half_spread, slippage) in self._costs.items()}
        self._expiry = limit_entry_expiry
        self._funds = funds
        self._working: dict[str, _Working] = {}
        self._symbols: dict[str, int] = {}
        self._events: list[GatewayEvent] = []
        self._spent = NO_MONEY

    @property
    def ready(self) -> bool:
        return True

    def restore(self, orders: Sequence[SubmittedOrder]) -> None:
        """Take back the orders that were working when the books were last written."""
        for order in orders:
            self._add(_Working(order, resting=order.intent.order_type is OrderType.LIMIT))

    def submit(self, order: ApprovedOrder, now: datetime) -> SubmittedOrder:
        """Hold `order`. The venue id is derived from the intent's, so a replay gives the same one."""
        submitted = SubmittedOrder(order_id=f"O-{order.intent.intent_id}", approved=order, submitted_at=now)
        self._add(_Working(submitted))
        return submitted

    def cancel(self, order_id: str, reason: str, now: datetime) -> None:
        """Take an order out of the book; unknown ids are ignored, they are already closed."""
        if order_id in self._working:
            self._close(order_id, OrderState.CANCELLED, reason, now)

    def open_orders(self) -> list[SubmittedOrder]:
        return [working.order for working in self._working.values()]

    def works_on(self, symbol: str) -> bool:
        """True when an order of `symbol` could fill."""
        return self._symbols.get(symbol, 0) > 0

    def working_symbols(self) -> set[str]:
        return {symbol for symbol, count in self._symbols.items() if count > 0}

    def guards(self, symbol: str) -> Guard | None:
        """None: there is no venue here that could keep a stop."""
        return None

    def move_stop(self, order_id: str, trigger: Price, now: datetime) -> None:
        """There is none to move."""

    def learn(self, found: Sequence[GatewayEvent]) -> None:
        """Nobody but this book knows of its orders."""

    def on_price(self, symbol: str, price: Price, at: datetime) -> None:
        """Match every working order of `symbol` against a price seen at `at`."""
        if not self.works_on(symbol):
            return
        for working in [each for each in self._working.values() if each.order.intent.symbol == symbol]:
            # A price from before the order, told late, is no price it could have had.
            if at >= working.order.submitted_at:
                self._match(working, price, at)

    def expire(self, now: datetime) -> None:
        """Close entries whose time is over: market orders that found no price, limits older than the expiry."""
        for order_id, working in list(self._working.items()):
            intent = working.order.intent
            if intent.purpose is not Purpose.ENTRY:
                continue
            age = now - working.order.submitted_at
            if intent.order_type is OrderType.MARKET and age > MARKET_ORDER_LIFE:
                self._close(order_id, OrderState.EXPIRED, "no price was seen within the order's life", now)
            elif intent.order_type is OrderType.LIMIT and age >= self._expiry:
                self._close(order_id, OrderState.EXPIRED, "the limit order reached its expiry", now)

    def events(self) -> list[GatewayEvent]:
        """Drain what happened since the last call, in order."""
        drained, self._events = self._events, []
        self._spent = NO_MONEY
        return drained

    def _match(self, working: _Working, price: Price, at: datetime) -> None:
        intent = working.order.intent
        if intent.order_type is OrderType.MARKET:
            if intent.purpose is Purpose.ENTRY and at - working.order.submitted_at > MARKET_ORDER_LIFE:
                self._close(working.order.order_id, OrderState.EXPIRED, "no price was seen within the order's life", at)
                return
            self._fill(working, self._taken(intent.side, intent.symbol, price), Liquidity.TAKER, at)
            return
        if intent.purpose is Purpose.ENTRY and at - working.order.submitted_at >= self._expiry:
            self._close(working.order.order_id, OrderState.EXPIRED, "the limit order reached its expiry", at)
            return
        limit = intent.limit_price
        assert limit is not None
        buying = intent.side is Side.BUY
        if working.resting:
            if (price < limit) if buying else (price > limit):
                self._fill(working, limit, Liquidity.MAKER, at)
            return
        touch = self._worse(intent.side, intent.symbol, price, self._costs[intent.symbol][0])
        if (touch <= limit) if buying else (touch >= limit):
            taken = self._taken(intent.side, intent.symbol, price)
            self._fill(working, min(taken, limit) if buying else max(taken, limit), Liquidity.TAKER, at)
        else:
            working.resting = True

    def _taken(self, side: Side, symbol: str, price: Price) -> Price:
        return self._worse(side, symbol, price, self._taking[symbol])

    def _worse(self, side: Side, symbol: str, price: Price, fraction: Decimal) -> Price:
        if not fraction:
            return price
        factor = 1 + fraction if side is Side.BUY else 1 - fraction
        rounding = ROUND_UP if side is Side.BUY else ROUND_DOWN
        return self._pairs[symbol].round_price(CONTEXT.multiply(price.value, factor), rounding)

    def _fill(self, working: _Working, price: Price, liquidity: Liquidity, at: datetime) -> None:
        intent = working.order.intent
        schedule = self.fees[intent.symbol]
        rate = schedule.maker_pct if liquidity is Liquidity.MAKER else schedule.taker_pct
        cost = intent.qty.times(price)
        fee = QuoteAmount(CONTEXT.multiply(cost.value, rate).quantize(FEE_STEP, ROUND_HALF_UP))
        if intent.side is Side.BUY:
            if cost + fee > self._funds() - self._spent:
                self._close(working.order.order_id, OrderState.REJECTED, "insufficient funds at the fill price", at)
                return
            self._spent = self._spent + cost + fee
        self._events.append(
            Fill(
                fill_id=f"F-{intent.intent_id}", order_id=working.order.order_id, intent=intent, symbol=intent.symbol,
                side=intent.side, qty=intent.qty, price=price, fee=fee, liquidity=liquidity, filled_at=at,
            )
        )
        self._close(working.order.order_id, OrderState.FILLED, "filled", at)

    def _add(self, working: _Working) -> None:
        self._working[working.order.order_id] = working
        symbol = working.order.intent.symbol
        self._symbols[symbol] = self._symbols.get(symbol, 0) + 1

    def _close(self, order_id: str, state: OrderState, reason: str, at: datetime) -> None:
        intent = self._working.pop(order_id).order.intent
        self._symbols[intent.symbol] -= 1
        self._events.append(
            OrderUpdate(order_id=order_id, intent_id=intent.intent_id, state=state, reason=reason, at=at)
        )


def _costs_of(config: PaperConfig) -> tuple[Decimal, Decimal]:
    """Half the spread, and the slippage; slippage 0 asks for exact prices, so it means no spread either."""
    return (config.spread_pct / 2, config.slippage_pct) if config.slippage_pct else (Decimal(0), Decimal(0))
