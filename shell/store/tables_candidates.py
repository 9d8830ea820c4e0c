"""The append-only ledger of candidates: proposals, stages, scores, searches, vault looks, submissions by people."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Date, Float, ForeignKey, Index, Integer, Text, UniqueConstraint
from sqlmodel import Field

from shell.store.types import JsonText, PlainText, Row, UtcText, column, optional


class CandidateRow(Row, table=True):
    """One proposal. Unique per night, source, provider and parent, so that a repeated step finds its first result."""

    __tablename__ = "candidates"
    __table_args__ = (
        UniqueConstraint("night", "source_hash", "provider", "parent_version", name="uq_candidates_proposal"),
    )

    candidate_id: str = column(Text(), key=True)
    number: int = Field(sa_column=Column(Integer(), nullable=False, unique=True))
    night: date = column(Date())
    proposed_at: datetime = column(UtcText())
    source_hash: str = column(Text())
    code: str = column(PlainText())
    skills: Any = column(JsonText())
    code_origin: str = column(PlainText())
    parent_version: str = column(Text())
    hypothesis: str = column(PlainText())
    provider: str = column(Text())
    seed: int = column(BigInteger())
    parameters: Any = column(JsonText())
    prompt_hash: str = column(Text())
    searched: int = column(Integer())
    change_class: str | None = optional(Text())


class StageRow(Row, table=True):
    """The outcome of one stage of one candidate, with everything it was decided on."""

    __tablename__ = "candidate_stages"

    candidate_id: str = Field(sa_column=Column(Text(), ForeignKey("candidates.candidate_id"), primary_key=True))
    stage: str = column(Text(), key=True)
    seq: int = column(BigInteger())
    passed: bool = column(Boolean())
    reasons: Any = column(JsonText())
    inputs: Any = column(JsonText())
    at: datetime = column(UtcText())


class ScoreRow(Row, table=True):
    """One scoring of one candidate on one segment: what deflation counts."""

    __tablename__ = "trial_scores"
    __table_args__ = (Index("ix_trial_scores_segment", "segment", "seq"),)

    seq: int = column(BigInteger(), key=True)
    candidate_id: str = column(Text())
    segment: str = column(Text())
    scored_at: datetime = column(UtcText())
    data_hash: str = column(Text())
    source_hash: str = column(Text())
    sharpe: float | None = optional(Float())
    daily_returns: Any = column(JsonText())
    trades: int = column(Integer())
    total_return_pct: float | None = optional(Float())


class SearchRow(Row, table=True):
    """A number of looks at the search segment, by a candidate or by none that became one."""

    __tablename__ = "searches"

    seq: int = column(BigInteger(), key=True)
    candidate_id: str | None = optional(Text())
    looks: int = column(Integer())
    at: datetime = column(UtcText())


class VaultLookRow(Row, table=True):
    """The one look that a candidate has at the vault."""

    __tablename__ = "vault_looks"

    candidate_id: str = column(Text(), key=True)
    at: datetime = column(UtcText())


class SubmissionRow(Row, table=True):
    """A file that a person handed in; `taken_at` is set when it became a candidate."""

    __tablename__ = "submissions"

    submission_id: str = column(Text(), key=True)
    number: int = Field(sa_column=Column(Integer(), nullable=False, unique=True))
    source_hash: str = column(Text())
    proposal: Any = column(JsonText())
    submitted_at: datetime = column(UtcText())
    taken_at: datetime | None = optional(UtcText())
    candidate_id: str | None = optional(Text())


class SegmentSplitRow(Row, table=True):
    """The edges of one quarter's segments, laid out once."""

    __tablename__ = "segment_splits"

    quarter: str = column(Text(), key=True)
    search_start: datetime = column(UtcText())
    selection_start: datetime = column(UtcText())
    vault_start: datetime = column(UtcText())
    vault_end: datetime = column(UtcText())
    at: datetime = column(UtcText())


class SelectionLookRow(Row, table=True):
    """A candidate that was given one quarter's selection segment to be scored on. `free` says why it cost no trial, if so."""

    __tablename__ = "selection_looks"

    quarter: str = column(Text(), key=True)
    candidate_id: str = Field(sa_column=Column(Text(), ForeignKey("candidates.candidate_id"), primary_key=True))
    seq: int = column(BigInteger())
    free: str = column(Text())
    repairs: str = column(Text())
    at: datetime = column(UtcText())


class ApprovalRow(Row, table=True):
    """What a person decided about a candidate that asked: its promotion may go ahead, or not."""

    __tablename__ = "approvals"

    candidate_id: str = Field(sa_column=Column(Text(), ForeignKey("candidates.candidate_id"), primary_key=True))
    approved: bool = column(Boolean())
    decided_by: str = column(PlainText())
    at: datetime = column(UtcText())
