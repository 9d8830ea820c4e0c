"""Quarantine: code that tried what honest code never does never runs again, under no name (design 4, 5).

The code is marked first, which holds whatever happens next; then the active version, if it was that, gives way to the newest
good one before it. A crash between the two is mended at start-up (`shell.promotion.swap.recover`).
"""

from __future__ import annotations

from datetime import datetime

from shell.answers import Promotion
from shell.promotion.swap import roll_back
from shell.promotion.trials import PaperTrials
from shell.promotion.workspace import Workspace
from shell.store.store import Store
from shell.trials.candidate import Stage, StageResult, Verdict


def mark(store: Store, trials: PaperTrials, hash: str, name: str, sentence: str, now: datetime) -> bool:
    """Put code into quarantine; its trials end, and every candidate that consists of it. True the first time."""
    with store.transaction():
        first = store.strategies.quarantine(hash, name, sentence, now)
        found = store.strategies.quarantine_of(hash)
        trials.expel(hash, str(found), now)
        for candidate in store.candidates.list():
            if candidate.source_hash == hash and candidate.verdict is Verdict.PENDING:
                stage = StageResult(stage=Stage.PROMOTE, passed=False, reasons=(str(found),), inputs={"quarantine": hash})
                store.candidates.record_stage(candidate.candidate_id, stage, now)
    return first


def replace_active(store: Store, workspace: Workspace, now: datetime) -> Promotion | None:
    """Take code in quarantine off the active seat; None when it does not sit there.

    Raises NotNow when it is the floor, Rejected when the floor below it is in quarantine as well.
    """
    found = store.strategies.quarantine_of(store.strategies.active().hash)
    return None if found is None else roll_back(store, workspace, f"quarantine: {found.sentence}", now)
