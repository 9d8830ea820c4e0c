"""Which ended trials a night has still to tell of: a candidate's own run may judge one between two nights."""

from __future__ import annotations

from collections.abc import Sequence

from shell.answers import PaperTrial
from shell.promotion.trials import OPEN_STATES
from shell.store.store import Store


def untold(store: Store, night: str) -> Sequence[PaperTrial]:
    """Trials that have ended and are in no recorded night but `night` itself, which may be repeated; oldest first."""
    told = {
        each["trial"] for kept in store.nights.list() if kept.night != night for each in kept.decision.get("settled", ())
    }
    return [trial for trial in store.paper.list() if trial.state not in OPEN_STATES and trial.trial_id not in told]
