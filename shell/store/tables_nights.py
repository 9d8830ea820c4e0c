"""What a night leaves behind: its decision, paper trials, notifications, and small facts recorded once."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, Integer, Text
from sqlmodel import Field

from shell.store.types import JsonText, PlainText, Row, UtcText, column, optional


class NightRow(Row, table=True):
    """One night, named by its New York date ("2023-03-02"), and what was decided in it."""

    __tablename__ = "nights"

    night: str = column(Text(), key=True)
    decision: Any = column(JsonText())
    at: datetime = column(UtcText())


class PaperTrialRow(Row, table=True):
    """One paper trial beside the active strategy, with a book of its own."""

    __tablename__ = "paper_trials"
    __table_args__ = (Index("ix_paper_trials_candidate", "candidate_id"),)

    trial_id: str = column(Text(), key=True)
    number: int = Field(sa_column=Column(Integer(), nullable=False, unique=True))
    candidate_id: str = column(Text())
    book: str = column(Text())
    started_at: datetime = column(UtcText())
    due_at: datetime = column(UtcText())
    state: str = column(Text())
    result: Any = optional(JsonText())


class OutboxRow(Row, table=True):
    """One notification, written with what it tells of and delivered later."""

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_undelivered", "delivered_at", "id"), Index("ix_outbox_key", "key", "at"))

    id: int | None = Field(default=None, sa_column=Column(Integer(), primary_key=True, autoincrement=True))
    kind: str = column(Text())
    severity: str = column(Text())
    text: str = column(PlainText())
    at: datetime = column(UtcText())
    delivered_at: datetime | None = optional(UtcText())
    action: str | None = optional(PlainText())
    key: str | None = optional(Text())
    channel: str | None = optional(Text())


class FactRow(Row, table=True):
    """A small value known by name: a book's configured capital, the accepted hash of the limits, the data's label."""

    __tablename__ = "facts"

    key: str = column(Text(), key=True)
    value: Any = column(JsonText())
    at: datetime | None = optional(UtcText())
