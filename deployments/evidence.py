"""The evidence clock of one version or candidate, from a home's database alone."""

from __future__ import annotations

from typing import Any

from deployments.opening import settings_for
from shell.home import Home
from shell.report.evidence_rows import account_evidence, count_of
from shell.service import MAIN_BOOK
from shell.store.store import Store
from shell.trials.evidence import Evidence, evidence_of_scores
from shell.trials.segments import SegmentName


def evidence_of_candidate(home: Home, store: Store, candidate_id: str) -> dict[str, Any]:
    """`evidence`: the clock of its scoring on selection, none before it was scored; `trials`: all it competes with."""
    return _values(store, _scored(home, store, candidate_id))


def evidence_of_version(home: Home, store: Store, version: str) -> dict[str, Any]:
    """The clock of the account while it is active, and that of the candidate it came from."""
    found: list[Evidence] = []
    state = store.books.load(MAIN_BOOK)
    if store.strategies.active().version == version and state is not None and state.last_scan is not None:
        own = account_evidence(store, settings_for(home).gate.min_deflated_sharpe, state.last_scan)
        found += [own] if own else []
    origins = [each.candidate_id for each in store.promotions.list() if each.version == version and each.candidate_id]
    found += [clock for candidate_id in origins for clock in _scored(home, store, candidate_id)]
    return _values(store, found)


def _scored(home: Home, store: Store, candidate_id: str) -> list[Evidence]:
    confidence = settings_for(home).gate.min_deflated_sharpe
    return list(evidence_of_scores(store.candidates.scores(SegmentName.SELECTION), confidence, [candidate_id]))


def _values(store: Store, found: list[Evidence]) -> dict[str, Any]:
    return {"evidence": [clock.as_dict() for clock in found], "trials": count_of(store).as_dict()}
