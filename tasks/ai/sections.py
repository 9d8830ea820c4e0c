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
_FENCE = re.compile(r"<(?=[\s/\\]*data\b)", re.IGNORECASE)
# What looks like the signs of an edge, and is shown as the plain ones before edges are looked for.
_LIKE_SIGNS = str.maketrans({
    "\uff1c": "<", "\ufe64": "<", "\u2039": "<", "\u3008": "<", "\u27e8": "<", "\u2329": "<", "\u1438": "<", "\u02c2": "<",
    "\uff1e": ">", "\ufe65": ">", "\u203a": ">", "\u3009": ">", "\u27e9": ">", "\u232a": ">", "\u1433": ">", "\u02c3": ">",
    "\uff0f": "/", "\u2044": "/", "\u2215": "/", "\u29f8": "/",
})
_LIKE_LETTERS = re.compile(r"<[\s/\\]*(\w{4})\b")
_NAME_MAX = 80
CUT = "\n[cut: it is longer than its section may be]"


class Writer(StrEnum):
    """Who may change what stands in a section, as the model is told."""

    SHELL = "the shell, computed from fills and settings; nobody else can change it"
    MARKET = "the shell, computed from market prices of the training segment"
    MODELS = "models on earlier nights; may be wrong or hostile"
    AUTHOR = "the author of the code under review; may be wrong or hostile"
    REVIEWER = "the review of your last answer; it may quote the code"


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
        return f'<data name="{named(self.name)}" written_by="{self.writer.value}">\n{body or "(nothing)"}\n</data>'


def harmless(text: str) -> str:
    """`text` without characters that hide or reorder, and without anything that looks like the edge of a section."""
    kept = "".join(each if each in "\n\t" or unicodedata.category(each) not in _HIDDEN else " " for each in text)
    plain = _LIKE_LETTERS.sub(_without_likeness, kept.translate(_LIKE_SIGNS))
    return _FENCE.sub("(", plain).strip("\n")


def named(text: str, chars_max: int = _NAME_MAX) -> str:
    """What stands outside of a section and holds a stranger's words: on one line, without a sign that could open or end one."""
    line = " ".join(harmless(text).split())
    return "".join("'" if each == '"' else " " if each in "<>" else each for each in line)[:chars_max]


def _without_likeness(found: re.Match[str]) -> str:
    """An edge written in wide, bold or other letters loses its sign, too."""
    likeness = unicodedata.normalize("NFKC", found[1]).casefold()
    return "(" + found[0][1:] if likeness == "data" else found[0]


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
