"""The venue's account as the last reconciliation left it: balances, what of them is external, and every movement labelled."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from shell.portfolio.account import AccountPicture
from shell.portfolio.reconcile_types import Activity, FindingKind, Outcome
from shell.store.database import Database
from shell.store.events import EventLog
from shell.store.facts import Facts
from shell.store.metadata import table_of
from shell.store.tables_account import AccountActivityRow, AccountCoinRow

COINS = table_of(AccountCoinRow)
ACTIVITY = table_of(AccountActivityRow)
UNTIL_FACT = "account.reconciled_until"
LAST_FACT = "account.last_reconciliation"
MARK_FACT = "account.mark"
IDS_A_QUERY = 500
_NO_COINS, _NEW_COINS, _ALL_COINS = delete(COINS), insert(COINS), select(COINS).order_by(COINS.c.coin)
_NOTED = tuple(
    select(name).where(name.in_(bindparam("ids", expanding=True))) for name in (ACTIVITY.c.movement_id, ACTIVITY.c.ref_id)
)
_NEW_ACTIVITY = insert(ACTIVITY)


class AccountStore:
    """Written by the reconciler alone, in the transaction that changes the books."""

    def __init__(self, database: Database, events: EventLog, facts: Facts) -> None:
        self._database = database
        self._events = events
        self._facts = facts

    def mark(self) -> str:
        """This home's mark in the ids of its orders: four hexadecimal digits, drawn once and kept."""
        return str(self._facts.once(MARK_FACT, f"{1 + secrets.randbelow(0xFFFF):04x}"))

    def until(self) -> datetime | None:
        """Up to when the account was last looked at; None before the first time."""
        text = self._facts.get(UNTIL_FACT)
        return None if text is None else datetime.fromisoformat(text)

    def last(self) -> Mapping[str, Any] | None:
        """The newest reconciliation in short, for people: at, reason, matches, findings, difference, outside."""
        found: Mapping[str, Any] | None = self._facts.get(LAST_FACT)
        return found

    def totals(self) -> dict[str, Decimal] | None:
        """Every coin's whole balance as it was left, None before the first reconciliation."""
        return None if self.until() is None else self._column("total")

    def outside(self) -> dict[str, Decimal]:
        """What of each coin is not ours."""
        return self._column("outside")

    def noted(self, ids: Collection[str]) -> frozenset[str]:
        """Those of `ids` that are movements accounted for, or what such a movement came from."""
        found: set[str] = set()
        asked = sorted(ids)
        with self._database.reading() as connection:
            for at in range(0, len(asked), IDS_A_QUERY):
                some = asked[at : at + IDS_A_QUERY]
                for statement in _NOTED:
                    found |= set(connection.execute(statement, {"ids": some}).scalars())
        return frozenset(found)

    def activity(self, *, since: datetime | None = None, limit: int = 200) -> Sequence[Activity]:
        """The newest movements, oldest first."""
        statement = select(ACTIVITY).order_by(ACTIVITY.c.at.desc(), ACTIVITY.c.movement_id.desc()).limit(limit)
        if since is not None:
            statement = statement.where(ACTIVITY.c.at >= since)
        with self._database.reading() as connection:
            rows = connection.execute(statement).all()
        return [
            Activity(
                movement_id=row.movement_id, ref_id=row.ref_id, at=row.at, coin=row.coin, amount=row.amount, label=row.label,
                ours=row.ours,
            )
            for row in reversed(rows)
        ]

    def record(self, outcome: Outcome, picture: AccountPicture, reason: str, book: str) -> None:
        """Keep what a reconciliation found. Joins the transaction that changes the books. One that changed nothing, because
        they have trades that the venue does not, is told and no more: the next one has to look as far back."""
        fact = summary_of(outcome, reason)
        with self._database.transaction() as connection:
            seq = self._events.append("reconciled", picture.at, fact, book)
            self._facts.set(LAST_FACT, {"at": picture.at.isoformat(), **fact}, picture.at)
            if any(finding.kind is FindingKind.PHANTOM_FILL for finding in outcome.findings):
                return
            connection.execute(_NO_COINS)
            rows = [
                {"coin": coin, "total": outcome.totals.get(coin, Decimal(0)), "outside": outside, "at": picture.at}
                for coin, outside in outcome.external.items()
            ]
            if rows:
                connection.execute(_NEW_COINS, rows)
            moved = [
                {
                    "movement_id": each.movement_id, "ref_id": each.ref_id, "at": each.at, "coin": each.coin,
                    "amount": each.amount, "label": each.label, "ours": each.ours, "seq": seq,
                }
                for each in outcome.activity
            ]
            if moved:
                connection.execute(_NEW_ACTIVITY, moved)
            self._facts.set(UNTIL_FACT, picture.at.isoformat(), picture.at)

    def shift(self, coin: str, amount: Decimal) -> None:
        """Cash changed sides inside the account: so much more of it is external. The total stays."""
        with self._database.transaction() as connection:
            row = connection.execute(select(COINS).where(COINS.c.coin == coin)).first()
            if row is not None:
                connection.execute(update(COINS).where(COINS.c.coin == coin).values(outside=row.outside + amount))

    def _column(self, name: str) -> dict[str, Decimal]:
        with self._database.reading() as connection:
            return {row.coin: row._mapping[name] for row in connection.execute(_ALL_COINS)}


def summary_of(outcome: Outcome, reason: str) -> dict[str, Any]:
    """A reconciliation as an event's payload."""
    return {
        "reason": reason, "matches": outcome.matches, "difference": str(outcome.difference), "halt": outcome.halt,
        "findings": [
            {"kind": each.kind.value, "sentence": each.sentence, "value": str(each.value), "reference": each.reference}
            for each in outcome.findings
        ],
        "outside": {coin: f"{amount:f}" for coin, amount in outcome.external.items()},
    }
