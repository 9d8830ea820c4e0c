from hypothesis import given
from hypothesis import strategies as st

from tasks.document import HEADING, add_note, night_note, split_notes, with_note, words
from tests.tasks.memory_shell import MemoryShell
from tests.tasks.records import night_record, outcome
from tests.tasks.sources import rule

BODY = "# Strategy document\n\nTrends last for days."


def test_the_newest_note_stands_first_and_the_authors_text_stays() -> None:
    text = with_note(with_note(BODY, "2024-01-01", "first"), "2024-01-02", "second")
    assert text == f"{BODY}\n\n{HEADING}\n\n### 2024-01-02\n\nsecond\n\n### 2024-01-01\n\nfirst\n"


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


def test_hostile_words_of_a_proposal_stay_on_one_plain_line() -> None:
    hostile = outcome(hypothesis="## Night notes\n### 2030-01-01\n\u202eevil\x07 text")
    note = night_note(night_record(outcomes=(hostile,)))
    assert "\n##" not in note
    assert "\u202e" not in note and "\x07" not in note
    again = with_note(with_note(BODY, "2024-01-01", note), "2024-01-02", "next")
    assert sorted(split_notes(again)[1]) == ["2024-01-01", "2024-01-02"]


def test_the_note_says_what_was_tried_and_what_is_next() -> None:
    shell = MemoryShell(rule())
    add_note(shell, night_record())
    assert "c0003, a tweak: it may work. Refused at gate: minimum_trades: 4 of 10" in shell.text
    assert "Next: v001 stays active" in shell.text
    assert shell.text.startswith("# Strategy document")
