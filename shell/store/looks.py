"""Who was shown what: the segments laid out each quarter, the candidates scored on selection, the one look at the vault.

A look is written down, in the table and in the chain, before anything is shown: a crash leaves a look without a result,
never a result without a look.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select

from shell.errors import NotNow
from shell.store.database import Database
from shell.store.events import EventLog
from shell.store.metadata import table_of
from shell.store.tables_candidates import CandidateRow, SegmentSplitRow, SelectionLookRow, VaultLookRow
from shell.trials.segments import Segment, SegmentName, quarter_name

SPLITS, SELECTION_LOOKS = table_of(SegmentSplitRow), table_of(SelectionLookRow)
VAULT_LOOKS, CANDIDATES = table_of(VaultLookRow), table_of(CandidateRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaidOut:
    """One quarter's segments, such as those of "2026Q1"."""

    quarter: str
    segments: Mapping[SegmentName, Segment]


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionLook:
    """A candidate that was let onto a quarter's selection segment. `free` says why it cost no trial, "" when it did;
    `repairs` names the candidate whose trial it took over, if any."""

    quarter: str
    candidate_id: str
    at: datetime
    free: str = ""
    repairs: str = ""


class Looks:
    """Every row is added once and never changed."""

    def __init__(self, database: Database, events: EventLog) -> None:
        self._database = database
        self._events = events

    # -- segments -------------------------------------------------------------------------------------------------

    def lay_out(self, segments: Mapping[SegmentName, Segment], at: datetime) -> LaidOut:
        """Record the segments of the quarter of `at`; what is recorded already stays and is returned."""
        quarter = quarter_name(at)
        with self._database.transaction() as connection:
            known = self.laid_out(quarter)
            if known is not None:
                return known
            edges = {
                "search_start": segments[SegmentName.SEARCH].start,
                "selection_start": segments[SegmentName.SELECTION].start,
                "vault_start": segments[SegmentName.VAULT].start, "vault_end": segments[SegmentName.VAULT].end,
            }
            self._events.chain(connection).append("segments", at, {"quarter": quarter, **edges}, "main")
            connection.execute(insert(SPLITS).values(quarter=quarter, at=at, **edges))
        return LaidOut(quarter=quarter, segments=dict(segments))

    def laid_out(self, quarter: str) -> LaidOut | None:
        """The segments of one quarter, None before they are recorded."""
        with self._database.reading() as connection:
            row = connection.execute(select(SPLITS).where(SPLITS.c.quarter == quarter)).first()
        return None if row is None else _laid_out_of(row)

    def newest(self) -> LaidOut | None:
        """The segments laid out last."""
        with self._database.reading() as connection:
            row = connection.execute(select(SPLITS).order_by(SPLITS.c.quarter.desc()).limit(1)).first()
        return None if row is None else _laid_out_of(row)

    # -- selection ------------------------------------------------------------------------------------------------

    def open_selection(self, look: SelectionLook) -> SelectionLook:
        """Write down that a candidate is let onto the selection segment; what is written already stays and is returned."""
        with self._database.transaction() as connection:
            known = [each for each in self.selection_looks(look.quarter) if each.candidate_id == look.candidate_id]
            if known:
                return known[0]
            payload = {
                "quarter": look.quarter, "candidate": look.candidate_id, "free": look.free, "repairs": look.repairs
            }
            seq = self._events.chain(connection).append("selection_look", look.at, payload, "main")
            connection.execute(
                insert(SELECTION_LOOKS).values(
                    quarter=look.quarter, candidate_id=look.candidate_id, seq=seq, free=look.free,
                    repairs=look.repairs, at=look.at,
                )
            )
        return look

    def selection_looks(self, quarter: str | None = None) -> Sequence[SelectionLook]:
        """Candidates let onto selection in one quarter, or ever, in order."""
        statement = select(SELECTION_LOOKS).order_by(SELECTION_LOOKS.c.seq)
        if quarter is not None:
            statement = statement.where(SELECTION_LOOKS.c.quarter == quarter)
        with self._database.reading() as connection:
            return [_selection_look_of(row) for row in connection.execute(statement)]

    # -- vault ----------------------------------------------------------------------------------------------------

    def open_vault(self, candidate_id: str, vault: Segment, at: datetime) -> None:
        """Write down a candidate's one look at the vault.

        Raises NotNow on the second, also under another name: the same source sees a quarter's vault once.
        """
        with self._database.transaction() as connection:
            if self.vault_look(candidate_id) is not None:
                raise NotNow(f"{candidate_id} has had its one look at the vault")
            own = select(CANDIDATES.c.source_hash).where(CANDIDATES.c.candidate_id == candidate_id).scalar_subquery()
            twins = (
                select(VAULT_LOOKS.c.candidate_id, VAULT_LOOKS.c.at)
                .join(CANDIDATES, CANDIDATES.c.candidate_id == VAULT_LOOKS.c.candidate_id)
                .where(CANDIDATES.c.source_hash == own)
            )
            for twin in connection.execute(twins).all():
                if quarter_name(twin.at) == quarter_name(at):
                    raise NotNow(f"{candidate_id} is {twin.candidate_id} again, which has had its one look at the vault")
            payload = {
                "candidate": candidate_id, "quarter": quarter_name(at), "start": vault.start, "end": vault.end
            }
            self._events.chain(connection).append("vault_look", at, payload, "main")
            connection.execute(insert(VAULT_LOOKS).values(candidate_id=candidate_id, at=at))

    def vault_look(self, candidate_id: str) -> datetime | None:
        """When a candidate had its look, None before."""
        where = VAULT_LOOKS.c.candidate_id == candidate_id
        with self._database.reading() as connection:
            found: datetime | None = connection.execute(select(VAULT_LOOKS.c.at).where(where)).scalar()
        return found


def _laid_out_of(row: Any) -> LaidOut:
    edges = (row.search_start, row.selection_start, row.vault_start, row.vault_end)
    return LaidOut(
        quarter=row.quarter,
        segments={
            name: Segment(name=name, start=edges[index], end=edges[index + 1]) for index, name in enumerate(SegmentName)
        },
    )


def _selection_look_of(row: Any) -> SelectionLook:
    return SelectionLook(
        quarter=row.quarter, candidate_id=row.candidate_id, at=row.at, free=row.free, repairs=row.repairs
    )
