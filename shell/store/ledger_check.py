"""Is the trial ledger whole? The chains, the rows against the facts they stand for, and the guards that keep both.

Three things can be wrong with a row that is there: its fact was changed (the chain breaks), the row was changed (it differs
from its fact), or the row has no fact at all. Whoever can write the file can also make a new chain over new facts; that is
seen by comparing the head with one that was written down elsewhere, in a report or a certificate.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, select

from shell.host.port import StrategySource
from shell.store.candidates import CANDIDATES, SCORES, SEARCHES, STAGES, score_fact, score_of
from shell.store.canonical import canonical
from shell.store.events import EVENTS
from shell.store.looks import SELECTION_LOOKS, SPLITS, VAULT_LOOKS
from shell.store.store import Store
from shell.store.trial_chain import EMPTY_LEDGER, LEDGER_KINDS, link_digest, payload_digest
from shell.store.types import utc_text
from shell.trials.candidate import source_hash

# The triggers a database must have, by table.
GUARDED = (
    "events", "trial_links", "trial_scores", "candidate_stages", "searches", "vault_looks", "selection_looks",
    "segment_splits", "candidates",
)
GUARDS = ("no_update", "no_delete", "no_replace")
# There nothing replaces a row without removing it first, and whole tables can be emptied at once.
POSTGRESQL_GUARDS = ("no_update", "no_delete", "no_truncate")
SQLITE_TRIGGERS = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
POSTGRESQL_TRIGGERS = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerCheck:
    """What was found. `problems` are sentences, the first the one that matters; empty when the ledger is whole."""

    events: int
    facts: int
    trials: int
    head: str
    event_log_hash: str
    problems: tuple[str, ...]

    @property
    def whole(self) -> bool:
        return not self.problems

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "whole": self.whole, "events": self.events, "facts": self.facts, "trials": self.trials, "head": self.head,
            "event_log_hash": self.event_log_hash, "problems": list(self.problems),
        }


def check_ledger(store: Store) -> LedgerCheck:
    """Recompute every hash and compare every row of the trial ledger with its fact. Reads only, and reads everything."""
    with store.reading() as connection:
        facts = list(connection.execute(select(EVENTS).where(EVENTS.c.kind.in_(LEDGER_KINDS)).order_by(EVENTS.c.seq)))
        newest = connection.exec_driver_sql("SELECT COALESCE(MAX(seq), 0) FROM events").scalar_one()
        problems = [*_guards(store), *_event_chain(store), *_links(store, facts), *_rows(store, facts)]
        return LedgerCheck(
            events=int(newest), facts=len(facts), trials=sum(row.kind == "score" for row in facts),
            head=store.trial_chain.head(), event_log_hash=store.events.head(), problems=tuple(problems),
        )


def _guards(store: Store) -> Iterator[str]:
    """Triggers that are no longer there; a disabled one of PostgreSQL is as good as gone."""
    listed, guards = (SQLITE_TRIGGERS, GUARDS) if store.is_sqlite else (POSTGRESQL_TRIGGERS, POSTGRESQL_GUARDS)
    with store.reading() as connection:
        found = set(connection.exec_driver_sql(listed).scalars())
    for table in GUARDED:
        missing = [guard for guard in guards if f"{table}_{guard}" not in found]
        if missing:
            yield f"the table {table} has lost what keeps it append-only ({', '.join(missing)})"


def _event_chain(store: Store) -> Iterator[str]:
    broken = store.events.first_broken()
    if broken is not None:
        yield f"the event log does not hold from fact {broken} on"


def _links(store: Store, facts: list[Any]) -> Iterator[str]:
    previous, links = EMPTY_LEDGER, list(store.trial_chain.links())
    for number, (link, fact) in enumerate(zip(links, facts, strict=False), 1):
        digest = link_digest(previous, number, link.seq, link.kind, utc_text(link.at), link.payload_hash)
        same = (link.seq, link.kind, utc_text(link.at)) == (fact.seq, fact.kind, utc_text(fact.at))
        if (link.number, link.hash) != (number, digest):
            yield f"the trial ledger's chain does not hold from link {number} on"
            return
        if not same or link.payload_hash != payload_digest(fact.payload):
            yield f"link {number} of the trial ledger is not that of fact {fact.seq}"
            return
        previous = digest
    if len(links) != len(facts):
        yield f"the trial ledger has {len(links)} links for {len(facts)} facts"


def _rows(store: Store, facts: list[Any]) -> Iterator[str]:
    """Every row against its fact. What a table has and no fact tells of was put there by hand."""
    with store.reading() as connection:
        for kind, table, named, text in _KINDS:
            told = dict(_told(kind, fact) for fact in facts if fact.kind == kind)
            found = {named(row): text(row) for row in connection.execute(select(table))}
            for name, payload in found.items():
                if name not in told:
                    yield f"{table.name}: the row of {name} has no fact in the event log"
                elif payload != told[name]:
                    yield f"{table.name}: the row of {name} differs from its fact in the event log"
            for name in sorted(told.keys() - found.keys()):
                yield f"{table.name}: the row of {name}, of which the event log tells, is gone"
        for row in connection.execute(select(CANDIDATES)):
            if source_hash(StrategySource(code=row.code, skills=row.skills)) != row.source_hash:
                yield f"candidates: the code of {row.candidate_id} is not what its hash names"


def _told(kind: str, fact: Any) -> tuple[str, str]:
    """The name of a fact's row, and what that row has to say."""
    payload = json.loads(fact.payload)
    match kind:
        case "candidate":
            return str(payload["candidate"]), fact.payload
        case "vault_look":
            return str(payload["candidate"]), utc_text(fact.at)
        case "segments":
            return str(payload["quarter"]), fact.payload
        case _:
            return f"fact {fact.seq}", fact.payload


def _candidate_text(row: Any) -> str:
    names = ("source_hash", "provider", "parent_version", "hypothesis", "seed", "parameters", "prompt_hash", "searched")
    return canonical({"candidate": row.candidate_id, "night": row.night, **{name: getattr(row, name) for name in names}})


def _stage_text(row: Any) -> str:
    names = ("stage", "passed", "reasons", "inputs")
    return canonical({"candidate": row.candidate_id, **{name: getattr(row, name) for name in names}})


def _look_text(row: Any) -> str:
    return canonical(
        {"quarter": row.quarter, "candidate": row.candidate_id, "free": row.free, "repairs": row.repairs}
    )


def _split_text(row: Any) -> str:
    names = ("quarter", "search_start", "selection_start", "vault_start", "vault_end")
    return canonical({name: getattr(row, name) for name in names})


def _by_fact(row: Any) -> str:
    return f"fact {row.seq}"


# Kind of fact, its table, the name of a row, and what the row has to say.
_KINDS: tuple[tuple[str, Table, Callable[[Any], str], Callable[[Any], str]], ...] = (
    ("candidate", CANDIDATES, lambda row: str(row.candidate_id), _candidate_text),
    ("stage", STAGES, _by_fact, _stage_text),
    ("score", SCORES, _by_fact, lambda row: canonical(score_fact(score_of(row)))),
    ("searches", SEARCHES, _by_fact, lambda row: canonical({"candidate": row.candidate_id, "looks": row.looks})),
    ("selection_look", SELECTION_LOOKS, _by_fact, _look_text),
    ("vault_look", VAULT_LOOKS, lambda row: str(row.candidate_id), lambda row: utc_text(row.at)),
    ("segments", SPLITS, lambda row: str(row.quarter), _split_text),
)
