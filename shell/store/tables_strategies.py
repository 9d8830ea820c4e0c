"""Strategy versions, their saved state, the journal of promotions, and what never runs again."""

from datetime import datetime
from typing import Any

from sqlalchemy import Integer, Text

from shell.store.types import JsonText, PlainText, Row, StateText, UtcText, column, optional


class VersionRow(Row, table=True):
    """One version: its code and the skills it imports, swapped as one (D13). `number` counts them as they came."""

    __tablename__ = "strategy_versions"

    version: str = column(Text(), key=True)
    number: int = column(Integer())
    hash: str = column(Text())
    parent: str = column(Text())
    hypothesis: str = column(PlainText())
    code: str = column(PlainText())
    skills: Any = column(JsonText())
    code_origin: str = column(PlainText())
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

    number: int = column(Integer(), key=True)
    candidate_id: str = column(Text())
    version: str = column(Text())
    previous: str = column(Text())
    hash: str = column(Text())
    state: str = column(Text())
    at: datetime = column(UtcText())


class QuarantineRow(Row, table=True):
    """Code that tried what honest code never does. By hash, so that the same code under another name is known, too."""

    __tablename__ = "strategy_quarantine"

    hash: str = column(Text(), key=True)
    number: int = column(Integer())
    name: str = column(Text())
    sentence: str = column(PlainText())
    at: datetime = column(UtcText())
