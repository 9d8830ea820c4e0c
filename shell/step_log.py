"""Writes a step to the log, with the ids that lead from one signal to its last fill."""

from __future__ import annotations

from shell.execution.record import StepRecord
from shell.log import get_logger


def log_step(record: StepRecord) -> None:
    """One line a fact: signal -> order (intent_id) -> fill (order_id) -> closed trade. Quiet steps write nothing."""
    if not record.eventful:
        return
    log = get_logger().bind(book=record.book, at=record.at)
    for answer in record.answers:
        log.info(
            "signal", signal_id=answer.signal_id, version=answer.version, symbol=answer.symbol, action=answer.action,
            approved=answer.approved, code=answer.code, sentence=answer.sentence, intent_id=answer.intent_id,
        )
    for order in record.submitted:
        intent = order.intent
        log.info(
            "order", order_id=order.order_id, intent_id=intent.intent_id, signal_id=intent.signal_id,
            version=intent.version, symbol=intent.symbol, side=intent.side, purpose=intent.purpose,
            order_type=intent.order_type, qty=str(intent.qty), limit_price=intent.limit_price and str(intent.limit_price),
        )
    for fill in record.fills:
        log.info(
            "fill", fill_id=fill.fill_id, order_id=fill.order_id, intent_id=fill.intent.intent_id,
            signal_id=fill.intent.signal_id, version=fill.intent.version, symbol=fill.symbol, side=fill.side,
            qty=str(fill.qty), price=str(fill.price), fee=str(fill.fee), liquidity=fill.liquidity, filled_at=fill.filled_at,
        )
    for update in record.updates:
        log.info(
            "order update", order_id=update.order_id, intent_id=update.intent_id, state=update.state, reason=update.reason
        )
    for trade in record.trades:
        log.info(
            "trade closed", trade_id=trade.trade_id, version=trade.version, symbol=trade.symbol, pnl=str(trade.pnl),
            exit=trade.exit_purpose,
        )
    for halt in record.halts_raised:
        log.warning("halt", kind=halt.kind, sentence=halt.sentence)
    for fault in record.faults:
        log.warning("strategy fault", fault=fault)
