"""A person's word about a promotion: where one is asked for, nothing is promoted without it, whoever asks the shell.

The question lapses to "no": a candidate that nobody decided about within `approval_expires` is rejected, in nobody's name.
"""

from __future__ import annotations

from datetime import datetime

from shell.answers import APPROVED, REJECTED, WAITING
from shell.clock import parse_moment
from shell.config import Settings
from shell.duration import format_duration
from shell.errors import NotNow, Rejected
from shell.store.store import Store

ASKED_FACT = "approval.asked:"
NOBODY = "nobody in time"


def permission(store: Store, settings: Settings, candidate_id: str, now: datetime) -> str:
    """What people say of this promotion: "approved", "rejected" or "waiting". A "no" counts even where nobody asks."""
    decided = store.approvals.get(candidate_id)
    if decided is not None:
        return APPROVED if decided.approved else REJECTED
    if not settings.asks_approval:
        return APPROVED
    asked = store.facts.get(ASKED_FACT + candidate_id)
    if asked is not None and now - parse_moment(str(asked)) >= settings.orchestrator.approval_expires:
        store.approvals.decide(candidate_id, False, NOBODY, now)
        return REJECTED
    return WAITING


def note_question(store: Store, candidate_id: str, now: datetime) -> None:
    """People are asked from now on; the first question's time is what its end is counted from."""
    store.facts.once(ASKED_FACT + candidate_id, now.isoformat(), now)


def require_permission(store: Store, settings: Settings, candidate_id: str, now: datetime) -> None:
    """Raises NotNow while a person has to decide, Rejected when one has said no or the question has lapsed."""
    match permission(store, settings, candidate_id, now):
        case "waiting":
            within = format_duration(settings.orchestrator.approval_expires)
            raise NotNow(
                f"{candidate_id} waits for a person: `/approve {candidate_id}` in Telegram; "
                f"without an answer it is refused {within} after the question"
            )
        case "rejected":
            decided = store.approvals.get(candidate_id)
            raise Rejected(f"{candidate_id} was rejected by {decided.by if decided else NOBODY}")
        case _:
            return
