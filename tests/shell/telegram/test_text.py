"""Answers fit Telegram and a phone: escaped, paged at lines, pages whole in themselves."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from shell.telegram.text import PAGE_CHARACTERS_MAX, PAGES_MAX, bold, duration, facts, pages, plain, pre
from tests.shell.report.sample import HOSTILE
from tests.shell.telegram.bot_server import _require_html


@given(st.lists(st.one_of(st.text(max_size=300).map(plain), st.lists(st.text(max_size=40), max_size=60).map(pre), st.text(max_size=60).map(bold)), max_size=60))
@settings(max_examples=30)
def test_any_answer_is_cut_into_messages_telegram_takes(parts: list[str]) -> None:
    cut = pages("\n".join(parts))
    assert len(cut) <= PAGES_MAX
    for page in cut:
        assert len(page) <= PAGE_CHARACTERS_MAX + 100
        _require_html(page)


def test_pages_are_numbered_lose_nothing_and_say_where_the_rest_is() -> None:
    lines = [f"line {number}" for number in range(1_000)]
    cut = pages(pre(lines))
    assert cut[0].startswith(f"(1/{len(cut)})\n<pre>line 0\n")
    assert re.findall(r"line \d+", "\n".join(cut)) == lines
    assert pages("short") == ["short"]
    long = pages(pre([f"line {number}" for number in range(10_000)]))
    assert len(long) == PAGES_MAX
    assert "/report" in long[-1]


def test_hostile_text_is_shown_and_not_obeyed() -> None:
    for html in (plain(HOSTILE), bold(HOSTILE), pre([HOSTILE]), facts([("name", HOSTILE)])):
        _require_html(html)
        assert "<script" not in html


def test_lengths_of_time_read_well() -> None:
    assert [duration(seconds) for seconds in (5, 60, 3_599, 3_600, 12_000, 86_400, 187_200)] == [
        "5 s", "1 min", "59 min", "1 h", "3 h 20 min", "1 d", "2 d 4 h",
    ]
