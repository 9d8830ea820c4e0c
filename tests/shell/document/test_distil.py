"""The quarterly distillation: notes go, their line comes, principles stay."""

from __future__ import annotations

from datetime import date

from shell.document.distil import QUARTERS_KEPT, PeriodFacts, Tried, before, distilled, line_of, quarter_of, yearly
from shell.document.notes import split_notes, with_note
from shell.document.rules import faults_of

BODY = "# Strategy document\n\n## What is believed\n\nFees decide.\n\n## What is next\n\n- Slower averages."
FACTS = PeriodFacts(
    name="2026-Q3", nights=92, result_pct=-0.0123, trades=14, fees="31.20",
    tried=[
        Tried(name="c0001", provider="local", hypothesis="slower", failed_at="deflated_sharpe"),
        Tried(name="c0002", provider="local", hypothesis="wider", failed_at="deflated_sharpe"),
        Tried(name="c0003", provider="anthropic", hypothesis="calm", failed_at="", promoted_as="v002"),
    ],
)


def test_quarters_follow_the_calendar() -> None:
    assert quarter_of(date(2026, 9, 30)) == "2026-Q3"
    assert (before(date(2026, 10, 1)), before(date(2026, 1, 15))) == ("2026-Q3", "2025-Q4")


def test_notes_of_the_quarter_become_its_line_and_the_rest_stays() -> None:
    document = with_note(with_note(with_note(BODY, "2026-06-30", "old"), "2026-09-30", "last"), "2026-10-02", "new")
    text = distilled(document, FACTS)
    body, notes = split_notes(text)
    assert notes == {"2026-10-02": "new"}
    assert body.startswith(BODY)
    assert (
        "- 2026-Q3: 92 nights, 3 candidates; refused: deflated_sharpe 2; promoted: v002; account -1.23 % in 14 trades, "
        "fees 31.20."
    ) in body
    assert distilled(text, FACTS) == text
    assert faults_of(text) == ()


def test_only_the_newest_quarters_keep_their_line() -> None:
    text = BODY
    for number in range(7):
        text = distilled(text, PeriodFacts(name=f"{2024 + number // 4}-Q{number % 4 + 1}", nights=1))
    assert text.count("- 20") == QUARTERS_KEPT
    assert "2025-Q3" in text and "2024-Q3" not in text
    assert text.startswith(BODY)


def test_a_year_tells_what_was_promoted_and_what_refused_the_rest() -> None:
    text = yearly(2026, FACTS, [FACTS])
    assert "- v002 from c0003 by anthropic" in text
    assert "- deflated_sharpe: 2 candidates by local" in text
    assert yearly(2026, PeriodFacts(name="2026", nights=0), []).count("Nothing.") == 2


def test_a_quiet_quarter_says_so() -> None:
    assert line_of(PeriodFacts(name="2026-Q3", nights=1)) == "- 2026-Q3: 1 night, 0 candidates; promoted: none."
