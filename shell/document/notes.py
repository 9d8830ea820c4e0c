"""The document as text: what its author wrote, what is remembered of earlier quarters, and a dated note a night. Pure."""

from __future__ import annotations

import difflib
import re

WORDS_MAX = 2_000
NOTES_HEADING = "## Night notes"
_NOTE = re.compile(r"^### (\d{4}-\d{2}-\d{2})$", re.MULTILINE)


def words(text: str) -> int:
    return len(text.split())


def with_note(document: str, night: str, note: str, words_max: int = WORDS_MAX) -> str:
    """`document` with the note of `night` in place, oldest notes dropped until it has fewer than `words_max` words.

    What stands above the notes is its author's and stays. A second note of the same night replaces the first.
    """
    body, notes = split_notes(document)
    notes[night] = note.strip()
    nights = sorted(notes)
    while nights and words(joined(body, {each: notes[each] for each in nights})) >= words_max:
        nights = nights[1:]
    return joined(body, {each: notes[each] for each in nights})


def split_notes(document: str) -> tuple[str, dict[str, str]]:
    """What stands above the night notes, and the notes by night."""
    body, heading, rest = document.partition(NOTES_HEADING)
    if not heading:
        return document.rstrip(), {}
    parts = _NOTE.split(rest)
    return body.rstrip(), {night: note.strip() for night, note in zip(parts[1::2], parts[2::2], strict=True)}


def joined(body: str, notes: dict[str, str]) -> str:
    """The document again, newest note first."""
    if not notes:
        return body.rstrip() + "\n"
    written = "\n\n".join(f"### {night}\n\n{notes[night]}" for night in sorted(notes, reverse=True))
    return f"{body.rstrip()}\n\n{NOTES_HEADING}\n\n{written}\n"


def difference(before: str, after: str, *, context: int = 1) -> tuple[str, ...]:
    """The unified difference of two versions, without its two header lines; empty for the same text."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=context)
    return tuple(lines)[2:]
