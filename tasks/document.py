"""The strategy document: read it, and add a dated note of the night, under a limit of words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from prefect import task

from shell.document.notes import with_note
from shell.errors import Rejected
from tasks.client import ShellClient
from tasks.context import client
from tasks.night import NightRecord
from tasks.policy import READ, WRITE
from tasks.wording import next_step, one_line, outcome_line, settlement_line


def night_note(record: NightRecord) -> str:
    """What was tried, what came of it, what is next; a few plain lines."""
    lines = [f"- Decision: {record.decision.kind.value}. {one_line('; '.join(record.decision.reasons))}"]
    lines += [f"- {settlement_line(settlement)}" for settlement in record.settlements]
    lines += [f"- Tried: {outcome_line(outcome)}" for outcome in record.outcomes]
    lines.append(f"- Next: {next_step(record)}")
    return "\n".join(lines)


def plain_note(record: NightRecord) -> str:
    """The same without a word that a proposal brought along: for a night whose texts the document may not hold."""
    lines = [f"- Decision: {record.decision.kind.value}."]
    lines += [
        f"- Tried: {outcome.candidate_id or 'no candidate'}, {outcome.verdict} at {outcome.stage}; its texts are withheld."
        for outcome in record.outcomes
    ]
    return "\n".join(lines)


def add_note(shell: ShellClient, record: NightRecord) -> str:
    """Write the note of the night into the document, without the proposals' own words where those may not stand there.

    A document that a person left in such a state that nothing may be written into it stays as it is; the shell has said so.
    """
    document = shell.document()
    for note in (night_note(record), plain_note(record)):
        text = with_note(document, record.night, note)
        try:
            shell.write_document(text, record.at)
        except Rejected:
            continue
        return text
    return document


@task(name="read strategy document", description="What is believed, tried and next.", **READ)
async def read_document() -> str:
    return client().document()


@task(name="update strategy document", description="The night's note, under 2,000 words.", **WRITE)
async def update_document(record: NightRecord) -> str:
    return add_note(client(), record)


@task(name="distil strategy document", description="One line for the quarter that is over; principles stay.", **WRITE)
async def distil_document(now: datetime) -> Mapping[str, Any]:
    return client().distil(now)
