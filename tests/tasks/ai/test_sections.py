"""No text inside a section can end it, hide in it, or grow beyond it; comments are gone and lines stay where they were."""

from __future__ import annotations

import ast
import re

from hypothesis import given
from hypothesis import strategies as st

from tasks.ai.sections import Section, Writer, harmless, without_comments

FENCES = st.sampled_from(["<data", "</data>", "< / data >", "<DATA name='x'>", "\u202e", "\u200b", "\0", "<d", "ata>", "x", "\n", "<"])


@given(st.lists(st.one_of(FENCES, st.text(max_size=5)), max_size=20).map("".join))
def test_a_section_has_one_beginning_and_one_end(text: str) -> None:
    shown = str(Section(name="n", writer=Writer.MODELS, text=text))
    assert len(re.findall(r"<\s*data\b", shown, re.IGNORECASE)) == 1
    assert len(re.findall(r"<\s*/\s*data\b", shown, re.IGNORECASE)) == 1
    assert shown.endswith("\n</data>")
    assert not any(mark in shown for mark in "\u202e\u200b\0")
    assert harmless(harmless(text)) == harmless(text)


def test_a_section_is_cut_where_it_may_not_go_on() -> None:
    shown = str(Section(name="n", writer=Writer.SHELL, text="x" * 500, chars_max=100))
    assert shown.count("x") == 100
    assert "[cut:" in shown


CODE = '''"""A docstring
over lines."""
import math  # a comment


def f(x):
    """One "line"."""
    s = "# not a comment"  # ä comment
    return s + \'\'\'kept
as it is\'\'\'


class A:
    """Only this."""
'''


def test_comments_and_docstrings_go_and_lines_stay() -> None:
    bare = without_comments(CODE)
    assert "comment\n" not in bare.replace('"# not a comment"', "")
    assert "docstring" not in bare
    assert "Only this" not in bare
    assert '"# not a comment"' in bare
    assert bare.count("\n") == CODE.count("\n")
    before = {node.name: node.lineno for node in ast.walk(ast.parse(CODE)) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    after = {node.name: node.lineno for node in ast.walk(ast.parse(bare)) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    assert before == after


@given(st.text(alphabet="a=1#\"'\n ä\x0c\\", max_size=40))
def test_whatever_parses_still_parses_without_comments(code: str) -> None:
    try:
        ast.parse(code)
    except (SyntaxError, ValueError):
        return
    ast.parse(without_comments(code))
