"""The journal of promotions: prepared before files move, committed with the database, or aborted (design 6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, insert, select, update

from shell.answers import Promotion
from shell.errors import NotNow
from shell.store.database import Database
from shell.store.metadata import table_of
from shell.store.tables_strategies import PromotionRow

PROMOTIONS = table_of(PromotionRow)


class Promotions:
    """What start-up recovery reads. The event of a promotion is its caller's, who knows when it is whole."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def prepare(self, promotion: Promotion) -> None:
        """Write down what is about to happen, to the disk itself. Preparing the same one again changes nothing.

        Raises NotNow while another is unfinished or when this candidate's was committed.
        """
        with self._database.transaction(durable=True) as connection:
            open_ids = list(self.unfinished())
            if open_ids == [promotion.candidate_id]:
                return
            if open_ids:
                raise NotNow(f"the promotion of {open_ids[0]} is not finished")
            if self.committed(promotion.candidate_id) is not None:
                raise NotNow(f"{promotion.candidate_id} has been promoted already")
            number = connection.execute(select(func.max(PROMOTIONS.c.number))).scalar() or 0
            connection.execute(
                insert(PROMOTIONS).values(
                    number=number + 1, candidate_id=promotion.candidate_id, version=promotion.version,
                    previous=promotion.previous, hash=promotion.hash, state="prepared", at=promotion.at,
                )
            )

    def commit(self, candidate_id: str) -> None:
        """End the prepared promotion of this candidate as done. Raises NotNow if there is none."""
        if not self._end(candidate_id, "committed") and self.committed(candidate_id) is None:
            raise NotNow(f"no promotion of {candidate_id} was prepared")

    def abort(self, candidate_id: str) -> bool:
        """End the prepared promotion of this candidate as undone. False, and nothing changes, if there is none."""
        return self._end(candidate_id, "aborted")

    def unfinished(self) -> Sequence[str]:
        """Candidates whose promotion was prepared and neither committed nor aborted."""
        statement = select(PROMOTIONS.c.candidate_id).where(PROMOTIONS.c.state == "prepared")
        with self._database.reading() as connection:
            return list(connection.execute(statement.order_by(PROMOTIONS.c.number)).scalars())

    def committed(self, candidate_id: str) -> Promotion | None:
        """The promotion of this candidate, if it was done."""
        where = (PROMOTIONS.c.candidate_id == candidate_id) & (PROMOTIONS.c.state == "committed")
        with self._database.reading() as connection:
            row = connection.execute(select(PROMOTIONS).where(where)).first()
        return None if row is None else _promotion_of(row)

    def list(self) -> Sequence[Promotion]:
        """Every promotion that was done, oldest first."""
        statement = select(PROMOTIONS).where(PROMOTIONS.c.state == "committed").order_by(PROMOTIONS.c.number)
        with self._database.reading() as connection:
            return [_promotion_of(row) for row in connection.execute(statement)]

    def _end(self, candidate_id: str, state: str) -> bool:
        where = (PROMOTIONS.c.candidate_id == candidate_id) & (PROMOTIONS.c.state == "prepared")
        with self._database.transaction() as connection:
            return connection.execute(update(PROMOTIONS).where(where).values(state=state)).rowcount > 0


def _promotion_of(row: Any) -> Promotion:
    return Promotion(
        candidate_id=row.candidate_id, version=row.version, previous=row.previous, hash=row.hash, at=row.at
    )
