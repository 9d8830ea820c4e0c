"""The facts about one candidate, as the trial ledger has them: what a promotion rests on, and what a certificate hands out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shell.store.store import Store
from shell.store.trial_chain import LEDGER_KINDS
from shell.store.types import utc_text
from shell.trials.candidate import Stage


class Broken(Exception):
    """Ends a check of evidence at the first thing that does not hold; its text says what."""


def require(holds: bool, otherwise: str) -> None:
    """Raises Broken with `otherwise` unless it holds."""
    if not holds:
        raise Broken(otherwise)


@dataclass(slots=True)
class Dossier:
    """`links` are the ledger's, in order, each with its `seq`, `kind` and `at`; `facts` the payloads known, by `seq`."""

    links: Sequence[Mapping[str, Any]]
    facts: dict[int, Mapping[str, Any]]
    candidate_id: str = ""

    def own(self, kind: str) -> list[tuple[int, Mapping[str, Any]]]:
        """This candidate's facts of one kind, with their numbers, in order."""
        name = "candidate_id" if kind == "score" else "candidate"
        return [
            (int(link["seq"]), self.facts[int(link["seq"])]) for link in self.links
            if link["kind"] == kind and self.facts.get(int(link["seq"]), {}).get(name) == self.candidate_id
        ]

    def stage(self, stage: Stage) -> tuple[int, Mapping[str, Any]]:
        """Number and fact of a stage it passed. Raises Broken unless there is exactly one, and it passed."""
        found = [(seq, fact) for seq, fact in self.own("stage") if fact["stage"] == stage.value]
        require(len(found) == 1 and found[0][1]["passed"] is True, f"the ledger holds no passed {stage.value} stage of it")
        return found[0]


def dossier_of(store: Store, candidate_id: str) -> Dossier:
    """What the store's trial ledger holds for one candidate: all of it but the stages of others, which are most of its bytes
    and no evidence of this one (`Dossier.own`)."""
    kept = (event for kind in LEDGER_KINDS - {"stage"} for event in store.events.rows(kind=kind))
    stages = store.events.rows(kind="stage", naming=candidate_id)
    events = sorted((*kept, *stages), key=lambda event: event.seq)
    return Dossier(
        links=[{"seq": event.seq, "kind": event.kind, "at": utc_text(event.at)} for event in events],
        facts={event.seq: event.payload for event in events}, candidate_id=candidate_id,
    )
