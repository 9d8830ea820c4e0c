"""Every version the strategy document had, the yearly summaries, and the rewrites that were refused."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, func, insert, select

from shell.store.database import Database
from shell.store.events import EventLog
from shell.store.metadata import table_of
from shell.store.tables_memory import DocumentRow

DOCUMENTS = table_of(DocumentRow)


class DocumentKind(StrEnum):
    """WRITTEN by the cycle, FOUND on disk as a person left it, DISTILLED at a quarter's end, YEARLY for the archive,
    REFUSED with a sentence and without its text."""

    WRITTEN = "written"
    FOUND = "found"
    DISTILLED = "distilled"
    YEARLY = "yearly"
    REFUSED = "refused"


_VERSIONS = (DocumentKind.WRITTEN, DocumentKind.FOUND, DocumentKind.DISTILLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDocument:
    """One row; `label` is what it is about (a night, a quarter, a year)."""

    number: int
    kind: DocumentKind
    label: str
    hash: str
    text: str
    sentence: str
    at: datetime


class Documents:
    """Rows are added and never changed."""

    def __init__(self, database: Database, events: EventLog) -> None:
        self._database = database
        self._events = events

    def keep(self, kind: DocumentKind, text: str, at: datetime, *, label: str = "") -> bool:
        """Keep a version, or a year's summary; the same text as the newest of its kind and label again changes nothing."""
        with self._database.transaction() as connection:
            newest = _newest(connection, _VERSIONS if kind in _VERSIONS else (kind,), label if kind not in _VERSIONS else None)
            if newest is not None and newest.text == text:
                return False
            _add(connection, kind, label, text_hash(text), text, "", at)
            payload = {"kind": kind.value, "label": label, "hash": text_hash(text), "words": len(text.split())}
            self._events.chain(connection).append("document", at, payload, "main")
            return True

    def refuse(self, text: str, sentence: str, at: datetime, *, label: str = "") -> None:
        """Record that a rewrite was refused. What was refused is kept by its hash alone: it may be poison or a secret."""
        with self._database.transaction() as connection:
            _add(connection, DocumentKind.REFUSED, label, text_hash(text), "", sentence, at)
            payload = {"kind": "refused", "label": label, "hash": text_hash(text), "sentence": sentence}
            self._events.chain(connection).append("document", at, payload, "main")

    def newest(self) -> StoredDocument | None:
        """The newest version that was kept."""
        with self._database.reading() as connection:
            return _newest(connection, _VERSIONS, None)

    def versions(self) -> Sequence[StoredDocument]:
        """Every version, oldest first."""
        return [each for each in self.list() if each.kind in _VERSIONS]

    def list(self) -> Sequence[StoredDocument]:
        """Everything, oldest first."""
        with self._database.reading() as connection:
            return [_document_of(row) for row in connection.execute(select(DOCUMENTS).order_by(DOCUMENTS.c.number))]


def text_hash(text: str) -> str:
    """Sha256, 16 hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _add(
    connection: Connection, kind: DocumentKind, label: str, digest: str, text: str, sentence: str, at: datetime
) -> None:
    number = 1 + (connection.execute(select(func.max(DOCUMENTS.c.number))).scalar() or 0)
    connection.execute(
        insert(DOCUMENTS).values(
            number=number, kind=kind.value, label=label, hash=digest, text=text, sentence=sentence, at=at
        )
    )


def _newest(connection: Connection, kinds: Sequence[DocumentKind], label: str | None) -> StoredDocument | None:
    statement = select(DOCUMENTS).where(DOCUMENTS.c.kind.in_([kind.value for kind in kinds]))
    if label is not None:
        statement = statement.where(DOCUMENTS.c.label == label)
    row = connection.execute(statement.order_by(DOCUMENTS.c.number.desc())).first()
    return None if row is None else _document_of(row)


def _document_of(row: Any) -> StoredDocument:
    return StoredDocument(
        number=row.number, kind=DocumentKind(row.kind), label=row.label, hash=row.hash, text=row.text,
        sentence=row.sentence, at=row.at,
    )
