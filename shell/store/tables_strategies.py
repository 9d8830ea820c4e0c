"""Strategy versions, their saved state, and the journal of promotions."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Text

from shell.store.types import JsonText, PlainText, Row, StateText, UtcText, column, optional


class VersionRow(Row, table=True):
    """One version: its code and the skills it imports, swapped as one (D13). `seq` is that of its event."""

    __tablename__ = "strategy_versions"

    version: str = column(Text(), key=True)
    seq: int = column(BigInteger())
    hash: str = column(Text())
    parent: str = column(Text())
    hypothesis: str = column(PlainText())
    code: str = column(PlainText())
    skills: Any = column(JsonText())
    added_at: datetime = column(UtcText())
    promoted_at: datetime | None = optional(UtcText())
    state: str = column(Text())


class StrategyStateRow(Row, table=True):
    """What a strategy asked to have kept, for one book and one version hash: another hash never sees it."""

    __tablename__ = "strategy_states"

    book: str = column(Text(), key=True)
    hash: str = column(Text(), key=True)
    state: Any = column(StateText())


class PromotionRow(Row, table=True):
    """One promotion's journal entry; a row left in `prepared` is what start-up recovery works on."""

    __tablename__ = "promotions"

    seq: int = column(BigInteger(), key=True)
    candidate_id: str = column(Text())
    version: str = column(Text())
    previous: str = column(Text())
    hash: str = column(Text())
    state: str = column(Text())
    prepared_at: datetime = column(UtcText())
    ended_at: datetime | None = optional(UtcText())
    reason: str = column(PlainText())
