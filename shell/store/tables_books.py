"""A book's state and its history: balances, positions, marks, capital events, trades, equity, halts, snapshots.

Amounts are exact decimals as TEXT; a `seq` is the number of the fact's event, which orders facts among themselves.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Date, Index, Integer, Text

from shell.money import BaseQty, Price, QuoteAmount
from shell.store.types import AmountText, DecimalText, JsonText, PlainText, Row, UtcText, column, optional


class BalanceRow(Row, table=True):
    """The ledger of one book after its last step, positions aside."""

    __tablename__ = "balances"

    book: str = column(Text(), key=True)
    cash: QuoteAmount = column(AmountText(QuoteAmount))
    capital: QuoteAmount = column(AmountText(QuoteAmount))
    fees_paid: QuoteAmount = column(AmountText(QuoteAmount))
    realised_pnl: QuoteAmount = column(AmountText(QuoteAmount))
    trades_closed: int = column(Integer())
    consecutive_losses: int = column(Integer())


class PositionRow(Row, table=True):
    """One open position. `place` keeps the order in which positions were opened, which the engine walks them in."""

    __tablename__ = "positions"

    book: str = column(Text(), key=True)
    symbol: str = column(Text(), key=True)
    place: int = column(Integer())
    qty: BaseQty = column(AmountText(BaseQty))
    entered_qty: BaseQty = column(AmountText(BaseQty))
    cost: QuoteAmount = column(AmountText(QuoteAmount))
    proceeds: QuoteAmount = column(AmountText(QuoteAmount))
    fees: QuoteAmount = column(AmountText(QuoteAmount))
    stop_loss: Price | None = optional(AmountText(Price))
    take_profit: Price | None = optional(AmountText(Price))
    horizon: str = column(Text())
    opened_at: datetime = column(UtcText())
    version: str = column(Text())
    tag: str = column(PlainText())


class MarksRow(Row, table=True):
    """The reference points that loss limits are measured from."""

    __tablename__ = "equity_marks"

    book: str = column(Text(), key=True)
    day: date = column(Date())
    day_start: QuoteAmount = column(AmountText(QuoteAmount))
    peak: QuoteAmount = column(AmountText(QuoteAmount))
    trades_today: int = column(Integer())


class CapitalRow(Row, table=True):
    """Money allocated (positive) or taken away (negative): never P&L."""

    __tablename__ = "capital_events"
    __table_args__ = (Index("ix_capital_events_book", "book", "seq"),)

    seq: int = column(BigInteger(), key=True)
    book: str = column(Text())
    amount: QuoteAmount = column(AmountText(QuoteAmount))
    at: datetime = column(UtcText())
    reason: str = column(PlainText())


class TradeRow(Row, table=True):
    """One completed trade, entry to flat."""

    __tablename__ = "trades"
    __table_args__ = (Index("ix_trades_book_seq", "book", "seq"),)

    book: str = column(Text(), key=True)
    trade_id: str = column(Text(), key=True)
    seq: int = column(BigInteger())
    version: str = column(Text())
    symbol: str = column(Text())
    qty: BaseQty = column(AmountText(BaseQty))
    cost: QuoteAmount = column(AmountText(QuoteAmount))
    proceeds: QuoteAmount = column(AmountText(QuoteAmount))
    fees: QuoteAmount = column(AmountText(QuoteAmount))
    horizon: str = column(Text())
    opened_at: datetime = column(UtcText())
    closed_at: datetime = column(UtcText())
    exit_purpose: str = column(Text())
    tag: str = column(PlainText())


class EquityRow(Row, table=True):
    """Cash and positions at market, marked by one step."""

    __tablename__ = "equity"

    book: str = column(Text(), key=True)
    at: datetime = column(UtcText(), key=True)
    value: Decimal = column(DecimalText())


class HaltRow(Row, table=True):
    """A halt, active until `lifted_at`. Rows are history and never deleted; `lift_seq` is the event of the lifting."""

    __tablename__ = "halts"
    __table_args__ = (Index("ix_halts_book", "book", "kind"),)

    seq: int = column(BigInteger(), key=True)
    book: str = column(Text())
    kind: str = column(Text())
    sentence: str = column(PlainText())
    raised_at: datetime = column(UtcText())
    lifted_at: datetime | None = optional(UtcText())
    lifted_by: str | None = optional(PlainText())
    lift_seq: int | None = optional(BigInteger())


class SnapshotRow(Row, table=True):
    """A book at the end of one local day; `positions` is JSON for display."""

    __tablename__ = "snapshots"

    book: str = column(Text(), key=True)
    day: date = column(Date(), key=True)
    at: datetime = column(UtcText())
    equity: QuoteAmount = column(AmountText(QuoteAmount))
    cash: QuoteAmount = column(AmountText(QuoteAmount))
    day_pnl: QuoteAmount = column(AmountText(QuoteAmount))
    fees: QuoteAmount = column(AmountText(QuoteAmount))
    positions: Any = column(JsonText())
