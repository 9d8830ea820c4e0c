"""Text from strategies, models, files and people, made fit to show: visible marks for what cannot be, and an end."""

from __future__ import annotations

import re

from shell.report import figures

TEXT_MAX = 4000

# Not printable (all but tab and newline), half of a pair (cannot be encoded), or turning the direction of what follows.
_UNSHOWABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def shown(text: str) -> str:
    """`text` without control characters, cut where it does not end, with a note of how much is missing."""
    if len(text) > TEXT_MAX:
        text = f"{text[:TEXT_MAX]} … ({figures.number(len(text) - TEXT_MAX, 0)} more characters)"
    return _UNSHOWABLE.sub("\ufffd", text)
