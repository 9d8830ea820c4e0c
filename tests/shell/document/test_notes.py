"""Notes of nights under a limit of words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shell.document.notes import NOTES_HEADING, difference, split_notes, with_note, words

BODY = "# Strategy document\n\nTrends last for days."


def test_the_newest_note_stands_first_and_the_authors_text_stays() -> None:
    text = with_note(with_note(BODY, "2024-01-01", "first"), "2024-01-02", "second")
    assert text == f"{BODY}\n\n{NOTES_HEADING}\n\n### 2024-01-02\n\nsecond\n\n### 2024-01-01\n\nfirst\n"


def test_a_second_note_of_a_night_replaces_the_first() -> None:
    text = with_note(with_note(BODY, "2024-01-01", "first"), "2024-01-01", "again")
    assert split_notes(text) == (BODY, {"2024-01-01": "again"})


@given(
    body=st.integers(0, 60), notes=st.lists(st.integers(1, 40), min_size=1, max_size=8), limit=st.integers(70, 120)
)
def test_the_oldest_notes_go_first_when_words_run_out(body: int, notes: list[int], limit: int) -> None:
    text = "word " * body
    for number, length in enumerate(notes):
        text = with_note(text, f"2024-01-{number + 1:02d}", "note " * length, limit)
    kept = sorted(split_notes(text)[1])
    assert words(text) < limit or not kept
    newest = [f"2024-01-{number + 1:02d}" for number in range(len(notes))]
    assert kept == newest[len(newest) - len(kept):]
    assert words(split_notes(text)[0]) == body


def test_the_difference_of_two_versions_shows_what_changed_and_nothing_else() -> None:
    before = with_note(BODY, "2024-01-01", "first")
    after = with_note(before, "2024-01-02", "second")
    lines = difference(before, after)
    assert "+second" in lines and not any(line.startswith("-") for line in lines)
    assert difference(before, before) == ()
