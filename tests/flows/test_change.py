"""What a candidate changes is shown as a difference that no code inside can break out of."""

from __future__ import annotations

from flows.change import LINES_MAX, change_text
from shell.host.port import StrategySource


def source(code: str, **skills: str) -> StrategySource:
    return StrategySource(code=code, skills=skills)


def test_changed_lines_of_every_file_are_shown_under_both_names() -> None:
    text = change_text(source("a = 1\n", trend="x = 1\n"), source("a = 2\n", trend="x = 1\n", calm="y = 1\n"), "v001", "c0007")
    assert text.splitlines()[:3] == ["```diff", "--- v001/strategy.py", "+++ c0007/strategy.py"]
    assert "-a = 1" in text
    assert "+a = 2" in text
    assert "+++ c0007/skills/calm.py" in text
    assert "trend" not in text
    assert change_text(source("a = 1"), source("a = 1"), "v001", "c0007") == "The same code as v001."


def test_code_with_backticks_does_not_end_the_block_and_a_long_change_is_cut() -> None:
    text = change_text(source(""), source("# ````\n# [x](http://bad)"), "v001", "c0007")
    assert text.startswith("```````diff")
    assert text.endswith("\n```````")
    long = change_text(source(""), source("\n".join(f"a = {each}" for each in range(2 * LINES_MAX))), "v001", "c0007")
    assert "more lines" in long.splitlines()[-2]
