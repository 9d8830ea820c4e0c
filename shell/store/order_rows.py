"""Orders, fills and trades to rows and back, and the facts about them as event payloads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shell.contract import Action, Intent, OrderType
from shell.execution.client_id import NO_MARK, mark_of
from shell.money import NO_QTY, BaseQty

# The store is not risk and approves nothing: what it restores with this seal was approved before it was written down.
from shell.orders import (
    ApprovedOrder,
    Fill,
    Liquidity,
    OrderIntent,
    OrderState,
    OrderUpdate,
    Purpose,
    Side,
    SignalAnswer,
    SubmittedOrder,
)
from shell.portfolio.ledger import TradeClosed
from shell.risk.approval import restored

Values = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredOrder:
    """An order as it is known: `order_id` is None while no venue is known to have taken it."""

    approved: ApprovedOrder
    order_id: str | None
    submitted_at: datetime | None
    state: OrderState
    reason: str
    updated_at: datetime
    filled_qty: BaseQty

    @property
    def intent(self) -> OrderIntent:
        return self.approved.intent

    @property
    def submitted(self) -> SubmittedOrder | None:
        """The order as a gateway took it, None if it is not known to have."""
        if self.order_id is None or self.submitted_at is None:
            return None
        return SubmittedOrder(order_id=self.order_id, approved=self.approved, submitted_at=self.submitted_at)


def order_values(approved: ApprovedOrder, *, seq: int) -> Values:
    """A row for an order that is only intended so far."""
    intent = approved.intent
    return {
        "book": intent.book, "intent_id": intent.intent_id, "seq": seq, "version": intent.version,
        "symbol": intent.symbol, "side": intent.side.value, "purpose": intent.purpose.value,
        "order_type": intent.order_type.value, "qty": intent.qty, "limit_price": intent.limit_price,
        "decided_at": intent.decided_at, "signal_id": intent.signal_id, "stop_loss": intent.stop_loss,
        "take_profit": intent.take_profit, "horizon": intent.horizon.value, "tag": intent.tag,
        "reserved": approved.reserved, "order_id": None, "submitted_at": None, "state": OrderState.INTENDED.value,
        "reason": "", "updated_at": intent.decided_at, "filled_qty": NO_QTY, "trigger": intent.trigger,
        "client_id": intent.client_id,
    }


def order_of(row: Any) -> StoredOrder:
    intent = OrderIntent(
        intent_id=row.intent_id, book=row.book, version=row.version, symbol=row.symbol, side=Side(row.side),
        purpose=Purpose(row.purpose), order_type=OrderType(row.order_type), qty=row.qty, limit_price=row.limit_price,
        decided_at=row.decided_at, signal_id=row.signal_id, stop_loss=row.stop_loss, take_profit=row.take_profit,
        horizon=Intent(row.horizon), tag=row.tag, trigger=row.trigger, mark=mark_of(row.client_id) or NO_MARK,
    )
    return StoredOrder(
        approved=restored(intent, row.reserved), order_id=row.order_id,
        submitted_at=row.submitted_at, state=OrderState(row.state), reason=row.reason, updated_at=row.updated_at,
        filled_qty=row.filled_qty,
    )


def fill_values(fill: Fill, *, seq: int) -> Values:
    return {
        "book": fill.intent.book, "fill_id": fill.fill_id, "seq": seq, "order_id": fill.order_id,
        "intent_id": fill.intent.intent_id, "symbol": fill.symbol, "side": fill.side.value, "qty": fill.qty,
        "price": fill.price, "fee": fill.fee, "liquidity": fill.liquidity.value, "filled_at": fill.filled_at,
        "paid": fill.paid, "fee_base": fill.fee_base or None,
    }


def fill_of(row: Any, intent: OrderIntent) -> Fill:
    return Fill(
        fill_id=row.fill_id, order_id=row.order_id, intent=intent, symbol=row.symbol, side=Side(row.side), qty=row.qty,
        price=row.price, fee=row.fee, liquidity=Liquidity(row.liquidity), filled_at=row.filled_at,
        paid=row.paid, fee_base=row.fee_base or NO_QTY,
    )


def trade_values(trade: TradeClosed, *, seq: int) -> Values:
    return {
        "book": trade.book, "trade_id": trade.trade_id, "seq": seq, "version": trade.version, "symbol": trade.symbol,
        "qty": trade.qty, "cost": trade.cost, "proceeds": trade.proceeds, "fees": trade.fees,
        "horizon": trade.horizon.value, "opened_at": trade.opened_at, "closed_at": trade.closed_at,
        "exit_purpose": trade.exit_purpose, "tag": trade.tag,
    }


def trade_of(row: Any) -> TradeClosed:
    return TradeClosed(
        trade_id=row.trade_id, book=row.book, version=row.version, symbol=row.symbol, qty=row.qty, cost=row.cost,
        proceeds=row.proceeds, fees=row.fees, horizon=Intent(row.horizon), opened_at=row.opened_at,
        closed_at=row.closed_at, exit_purpose=row.exit_purpose, tag=row.tag,
    )


def answer_values(answer: SignalAnswer, *, seq: int) -> Values:
    return {
        "book": answer.book, "signal_id": answer.signal_id, "seq": seq, "version": answer.version,
        "decided_at": answer.decided_at, "symbol": answer.symbol, "action": answer.action.value,
        "size_pct": answer.size_pct, "order_type": answer.order_type.value, "limit_price": answer.limit_price,
        "stop_loss": answer.stop_loss, "take_profit": answer.take_profit, "horizon": answer.horizon.value,
        "confidence": answer.confidence, "reasoning": answer.reasoning, "tag": answer.tag,
        "approved": answer.approved, "code": answer.code, "sentence": answer.sentence, "intent_id": answer.intent_id,
    }


def answer_of(row: Any) -> SignalAnswer:
    return SignalAnswer(
        signal_id=row.signal_id, book=row.book, version=row.version, decided_at=row.decided_at, symbol=row.symbol,
        action=Action(row.action), size_pct=row.size_pct, order_type=OrderType(row.order_type),
        limit_price=row.limit_price, stop_loss=row.stop_loss, take_profit=row.take_profit, horizon=Intent(row.horizon),
        confidence=row.confidence, reasoning=row.reasoning, tag=row.tag, approved=row.approved, code=row.code,
        sentence=row.sentence, intent_id=row.intent_id,
    )


def intent_fact(approved: ApprovedOrder) -> Values:
    """An order's own terms, without what the event's row already says (its book)."""
    values = order_values(approved, seq=0)
    for name in ("book", "seq", "order_id", "submitted_at", "state", "reason", "updated_at", "filled_qty"):
        del values[name]
    return values


def submitted_fact(order: SubmittedOrder) -> Values:
    return {**intent_fact(order.approved), "order_id": order.order_id, "submitted_at": order.submitted_at}


def update_fact(update: OrderUpdate) -> Values:
    return {
        "order_id": update.order_id, "intent_id": update.intent_id, "state": update.state.value,
        "reason": update.reason, "at": update.at,
    }


def fact_of(values: Values) -> Values:
    """Row values as a payload."""
    return {name: value for name, value in values.items() if name not in ("book", "seq")}
