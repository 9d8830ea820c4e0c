"""The strategy document: read it, and add a dated note of the night, under a limit of words."""

from __future__ import annotations

import re

from prefect import task

from tasks.client import ShellClient
from tasks.context import client
from tasks.night import NightRecord
from tasks.policy import READ, WRITE
from tasks.wording import next_step, one_line, outcome_line, settlement_line

WORDS_MAX = 2_000
HEADING = "## Night notes"
_NOTE = re.compile(r"^### (\d{4}-\d{2}-\d{2})$", re.MULTILINE)


def with_note(document: str, night: str, note: str, words_max: int = WORDS_MAX) -> str:
    """`document` with the note of `night` in place, oldest notes dropped until it has fewer than `words_max` words.

    What stands above the notes is its author's and stays. A second note of the same night replaces the first.
    """
    body, notes = split_notes(document)
    notes[night] = note.strip()
    nights = sorted(notes)
    while nights and words(_joined(body, notes, nights)) >= words_max:
        nights = nights[1:]
    return _joined(body, notes, nights)


def split_notes(document: str) -> tuple[str, dict[str, str]]:
    """What stands above the night notes, and the notes by night."""
    body, heading, rest = document.partition(HEADING)
    if not heading:
        return document.rstrip(), {}
    parts = _NOTE.split(rest)
    return body.rstrip(), {night: note.strip() for night, note in zip(parts[1::2], parts[2::2], strict=True)}


def words(text: str) -> int:
    return len(text.split())


def night_note(record: NightRecord) -> str:
    """What was tried, what came of it, what is next; a few plain lines."""
    lines = [f"- Decision: {record.decision.kind.value}. {one_line('; '.join(record.decision.reasons))}"]
    lines += [f"- {settlement_line(settlement)}" for settlement in record.settlements]
    lines += [f"- Tried: {outcome_line(outcome)}" for outcome in record.outcomes]
    lines.append(f"- Next: {next_step(record)}")
    return "\n".join(lines)


def add_note(shell: ShellClient, record: NightRecord) -> str:
    """Write the note of the night into the document."""
    text = with_note(shell.document(), record.night, night_note(record))
    shell.write_document(text, record.at)
    return text


@task(name="read strategy document", description="What is believed, tried and next.", **READ)
async def read_document() -> str:
    return client().document()


@task(name="update strategy document", description="The night's note, under 2,000 words.", **WRITE)
async def update_document(record: NightRecord) -> str:
    return add_note(client(), record)


def _joined(body: str, notes: dict[str, str], nights: list[str]) -> str:
    if not nights:
        return body + "\n"
    written = "\n\n".join(f"### {night}\n\n{notes[night]}" for night in reversed(nights))
    return f"{body}\n\n{HEADING}\n\n{written}\n"
