"""The account these tests decide on: 10,000 in cash, one pair with a coarse tick and lot, a quote at exactly 100."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from shell.clock import to_ms
from shell.config import RiskConfig
from shell.contract import Action, Intent, OrderType, Signal
from shell.exchange.gateway import FeeSchedule
from shell.market.bars import Quote
from shell.market.pair import Pair
from shell.money import NO_MONEY, BaseQty, Price, QuoteAmount
from shell.orders import (
    APPROVAL_SEAL,
    ApprovedOrder,
    OrderIntent,
    Purpose,
    Side,
    SubmittedOrder,
)
from shell.portfolio.ledger import EquityMarks, Position
from shell.risk.approval import Approved, OrderIds, ProtectionChange, assess
from shell.risk.refusal import Refused
from shell.risk.view import RiskView

NOW = datetime(2024, 3, 5, 12, 0, tzinfo=UTC)
DAY = date(2024, 3, 5)
BTC = "BTC/USD"
ETH = "ETH/USD"
PAIR = Pair(
    symbol=BTC, tick=Decimal("0.5"), lot=Decimal("0.01"), min_qty=BaseQty("0.05"), min_cost=QuoteAmount("4")
)
IDS = OrderIds(intent_id="main:1:o", book="main", version="v001", signal_id="main:1")
NO_FEE = FeeSchedule(maker_pct=Decimal(0), taker_pct=Decimal(0))
FEES = FeeSchedule(maker_pct=Decimal("0.0025"), taker_pct=Decimal("0.004"))
CONFIG = RiskConfig()


def quote(last: float = 100.0, *, spread: float = 0.0, age: timedelta = timedelta(0), symbol: str = BTC) -> Quote:
    return Quote(symbol, last - spread / 2, last + spread / 2, last, to_ms(NOW - age))


AT_100 = quote()


def marks(equity: str = "10000", *, trades_today: int = 0) -> EquityMarks:
    return EquityMarks(
        day=DAY, day_start=QuoteAmount(equity), peak=QuoteAmount(equity), trades_today=trades_today
    )


def view(cash: str = "10000", equity: str = "10000", **changes: Any) -> RiskView:
    """An account with no costs unless given: amounts in these tests are then what one works out in one's head."""
    base = RiskView(
        cash_free=QuoteAmount(cash), equity=QuoteAmount(equity), marks=marks(equity), fees={BTC: NO_FEE, ETH: NO_FEE},
        allowance_pct=Decimal(0),
    )
    return base._replace(**changes)


def held(qty: str, symbol: str = BTC, *, stop: str | None = None, target: str | None = None) -> Position:
    return Position(
        symbol=symbol, qty=BaseQty(qty), entered_qty=BaseQty(qty), cost=BaseQty(qty).times(Price(100)),
        proceeds=NO_MONEY, fees=NO_MONEY, stop_loss=Price(stop) if stop else None,
        take_profit=Price(target) if target else None, horizon=Intent.SWING, opened_at=NOW, version="v001",
    )


def holding(*positions: Position) -> dict[str, Position]:
    return {position.symbol: position for position in positions}


def working(
    purpose: Purpose, qty: str = "1", *, symbol: str = BTC, reserved: str = "0", intent_id: str = "earlier"
) -> SubmittedOrder:
    intent = OrderIntent(
        intent_id=intent_id, book="main", version="v001", symbol=symbol,
        side=Side.BUY if purpose is Purpose.ENTRY else Side.SELL, purpose=purpose, order_type=OrderType.LIMIT,
        qty=BaseQty(qty), limit_price=Price(100), decided_at=NOW,
    )
    approved = ApprovedOrder(intent=intent, reserved=QuoteAmount(reserved), seal=APPROVAL_SEAL)
    return SubmittedOrder(order_id=f"O-{intent_id}", approved=approved, submitted_at=NOW)


def decide(
    signal: Signal,
    account: RiskView | None = None,
    *,
    config: RiskConfig = CONFIG,
    pair: Pair | None = PAIR,
    price: Quote | None = AT_100,
    now: datetime = NOW,
) -> Approved | Refused:
    return assess(signal, view=account or view(), config=config, pair=pair, quote=price, now=now, ids=IDS)


def approved_order(decision: Approved | Refused) -> ApprovedOrder:
    assert isinstance(decision, Approved), decision
    assert isinstance(decision.grant, ApprovedOrder), decision
    return decision.grant


def change_of(decision: Approved | Refused) -> ProtectionChange:
    assert isinstance(decision, Approved), decision
    assert isinstance(decision.grant, ProtectionChange), decision
    return decision.grant


def code_of(decision: Approved | Refused) -> str:
    assert isinstance(decision, Refused), decision
    assert decision.sentence
    return decision.code.value


def buy(size_pct: float = 0.05, **changes: Any) -> Signal:
    return Signal(BTC, Action.BUY, size_pct, **changes)


def sell(size_pct: float = 0.0, **changes: Any) -> Signal:
    return Signal(BTC, Action.SELL, size_pct, **changes)


def close(**changes: Any) -> Signal:
    return Signal(BTC, Action.CLOSE, **changes)


def modify(**changes: Any) -> Signal:
    return Signal(BTC, Action.MODIFY, **changes)


def limit_at(price: float | None) -> dict[str, Any]:
    return {"order_type": OrderType.LIMIT, "limit_price": price}


def held_value(positions: Iterable[Position], price: Price) -> QuoteAmount:
    total = NO_MONEY
    for position in positions:
        total = total + position.qty.times(price)
    return total
