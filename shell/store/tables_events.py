"""The event log: append-only facts, each chained to the one before it, and what a step could not do."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, Text

from shell.store.types import PlainText, Row, UtcText, column


class EventRow(Row, table=True):
    """One fact. `seq` has no holes; `hash` covers this row and, through the previous hash, every row before it."""

    __tablename__ = "events"
    __table_args__ = (Index("ix_events_kind", "kind", "seq"),)

    seq: int = column(BigInteger(), key=True)
    at: datetime = column(UtcText())
    book: str = column(Text())
    kind: str = column(Text())
    payload: str = column(Text())
    hash: str = column(Text())


class FaultRow(Row, table=True):
    """A strategy fault or another failure that a step survived. `seq` is that of its event."""

    __tablename__ = "faults"
    __table_args__ = (Index("ix_faults_book", "book", "seq"),)

    seq: int = column(BigInteger(), key=True)
    book: str = column(Text())
    at: datetime = column(UtcText())
    sentence: str = column(PlainText())


class TrialLinkRow(Row, table=True):
    """One fact of the trial ledger in a chain of its own: short enough to be handed out with a certificate.

    `hash` covers this link and, through the previous hash, every link before it; `payload_hash` is the sha256 of the
    payload of event `seq`.
    """

    __tablename__ = "trial_links"

    number: int = column(BigInteger(), key=True)
    seq: int = column(BigInteger())
    kind: str = column(Text())
    at: datetime = column(UtcText())
    payload_hash: str = column(Text())
    hash: str = column(Text())
