"""Scans, the answers to their signals, orders and fills: one signal can be followed from here to its last fill.

Ids are unique within a book: a paper trial beside the main book may use the same ones.
"""

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKeyConstraint, Index, Integer, Text
from sqlmodel import Field

from shell.money import BaseQty, Price, QuoteAmount
from shell.store.types import AmountText, PlainText, Row, UtcText, column, optional


class ScanRow(Row, table=True):
    """One scan slot that was worked, once. `reported_at` is set when the slot has been shown to the conductor."""

    __tablename__ = "scans"

    book: str = column(Text(), key=True)
    slot: datetime = column(UtcText(), key=True)
    at: datetime = column(UtcText())
    origin: str = column(Text())
    version: str = column(Text())
    signals: int = column(Integer())
    approved: int = column(Integer())
    fault: str = column(PlainText())
    milliseconds: float = column(Float())
    reported_at: datetime | None = optional(UtcText())


class AnswerRow(Row, table=True):
    """What became of one signal. Floats are the strategy's own."""

    __tablename__ = "signal_answers"
    __table_args__ = (Index("ix_signal_answers_decided", "book", "decided_at"),)

    book: str = column(Text(), key=True)
    signal_id: str = column(Text(), key=True)
    seq: int = column(BigInteger())
    version: str = column(Text())
    decided_at: datetime = column(UtcText())
    symbol: str = column(PlainText())
    action: str = column(Text())
    size_pct: float = column(Float())
    order_type: str = column(Text())
    limit_price: float | None = optional(Float())
    stop_loss: float | None = optional(Float())
    take_profit: float | None = optional(Float())
    horizon: str = column(Text())
    confidence: float = column(Float())
    reasoning: str = column(PlainText())
    tag: str = column(PlainText())
    approved: bool = column(Boolean())
    code: str = column(Text())
    sentence: str = column(PlainText())
    intent_id: str | None = optional(Text())


class OrderRow(Row, table=True):
    """One approved intent and what became of it. `order_id` is the venue's, absent until it took the order; `client_id` is the
    name the venue is given for it."""

    __tablename__ = "orders"
    __table_args__ = (Index("ix_orders_state", "book", "state"),)

    book: str = column(Text(), key=True)
    intent_id: str = column(Text(), key=True)
    seq: int = column(BigInteger())
    version: str = column(Text())
    symbol: str = column(Text())
    side: str = column(Text())
    purpose: str = column(Text())
    order_type: str = column(Text())
    qty: BaseQty = column(AmountText(BaseQty))
    limit_price: Price | None = optional(AmountText(Price))
    decided_at: datetime = column(UtcText())
    signal_id: str | None = optional(Text())
    stop_loss: Price | None = optional(AmountText(Price))
    take_profit: Price | None = optional(AmountText(Price))
    horizon: str = column(Text())
    tag: str = column(PlainText())
    reserved: QuoteAmount = column(AmountText(QuoteAmount))
    order_id: str | None = optional(Text())
    submitted_at: datetime | None = optional(UtcText())
    state: str = column(Text())
    reason: str = column(PlainText())
    updated_at: datetime = column(UtcText())
    filled_qty: BaseQty = column(AmountText(BaseQty))
    trigger: Price | None = optional(AmountText(Price))
    client_id: str | None = optional(Text())


class FillRow(Row, table=True):
    """One execution, booked once. `seq` orders fills and capital events of a book among themselves."""

    __tablename__ = "fills"
    __table_args__ = (
        ForeignKeyConstraint(["book", "intent_id"], ["orders.book", "orders.intent_id"], name="fk_fills_order"),
    )

    book: str = column(Text(), key=True)
    fill_id: str = column(Text(), key=True)
    seq: int = Field(sa_column=Column(BigInteger(), nullable=False, unique=True))
    order_id: str = column(Text())
    intent_id: str = column(Text())
    symbol: str = column(Text())
    side: str = column(Text())
    qty: BaseQty = column(AmountText(BaseQty))
    price: Price = column(AmountText(Price))
    fee: QuoteAmount = column(AmountText(QuoteAmount))
    liquidity: str = column(Text())
    filled_at: datetime = column(UtcText())
    paid: QuoteAmount | None = optional(AmountText(QuoteAmount))
    fee_base: BaseQty | None = optional(AmountText(BaseQty))
