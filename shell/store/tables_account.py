"""What the venue's account had when it was last compared with the books, and which process may trade."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import BigInteger, Boolean, Index, Text

from shell.store.types import DecimalText, PlainText, Row, UtcText, column


class AccountCoinRow(Row, table=True):
    """One coin of the account as the last reconciliation left it: the whole balance, and what of it is not ours."""

    __tablename__ = "account_coins"

    coin: str = column(Text(), key=True)
    total: Decimal = column(DecimalText())
    outside: Decimal = column(DecimalText())
    at: datetime = column(UtcText())


class AccountActivityRow(Row, table=True):
    """One movement of the account that was accounted for, once, and what it was. `ref_id` is the trade's, or what moved it."""

    __tablename__ = "account_activity"
    __table_args__ = (Index("ix_account_activity_ref", "ref_id"), Index("ix_account_activity_at", "at"))

    movement_id: str = column(Text(), key=True)
    ref_id: str = column(Text())
    at: datetime = column(UtcText())
    coin: str = column(Text())
    amount: Decimal = column(DecimalText())
    label: str = column(PlainText())
    ours: bool = column(Boolean())
    seq: int = column(BigInteger())


class FenceRow(Row, table=True):
    """The newest process that took the right to write orders. An older one's epoch no longer counts."""

    __tablename__ = "fences"

    name: str = column(Text(), key=True)
    epoch: int = column(BigInteger())
    holder: str = column(PlainText())
    taken_at: datetime = column(UtcText())
