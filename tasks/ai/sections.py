"""Data sections of a prompt: who may have written what, fenced so that no text inside can end its section or hide anything."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from shell.syntax import parse_source

# Unicode categories that hide or reorder text: controls, formats (bidi, zero-width), surrogates, private use, unassigned.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_FENCE = re.compile(r"<(?=\s*/?\s*data\b)", re.IGNORECASE)
CUT = "\n[cut: it is longer than its section may be]"


class Writer(StrEnum):
    """Who may change what stands in a section, as the model is told."""

    SHELL = "the shell, computed from fills and settings; nobody else can change it"
    MARKET = "the shell, computed from market prices of the training segment"
    MODELS = "models on earlier nights; may be wrong or hostile"
    AUTHOR = "the author of the code under review; may be wrong or hostile"
    REVIEWER = "the review of your last answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One piece of data. It never holds more than `chars_max` characters of text."""

    name: str
    writer: Writer
    text: str
    chars_max: int = 20_000

    def __str__(self) -> str:
        body = harmless(self.text)
        if len(body) > self.chars_max:
            body = body[: self.chars_max] + CUT
        return f'<data name="{self.name}" written_by="{self.writer.value}">\n{body or "(nothing)"}\n</data>'


def harmless(text: str) -> str:
    """`text` without characters that hide or reorder, and without anything that looks like the edge of a section."""
    kept = "".join(each if each in "\n\t" or unicodedata.category(each) not in _HIDDEN else " " for each in text)
    return _FENCE.sub("(", kept).strip("\n")


def without_comments(code: str) -> str:
    """`code` with comments and docstrings blanked out, every line where it was. Raises SyntaxError for what does not parse."""
    # Python's own line ends alone: splitlines would split at form feeds as well, and lines would no longer match.
    code = code.replace("\r\n", "\n").replace("\r", "\n")
    lines = [*(line + "\n" for line in code.split("\n")), ""]
    cuts: list[tuple[tuple[int, int], tuple[int, int], str]] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(code).readline):
            if token.type == tokenize.COMMENT:
                cuts.append((token.start, token.end, ""))
    except tokenize.TokenError as error:
        raise SyntaxError(str(error)) from None
    for node in ast.walk(parse_source(code)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            cuts.append((_place(lines, node.lineno, node.col_offset), _end(lines, node), "..."))
    for start, end, instead in sorted(cuts, reverse=True):
        _cut(lines, start, end, instead)
    return "".join(lines).removesuffix("\n")


def _place(lines: list[str], line: int, offset: int) -> tuple[int, int]:
    """(line, column in characters) of a syntax tree's offset in UTF-8 bytes."""
    return line, len(lines[line - 1].encode()[:offset].decode())


def _end(lines: list[str], node: ast.Expr) -> tuple[int, int]:
    assert node.end_lineno is not None, "parsed from text"
    assert node.end_col_offset is not None, "parsed from text"
    return _place(lines, node.end_lineno, node.end_col_offset)


def _cut(lines: list[str], start: tuple[int, int], end: tuple[int, int], instead: str) -> None:
    first, last = start[0] - 1, end[0] - 1
    before, after = lines[first][: start[1]], lines[last][end[1] :]
    if first == last:
        lines[first] = before + instead + after
        return
    lines[first] = before + instead + "\n"
    for between in range(first + 1, last):
        lines[between] = "\n"
    lines[last] = after if after.strip() else "\n"
