"""The form on which a person says yes or no to a candidate: shown by its suspended run, answered once.

The shell's record is the truth. An answer on the form is handed to it; one that came by Telegram answers the form.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

from prefect.flow_runs import asuspend_flow_run
from prefect.input import RunInput
from pydantic import Field, ValidationError

from shell.errors import Rejected
from tasks.context import client
from tasks.evolve import Life, heed_answer
from tasks.wording import cell, one_line

RECORD = "the shell's record"
NAME_MAX = 60
# Beyond the shell's own end of the question, after which its "no" answers the form.
GRACE = timedelta(days=1)
QUESTIONS_MAX = 20


class Approval(RunInput):
    """A person's word about one candidate."""

    approve: bool = Field(title="Promote it?", description="Yes makes it the active strategy; no ends the candidate.")
    by: str = Field(
        title="Your name", description="Who decides, as it is recorded.", min_length=1, max_length=NAME_MAX,
    )


def answer_for(approved: bool) -> dict[str, Any]:
    """The form as the shell's record fills it in."""
    return {"approve": approved, "by": RECORD}


async def ask_on_the_form(life: Life) -> None:
    """Suspend this run until somebody has answered; once answered, hand the answer to the shell.

    A question that was answered before and did not reach the shell (its run was killed then) is read again. Raises Rejected
    when the shell takes no answer.
    """
    shell = client()
    candidate = shell.candidate(life.candidate_id)
    settings = shell.settings()
    paper = cell("; ".join(candidate.reasons))
    form = Approval.with_initial_data(
        description=f"**{life.candidate_id}** by {cell(candidate.proposal.provider)}: {cell(candidate.proposal.hypothesis)}\n\n"
        f"Its paper trial: {paper}\n\nWithout an answer it is refused.",
    )
    seconds = int((settings.orchestrator.approval_expires + GRACE).total_seconds())
    if not settings.form_counts:
        await asuspend_flow_run(timeout=seconds, key=f"word-{uuid4().hex}")
        return
    for number in range(1, QUESTIONS_MAX + 1):
        try:
            said = await asuspend_flow_run(form, timeout=seconds, key=f"approval-{number}")
        except ValidationError:
            # This question has no answer: its run was ended and begun again. The next one is asked.
            continue
        await heed_answer(life.candidate_id, said.approve, f"{one_line(said.by, NAME_MAX)} on Prefect's page", life.at)
        return
    raise Rejected(f"{life.candidate_id} was asked about {QUESTIONS_MAX} times without an answer")
