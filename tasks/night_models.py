"""What a night's models were asked and what came of it, and the drafts it refused on the way: for the night's report."""

from __future__ import annotations

import re
from collections.abc import Sequence

from shell.model_calls import CallState, ModelCall
from tasks.ai.dialogue import CUT_OFF, FINISHED, REFUSAL
from tasks.client import ShellClient
from tasks.night import CandidateOutcome, NightRecord
from tasks.outcome import outcome_of
from tasks.wording import one_line

_STATES = {
    CallState.RESERVED: "cut short; counted as reserved", CallState.FREE: "refused before any work",
    CallState.LOST: "no answer; counted as reserved",
}
_STOPS = {CUT_OFF: "cut off at its length", REFUSAL: "it refused to answer"}
_SLOT = re.compile(r"(decide|generate:(\d+):(\d+)|review:(\w+))((?:\.\w+)*)\Z")
ERROR_SHOWN = 120
HASH_SHOWN = 8


def call_rows(calls: Sequence[ModelCall]) -> list[list[str]]:
    """Question, model, tokens in and out, dollars, and what came of it, in the order they were asked."""
    rows = []
    for call in calls:
        used = call.usage
        tokens = ("", "") if used is None else (f"{used.read_tokens:,}", f"{used.output_tokens:,}")
        rows.append([question_of(call.asked.slot), call.asked.model, *tokens, f"{call.counted_usd:.4f}", _came_of(call)])
    return rows


def question_of(slot: str) -> str:
    """A question's place in the night, in words; the place itself where it is none that is known."""
    found = _SLOT.match(slot)
    if found is None:
        return one_line(slot)
    if found[2] is not None:
        words = f"write candidate {int(found[2]) + 1}, text {int(found[3]) + 1}"
    elif found[4] is not None:
        words = f"review {found[4][:HASH_SHOWN]}"
    else:
        words = "judge the night"
    more = {".repair": ", form mended", ".more": ", gone on"}
    return words + "".join(more.get(f".{part}", f", {part}") for part in found[5].split(".")[1:])


def drafts_of(shell: ShellClient, record: NightRecord) -> tuple[CandidateOutcome, ...]:
    """Tonight's candidates that gave way to a revision: each is in the ledger, none is where its life ended."""
    ended = {outcome.candidate_id for outcome in record.outcomes}
    return tuple(
        outcome_of(each, 0) for each in shell.candidates()
        if each.proposed_at == record.at and each.candidate_id not in ended and each.stages
    )


def _came_of(call: ModelCall) -> str:
    if call.state is not CallState.ANSWERED:
        why = f": {one_line(call.error, ERROR_SHOWN)}" if call.error else ""
        return f"{_STATES[call.state]}{why}"
    stop = str((call.reply or {}).get("stop_reason", ""))
    return "answered" if stop in FINISHED else _STOPS.get(stop, f"stopped with {one_line(stop, 40)}")
