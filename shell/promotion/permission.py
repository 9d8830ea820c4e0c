"""A person's word about a promotion: where one is asked for, nothing is promoted without it, whoever asks the shell.

The question lapses to "no": a candidate that nobody decided about within `approval_expires` is rejected, in nobody's name.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from shell.answers import APPROVED, REJECTED, WAITING
from shell.clock import parse_moment
from shell.config import Settings
from shell.duration import format_duration
from shell.errors import NotNow, Rejected
from shell.store.store import Store
from shell.trials.candidate import Candidate, Stage, Verdict

ASKED_FACT = "approval.asked:"
NOBODY = "nobody in time"


def permission(store: Store, settings: Settings, candidate_id: str, now: datetime) -> str:
    """What people say of this promotion: "approved", "rejected" or "waiting". A "no" counts even where nobody asks."""
    decided = store.approvals.get(candidate_id)
    if decided is not None:
        return APPROVED if decided.approved else REJECTED
    if not settings.asks_approval:
        return APPROVED
    lapses = lapses_at(store, settings, candidate_id)
    if lapses is not None and now >= lapses:
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
                f"{candidate_id} waits for a person: `brain approve {candidate_id}`, or `/approve {candidate_id}` in Telegram; "
                f"without an answer it is refused {within} after the question"
            )
        case "rejected":
            decided = store.approvals.get(candidate_id)
            raise Rejected(f"{candidate_id} was rejected by {decided.by if decided else NOBODY}")
        case _:
            return


def waiting_for_a_person(store: Store, settings: Settings, known: Sequence[Candidate]) -> list[Candidate]:
    """Those of `known` that passed their paper trial and that nobody has decided about; nobody waits where nobody asks."""
    if not settings.asks_approval:
        return []
    return [each for each in known if _asked_about(each) and store.approvals.get(each.candidate_id) is None]


def lapses_at(store: Store, settings: Settings, candidate_id: str) -> datetime | None:
    """When the question about this candidate becomes a no by itself; None while nobody was asked."""
    asked = store.facts.get(ASKED_FACT + candidate_id)
    return None if asked is None else parse_moment(str(asked)) + settings.orchestrator.approval_expires


def unanswered(store: Store) -> list[str]:
    """The candidates that people were asked about and have not decided on, oldest first."""
    return [
        each.candidate_id for each in store.candidates.list()
        if _asked_about(each) and store.approvals.get(each.candidate_id) is None
        and store.facts.get(ASKED_FACT + each.candidate_id) is not None
    ]


def require_pending(candidate: Candidate) -> Candidate:
    """The candidate. Raises NotNow for one that has ended: nobody need decide about it."""
    if candidate.verdict is not Verdict.PENDING:
        raise NotNow(f"{candidate.candidate_id} has ended already: it is {candidate.verdict.value}")
    return candidate


def decide(store: Store, settings: Settings, candidate_id: str, approved: bool, by: str, now: datetime) -> str:
    """Record a person's word about a candidate; what follows from it, as a sentence. Whoever writes the database calls this.

    Raises Rejected for a candidate that is unknown, NotNow for one that has ended.
    """
    candidate = require_pending(store.candidates.get(candidate_id))
    store.approvals.decide(candidate_id, approved, by, now)
    if approved and not settings.asks_approval:
        return 'recorded, though nobody asks: [orchestrator] approval is "auto", or empty in paper mode'
    done = "promoted" if approved else "refused"
    if not _asked_about(candidate):
        return f"recorded: it is {done} once it has passed its paper trial, and nobody is asked again"
    return f"it is {done} within a quarter of an hour, on the next night at the latest"


def _asked_about(candidate: Candidate) -> bool:
    """Whether it passed its paper trial, which is the last thing before a person's word."""
    return candidate.verdict is Verdict.PENDING and candidate.stage is Stage.PAPER and candidate.stages[-1].passed
