"""What may never stand in the strategy document, checked by rules alone.

The document is written by the cycle and read by a model every night, so one poisoned sentence would be read again for ever.
A text with any of these is refused and the old one stays: too many words; characters that hide; addresses and embedded
files; blobs nobody can read; the marks by which a chat tells its speakers apart; sentences that tell a reader what to do with
its rules; anything shaped like a key. The rules know patterns, not meaning: they are a filter, and what a model writes
decides nothing by itself (D4).
"""

from __future__ import annotations

import re
import unicodedata

from shell.document.notes import WORDS_MAX, words

# Controls but for line ends and tabs, formats (bidi, zero width), surrogates, private use, unassigned.
_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn")
_VISIBLE_CONTROLS = "\n\r\t"
CHARACTERS_MAX = 40_000
# A run this long without a space is no word: a key, a hash or an encoded file. A version's own hash has 16.
BLOB_CHARACTERS = 40

_RULES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("an address", re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://|\bwww\.|\bdata:[a-z]+/|\bmailto:", re.IGNORECASE)),
    ("a link or an image", re.compile(r"\]\s*\(|<\s*(?:a|img|script|iframe|svg|link|style|object)\b", re.IGNORECASE)),
    ("a blob", re.compile(rf"[A-Za-z0-9+/_=-]{{{BLOB_CHARACTERS},}}")),
    ("a chat's mark", re.compile(
        r"<\|[^|>]{1,40}\|>|\[/?INST\]|<</?SYS>>|</?(?:system|assistant|user|human|tool_\w+|function_\w+|data|document)\s*>"
        r"|^\s*(?:system|assistant|human|user|developer)\s*:", re.IGNORECASE | re.MULTILINE,
    )),
    ("an instruction", re.compile(
        r"\b(?:ignore|disregard|forget|override|bypass)\b[^.\n]{0,40}\b(?:previous|prior|earlier|above|all|any|these|your|the)\b"
        r"[^.\n]{0,30}\b(?:instruction|rule|prompt|gate|limit|review|check|guideline|constraint)s?\b"
        r"|\byou (?:are now|must now|must always|must never|will now)\b|\bsystem prompt\b|\bjailbreak\b|\bdeveloper mode\b"
        r"|\b(?:always|must) (?:approve|promote|accept|pass)\b"
        r"|\bdo not (?:review|report|mention|tell|log|notify)\b|\bnew instructions?\b\s*:", re.IGNORECASE,
    )),
    ("a secret", re.compile(
        r"\bsk-[A-Za-z0-9-]{8,}|\b\d{8,10}:[A-Za-z0-9_-]{30,}|-----BEGIN|\bAKIA[0-9A-Z]{12,}"
        r"|\b\w*(?:api[_-]?key|api[_-]?secret|bot_token|password|passphrase)\w*\s*[=:]\s*\S+", re.IGNORECASE,
    )),
)


def faults_of(text: str, words_max: int = WORDS_MAX) -> tuple[str, ...]:
    """One sentence for each kind of thing that may not stand there; empty for a text that may be kept."""
    found = []
    if not text.strip():
        return ("it is empty",)
    if words(text) >= words_max:
        found.append(f"it has {words(text):,} words, fewer than {words_max:,} are allowed")
    elif len(text) > CHARACTERS_MAX:
        found.append(f"it has {len(text):,} characters, {CHARACTERS_MAX:,} are allowed")
    hidden = next(
        ((place, each) for place, each in enumerate(text)
         if each not in _VISIBLE_CONTROLS and unicodedata.category(each) in _HIDDEN),
        None,
    )
    if hidden is not None:
        place, each = hidden
        found.append(f"line {_line(text, place)} holds a character that hides or reorders text (U+{ord(each):04X})")
    # Letters that only look like others (fullwidth, styled) must not slip past the patterns.
    plain = "\n".join(unicodedata.normalize("NFKC", line) for line in text.split("\n"))
    for kind, pattern in _RULES:
        match = pattern.search(plain)
        if match is not None:
            shown = "" if kind in ("a secret", "a blob") else f": {' '.join(match[0].split())[:60]!r}"
            found.append(f"line {_line(plain, match.start())} holds what looks like {kind}{shown}")
    return tuple(found)


def _line(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1
