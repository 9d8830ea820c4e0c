"""What was asked of models, what it cost, and what they predicted."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Float, Index, Integer, Text, UniqueConstraint

from shell.store.types import DecimalText, JsonText, PlainText, Row, UtcText, column, optional


class ModelCallRow(Row, table=True):
    """One call: written before the request leaves, completed by its reply. `month` is the calendar month it was paid in."""

    __tablename__ = "ai_calls"
    __table_args__ = (
        UniqueConstraint("night", "slot", "attempt", name="uq_ai_calls_attempt"),
        UniqueConstraint("number", name="uq_ai_calls_number"),
        Index("ix_ai_calls_month", "month"),
        Index("ix_ai_calls_hash", "request_hash"),
    )

    call_id: str = column(Text(), key=True)
    number: int = column(BigInteger())
    night: str = column(Text())
    slot: str = column(Text())
    attempt: int = column(Integer())
    role: str = column(Text())
    provider: str = column(Text())
    model: str = column(Text())
    request: Any = column(JsonText())
    request_hash: str = column(Text())
    input_tokens: int = column(BigInteger())
    output_tokens_max: int = column(BigInteger())
    seed: int = column(BigInteger())
    state: str = column(Text())
    reserved_usd: Decimal = column(DecimalText())
    cost_usd: Decimal | None = optional(DecimalText())
    usage: Any = optional(JsonText())
    reply: Any = optional(JsonText())
    error: str = column(PlainText())
    month: str = column(Text())
    at: datetime = column(UtcText())
    paid_at: datetime = column(UtcText())


class PredictionRow(Row, table=True):
    """One night's prediction, and what later data made of it."""

    __tablename__ = "ai_predictions"

    night: str = column(Text(), key=True)
    kind: str = column(Text())
    version: str = column(Text())
    hypothesis: str = column(PlainText())
    metric: str = column(Text())
    refuted_if: str = column(Text())
    bound: float = column(Float())
    baseline: float | None = optional(Float())
    made_at: datetime = column(UtcText())
    due_at: datetime = column(UtcText())
    grade: str = column(Text())
    value: float | None = optional(Float())
    graded_at: datetime | None = optional(UtcText())
