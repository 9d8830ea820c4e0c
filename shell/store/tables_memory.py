"""What is remembered of nights: versions of the document, what each night began with, and how main compared with its replay."""

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, Integer, Text

from shell.store.types import JsonText, PlainText, Row, UtcText, column


class DocumentRow(Row, table=True):
    """One version of the strategy document, or a yearly summary of it (`label` is the year), or a rewrite that was refused
    (`sentence` says why; its text is not kept)."""

    __tablename__ = "documents"

    number: int = column(Integer(), key=True)
    kind: str = column(Text())
    label: str = column(Text())
    hash: str = column(Text())
    text: str = column(PlainText())
    sentence: str = column(PlainText())
    at: datetime = column(UtcText())


class NightInputRow(Row, table=True):
    """What a night's decision was taken on. A night that was begun again with other inputs has another `attempt`."""

    __tablename__ = "night_inputs"

    night: str = column(Text(), key=True)
    attempt: int = column(Integer(), key=True)
    hash: str = column(Text())
    inputs: Any = column(JsonText())
    at: datetime = column(UtcText())


class ParityMarkRow(Row, table=True):
    """Where the next comparison of a book with its replay begins: the book's own rows at that moment."""

    __tablename__ = "parity_marks"

    book: str = column(Text(), key=True)
    at: datetime = column(UtcText())
    version: str = column(Text())
    rows: Any = column(JsonText())


class ParityRow(Row, table=True):
    """One comparison: how many scans and fills of a window were the same in the book and in its replay, and what was not."""

    __tablename__ = "parity"

    book: str = column(Text(), key=True)
    until: datetime = column(UtcText(), key=True)
    since: datetime = column(UtcText())
    version: str = column(Text())
    scans: int = column(Integer())
    scans_equal: int = column(Integer())
    fills: int = column(Integer())
    fills_equal: int = column(Integer())
    explained: bool = column(Boolean())
    differences: Any = column(JsonText())
