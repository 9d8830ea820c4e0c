"""Versions of the strategy: which there were, which one is active, what each asked to have kept, and what never runs again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from shell.answers import VersionRow as IndexRow
from shell.errors import NotNow, Rejected
from shell.host.port import StrategySource
from shell.store.database import Database
from shell.store.events import EventLog
from shell.store.metadata import table_of
from shell.store.tables_strategies import PromotionRow, QuarantineRow, StrategyStateRow, VersionRow
from shell.trials.candidate import source_hash

VERSIONS, STATES, PROMOTIONS = table_of(VersionRow), table_of(StrategyStateRow), table_of(PromotionRow)
QUARANTINE = table_of(QuarantineRow)
FLOOR_VERSION = "v000"


class VersionState(StrEnum):
    """ARCHIVED has never run, RETIRED has, ACTIVE is the one that does, QUARANTINED never runs again."""

    ACTIVE = "active"
    RETIRED = "retired"
    ARCHIVED = "archived"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVersion:
    """One version with its source; `promoted_at` is when it last became active."""

    version: str
    hash: str
    parent: str
    hypothesis: str
    source: StrategySource
    promoted_at: datetime | None
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """One code hash that never runs again: the version or candidate that was caught, and at what."""

    hash: str
    name: str
    sentence: str
    at: datetime

    def __str__(self) -> str:
        return (
            f"this code (hash {self.hash}) is in quarantine and never runs again: {self.name} was caught at "
            f"{self.at:%Y-%m-%d %H:%M} UTC: {self.sentence}"
        )


class Strategies:
    """The strategy index."""

    def __init__(self, database: Database, events: EventLog) -> None:
        self._database = database
        self._events = events

    def insert(
        self, *, version: str, hash: str, parent: str, hypothesis: str, source: StrategySource, state: str = "archived"
    ) -> StoredVersion:
        """Add a version. The same one again changes nothing; raises Rejected when its name stands for other code."""
        with self._database.transaction() as connection:
            known = connection.execute(select(VERSIONS.c.hash).where(VERSIONS.c.version == version)).first()
            if known is not None and known.hash != hash:
                raise Rejected(f"{version} is already another strategy ({known.hash}, not {hash})")
            if known is None:
                number = connection.execute(select(func.count()).select_from(VERSIONS)).scalar_one()
                connection.execute(
                    insert(VERSIONS).values(
                        version=version, number=number, hash=hash, parent=parent, hypothesis=hypothesis,
                        code=source.code, skills=dict(source.skills), code_origin=source.origin, promoted_at=None,
                        state=VersionState(state).value,
                    )
                )
            return self.get(version)

    def activate(self, version: str, at: datetime) -> StoredVersion:
        """Make `version` the active one and retire the one that was. Raises Rejected for one in quarantine."""
        with self._database.transaction() as connection:
            chosen = self.get(version)
            if chosen.state == VersionState.ACTIVE.value:
                return chosen
            self.require_trusted(chosen.hash)
            connection.execute(
                update(VERSIONS).where(VERSIONS.c.state == VersionState.ACTIVE.value).values(
                    state=VersionState.RETIRED.value
                )
            )
            connection.execute(
                update(VERSIONS).where(VERSIONS.c.version == version).values(
                    state=VersionState.ACTIVE.value, promoted_at=at
                )
            )
            _mark_quarantined(connection)
            payload = {
                "version": version, "hash": chosen.hash, "parent": chosen.parent, "hypothesis": chosen.hypothesis,
            }
            self._events.chain(connection).append("strategy_active", at, payload, "main")
            return self.get(version)

    def active(self) -> StoredVersion:
        """Raises NotNow while none is."""
        with self._database.reading() as connection:
            row = connection.execute(select(VERSIONS).where(VERSIONS.c.state == VersionState.ACTIVE.value)).first()
        if row is None:
            raise NotNow("no strategy is active yet")
        return _version_of(row)

    def list(self) -> Sequence[StoredVersion]:
        """Every version, as they came."""
        with self._database.reading() as connection:
            return [_version_of(row) for row in connection.execute(select(VERSIONS).order_by(VERSIONS.c.number))]

    def index(self) -> Sequence[IndexRow]:
        """Every version without its source."""
        return [
            IndexRow(
                version=each.version, hash=each.hash, parent=each.parent, hypothesis=each.hypothesis,
                promoted_at=each.promoted_at, state=each.state,
            )
            for each in self.list()
        ]

    def get(self, version: str) -> StoredVersion:
        """Raises Rejected for one that does not exist."""
        with self._database.reading() as connection:
            row = connection.execute(select(VERSIONS).where(VERSIONS.c.version == version)).first()
        if row is None:
            raise Rejected(f"there is no strategy version {version}")
        return _version_of(row)

    def before(self, version: str) -> str:
        """The version to go back to: the one that `version` replaced, else its parent, else the floor.

        Versions in quarantine are passed over on the way down.
        """
        with self._database.reading() as connection:
            passed = {version}
            while True:
                below = self._below(connection, version)
                if below == FLOOR_VERSION or below in passed:
                    return FLOOR_VERSION
                if self.quarantine_of(self.get(below).hash) is None:
                    return below
                passed.add(below)
                version = below

    def quarantine(self, hash: str, name: str, sentence: str, at: datetime) -> bool:
        """Never let this code run again. True the first time; what is known already stays as it was recorded.

        Its versions are marked; the active one as soon as another takes its place.
        """
        with self._database.transaction() as connection:
            if self.quarantine_of(hash) is not None:
                return False
            number = connection.execute(select(func.count()).select_from(QUARANTINE)).scalar_one()
            connection.execute(
                insert(QUARANTINE).values(hash=hash, number=number, name=name, sentence=sentence, at=at)
            )
            _mark_quarantined(connection)
            payload = {"hash": hash, "name": name, "sentence": sentence}
            self._events.chain(connection).append("quarantine", at, payload, "main")
            return True

    def quarantine_of(self, hash: str) -> Quarantined | None:
        """What this code was caught at, None for code that was not."""
        with self._database.reading() as connection:
            row = connection.execute(select(QUARANTINE).where(QUARANTINE.c.hash == hash)).first()
        return None if row is None else _quarantined_of(row)

    def quarantined(self) -> Sequence[Quarantined]:
        """Everything in quarantine, as it came."""
        with self._database.reading() as connection:
            rows = connection.execute(select(QUARANTINE).order_by(QUARANTINE.c.number)).all()
        return [_quarantined_of(row) for row in rows]

    def require_trusted(self, hash: str) -> None:
        """Raises Rejected, with the sentence for a person, for code in quarantine."""
        found = self.quarantine_of(hash)
        if found is not None:
            raise Rejected(str(found))

    def _below(self, connection: Connection, version: str) -> str:
        replaced = connection.execute(
            select(PROMOTIONS.c.previous)
            .where(PROMOTIONS.c.version == version, PROMOTIONS.c.state == "committed")
            .order_by(PROMOTIONS.c.number.desc())
        ).scalar()
        return str(replaced or self.get(version).parent or FLOOR_VERSION)

    @staticmethod
    def hash_of(source: StrategySource) -> str:
        """The identity of a source (D13)."""
        return source_hash(source)

    def save_state(self, book: str, hash: str, state: Mapping[str, Any]) -> None:
        """Keep what a strategy asked to have kept, in place of what it kept before."""
        with self._database.transaction() as connection:
            where = (STATES.c.book == book) & (STATES.c.hash == hash)
            if connection.execute(update(STATES).where(where).values(state=state)).rowcount == 0:
                connection.execute(insert(STATES).values(book=book, hash=hash, state=state))

    def load_state(self, book: str, hash: str) -> dict[str, Any] | None:
        """What the version with this hash kept for this book; None for any other version."""
        with self._database.reading() as connection:
            return _state(connection, book, hash)


def _state(connection: Connection, book: str, hash: str) -> dict[str, Any] | None:
    statement = select(STATES.c.state).where(STATES.c.book == book, STATES.c.hash == hash)
    return connection.execute(statement).scalar()


def _version_of(row: Any) -> StoredVersion:
    return StoredVersion(
        version=row.version, hash=row.hash, parent=row.parent, hypothesis=row.hypothesis,
        source=StrategySource(code=row.code, skills=row.skills, origin=row.code_origin), promoted_at=row.promoted_at,
        state=row.state,
    )


def _mark_quarantined(connection: Connection) -> None:
    """There must always be an active version: it is marked when another one takes its place."""
    caught = VERSIONS.c.hash.in_(select(QUARANTINE.c.hash)) & (VERSIONS.c.state != VersionState.ACTIVE.value)
    connection.execute(update(VERSIONS).where(caught).values(state=VersionState.QUARANTINED.value))


def _quarantined_of(row: Any) -> Quarantined:
    return Quarantined(hash=row.hash, name=row.name, sentence=row.sentence, at=row.at)
