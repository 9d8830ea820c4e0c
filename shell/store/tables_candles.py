"""Candle tables: the three tiers, the holes found in them, and rows that were left out with the reason.

Prices and volumes are float64 here, as everywhere in market data. `open_ms` is the open time of the bar in ms of UTC.
"""

from sqlalchemy import BigInteger, Column, Float, Index, Integer, Text
from sqlmodel import Field, SQLModel


class CandleRow(SQLModel, table=True):
    """One closed bar of one symbol ("BTC/USD") and tier ("5m", "1h", "1d")."""

    __tablename__ = "candles"

    symbol: str = Field(sa_column=Column(Text, primary_key=True))
    tier: str = Field(sa_column=Column(Text, primary_key=True))
    open_ms: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    open: float = Field(sa_column=Column(Float, nullable=False))
    high: float = Field(sa_column=Column(Float, nullable=False))
    low: float = Field(sa_column=Column(Float, nullable=False))
    close: float = Field(sa_column=Column(Float, nullable=False))
    volume: float = Field(sa_column=Column(Float, nullable=False))


class CandleGapRow(SQLModel, table=True):
    """A hole of `bars` missing bars: `from_ms` is the open time of the first missing one, `to_ms` of the last."""

    __tablename__ = "candle_gaps"

    symbol: str = Field(sa_column=Column(Text, primary_key=True))
    tier: str = Field(sa_column=Column(Text, primary_key=True))
    from_ms: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    to_ms: int = Field(sa_column=Column(BigInteger, nullable=False))
    bars: int = Field(sa_column=Column(BigInteger, nullable=False))
    found_at: int = Field(sa_column=Column(BigInteger, nullable=False))
    """Milliseconds of UTC."""


class CandleQuarantineRow(SQLModel, table=True):
    """A row that was left out of the candles, as it was found, with the reason. Never repaired.

    Columns may be NULL where the source had no number; the same bar may be refused more than once.
    """

    __tablename__ = "candle_quarantine"
    __table_args__ = (Index("ix_candle_quarantine_bar", "symbol", "tier", "open_ms"),)

    id: int | None = Field(default=None, sa_column=Column(Integer, primary_key=True, autoincrement=True))
    symbol: str = Field(sa_column=Column(Text, nullable=False))
    tier: str = Field(sa_column=Column(Text, nullable=False))
    open_ms: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    open: float | None = Field(default=None, sa_column=Column(Float, nullable=True))
    high: float | None = Field(default=None, sa_column=Column(Float, nullable=True))
    low: float | None = Field(default=None, sa_column=Column(Float, nullable=True))
    close: float | None = Field(default=None, sa_column=Column(Float, nullable=True))
    volume: float | None = Field(default=None, sa_column=Column(Float, nullable=True))
    reason: str = Field(sa_column=Column(Text, nullable=False))
    source: str = Field(sa_column=Column(Text, nullable=False))
